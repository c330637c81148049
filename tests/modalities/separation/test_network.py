"""The network at its full size and at small ones."""

import pytest
import torch

from modalities.separation.matching import deal_out, match_best
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from modalities.separation.spectrum import (
    make_consistent,
    separate_ideally,
    to_spectrum,
    to_waveform,
)

SMALL = dict(sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_full_size_has_the_published_parts():
    with torch.device("meta"):
        network = SeparationNetwork(SeparatorOptions())
    assert count(network.blocks) == 57_965_844
    assert count(network.first) + count(network.widen) == 8_772
    assert count(network.last) == 111_366


@pytest.mark.parametrize("reads", ["power", "log_power"])
def test_sources_sum_to_their_mixture(reads):
    network = SeparationNetwork(SeparatorOptions(**SMALL, reads=reads))
    mixture = 0.1 * torch.randn(2, 8000)
    sources = network(mixture)
    assert sources.shape == (2, 3, 8000)
    torch.testing.assert_close(sources.sum(1), mixture, atol=1e-5, rtol=0)
    assert sources.std(1).max() > 1e-3  # they differ
    assert network.eval()(torch.zeros(1, 8000)).abs().max() == 0


def test_log_power_hears_the_same_at_any_level():
    network = SeparationNetwork(SeparatorOptions(**SMALL, reads="log_power")).eval()
    mixture = torch.randn(1, 8000)
    torch.testing.assert_close(
        1000 * network(0.001 * mixture), network(mixture), atol=1e-4, rtol=1e-3
    )


def test_half_precision_survives_the_loudest_sound():
    network = SeparationNetwork(SeparatorOptions(**SMALL))
    loud = 4 * torch.sin(torch.arange(8000) * 0.3)[None]
    with torch.autocast("cpu", torch.float16):
        sources = network(loud)
    assert sources.dtype == torch.float32 and sources.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": 13}, "sources is 13; expected 2 to 12"),
        ({"reads": "phase"}, "reads is 'phase'; known: power, log_power"),
        ({"widths": (8, 10)}, "multiples of squeeze"),
        ({"window_s": 0.03}, "expected 4 or more each way"),
        ({"hop": 300}, "hop is 300; expected 1 to 200"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"squeeze": 0}, "squeeze is 0; expected 1 or more"),
        ({"window_s": float("nan")}, "window_s is nan, .*expected above 0 to 600 s"),
        ({"window_s": float("inf")}, "window_s is inf"),
        ({"window_s": 1e9}, "window_s is 1e.09"),
        ({"rate_hz": 0}, "rate_hz 0"),
        ({"fft": 0}, "fft 0"),
    ],
)
def test_impossible_sizes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SeparatorOptions(**{**SMALL, **changes})


def test_windows_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"\[1, 7999\]; expected \[batch, 8000\]"):
        SeparationNetwork(SeparatorOptions(**SMALL))(torch.zeros(1, 7999))


@pytest.mark.parametrize("samples", [8000, 8050])
def test_spectra_can_be_turned_back(samples):
    waveform = torch.randn(2, 3, samples)
    found = to_waveform(to_spectrum(waveform, 400, 200), samples, 400, 200)
    inside = samples // 200 * 200
    torch.testing.assert_close(found[..., :inside], waveform[..., :inside], atol=1e-4, rtol=0)


def test_ideal_masks_part_what_does_not_overlap():
    time = torch.arange(8000) / 16000
    tones = torch.stack([torch.sin(6.2832 * hz * time) for hz in (400, 3000)])
    found = separate_ideally(tones, 400, 200)
    torch.testing.assert_close(found[:, 400:-400], tones[:, 400:-400], atol=0.02, rtol=0)


def test_what_is_lacking_is_shared_alike():
    found = make_consistent(torch.zeros(1, 4, 10), torch.ones(1, 10))
    torch.testing.assert_close(found, torch.full((1, 4, 10), 0.25))


def test_the_best_match_is_that_of_all_together():
    assert match_best([[3.0, 2.9], [2.9, 0.0]]) == [1, 0]  # the greatest alone would be 3
    assert match_best([[0.0, 1.0, 5.0]]) == [2]
    with pytest.raises(ValueError, match="2 rows cannot have one of 1 columns"):
        match_best([[1.0], [2.0]])


def test_sources_are_dealt_out_in_every_way():
    ways = deal_out(3, 2)
    assert ways.shape == (8, 2, 3)
    assert len({tuple(way.flatten().tolist()) for way in ways}) == 8
    assert (ways.sum(1) == 1).all()
    with pytest.raises(ValueError, match="expected up to 65536"):
        deal_out(12, 3)
