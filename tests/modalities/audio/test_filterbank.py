"""Our filterbank is Kaldi's, batched, and in pieces as at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.compliance import kaldi

from modalities.audio.filterbank import FLOOR, Filterbank, FilterbankStream

RATE_HZ = 16_000


def kaldi_rows(waveform: torch.Tensor, mel_bins: int = 128) -> torch.Tensor:
    rows = [
        kaldi.fbank(
            row[None], sample_frequency=RATE_HZ, window_type="hanning", num_mel_bins=mel_bins
        )
        for row in waveform
    ]
    return torch.stack(rows)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_as_exact_as_kaldi(waveform: torch.Tensor, mel_bins: int = 128) -> None:
    """Compare with float64: a band far below its frame's loudest has few digits in float32."""
    exact = kaldi_rows(waveform.double(), mel_bins)
    found = Filterbank(mel_bins)(waveform)
    assert found.shape == exact.shape
    wrong = (found - exact).abs()
    theirs = (kaldi_rows(waveform, mel_bins) - exact).abs()
    assert (wrong > 1e-4).float().mean() < 1e-3 + 1.5 * (theirs > 1e-4).float().mean()
    assert wrong.mean() < max(1e-6, 1.2 * theirs.mean())
    loudest = exact.amax(2, keepdim=True).exp()
    assert ((found.exp() - exact.exp()).abs() / loudest).max() < 1e-4


@pytest.mark.parametrize("samples", [400, 559, 560, 16_000, 81_234])
def test_equals_kaldi_on_quiet_noise(samples):
    waveform = 1e-3 * noise(2, samples)
    found, expected = Filterbank()(waveform), kaldi_rows(waveform)
    assert found.shape == (2, 1 + (samples - 400) // 160, 128)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("mel_bins", [4, 40, 64, 128, 256])
def test_equals_kaldi_on_loud_noise(mel_bins):
    assert_as_exact_as_kaldi(0.3 * noise(2, 40_000), mel_bins)


def test_equals_kaldi_on_real_speech(demo_clip):
    from data_prep.media import read_audio

    waveform = torch.from_numpy(read_audio(demo_clip))[None]
    assert_as_exact_as_kaldi(waveform)
    torch.testing.assert_close(Filterbank()(waveform), kaldi_rows(waveform), atol=2e-3, rtol=0)


@pytest.mark.parametrize("offset", [0.5, -10.0])
def test_a_large_offset_costs_no_more_digits_than_in_kaldi(offset):
    assert_as_exact_as_kaldi(0.1 * noise(2, 40_000) + offset)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_is_the_floor(level):
    waveform = torch.full((1, 4000), level)
    found = Filterbank()(waveform)
    assert torch.equal(found, kaldi_rows(waveform))
    assert torch.equal(found, torch.full_like(found, FLOOR).log())


def test_rows_of_a_batch_do_not_see_each_other():
    rows = torch.stack([noise(9000, seed=1), 100 * noise(9000, seed=2), torch.zeros(9000)])
    together = Filterbank()(rows)
    for row, one in zip(together, rows, strict=True):
        torch.testing.assert_close(row, Filterbank()(one[None])[0], atol=1e-5, rtol=0)


def test_many_short_clips_and_a_long_one_go_through_in_chunks():
    for waveform in (noise(1200, 500), noise(1, 250_000)):
        found = Filterbank()(waveform)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(
            found[-1:, -3:], kaldi_rows(waveform[-1:])[:, -3:], atol=1e-3, rtol=0
        )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=12))
def test_streaming_equals_offline_for_any_chunking(lengths):
    waveform = 0.1 * noise(sum(lengths))
    bank = Filterbank()
    stream = FilterbankStream(bank)
    found = torch.cat([*(stream.push(chunk) for chunk in waveform.split(lengths)), stream.flush()])
    expected = bank(waveform[None])[0] if len(waveform) >= 400 else torch.zeros(0, 128)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_flushed_stream_starts_anew():
    stream = FilterbankStream(Filterbank())
    stream.push(noise(500))
    assert stream.flush().shape == (0, 128)
    assert len(stream.push(noise(399))) == 0
    assert len(stream.push(noise(1))) == 1


def test_memory_does_not_grow():
    stream = FilterbankStream(Filterbank())
    for _ in range(50):
        stream.push(torch.zeros(4800))
        assert stream.held < 800


def test_gradients_go_through():
    waveform = noise(1, 4000).requires_grad_()
    Filterbank()(waveform).sum().backward()
    assert waveform.grad is not None and waveform.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(1, 399), (4000,), (1, 1, 4000)])
def test_wrong_shapes_are_told(shape):
    with pytest.raises(ValueError, match=r"expected \[batch, samples\] with at least 400") as error:
        Filterbank()(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_a_wrong_number_of_bins_is_told():
    with pytest.raises(ValueError, match="3 mel bins; expected 4 to 256"):
        Filterbank(3)
