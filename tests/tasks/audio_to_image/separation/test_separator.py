"""Any sound taken apart: short, long, silent, of any rate, and what does not fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from modalities.separation.network import SeparationNetwork
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.ranking import Ranker, weigh
from tasks.audio_to_image.separation.separator import Separator
from tasks.audio_to_image.separation.separator_files import load_separator, save_separator

RATE_HZ = 16000


@pytest.fixture
def separator(small, audio_text) -> Separator:
    card = SeparatorCard("pitch", "pitch-12", 12, "band {label}", ("0", "5"))
    return Separator(SeparationNetwork(small), card, audio_text, "cpu")


def tone(hz: float, seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("seconds", [1 / RATE_HZ, 0.2, 0.5, 2.33])
def test_a_sound_of_any_length_keeps_it_and_its_sum(separator, seconds):
    waveform = np.random.default_rng(0).normal(size=round(seconds * RATE_HZ)) * 0.1
    found = separator.separate(waveform, RATE_HZ)
    assert found.sources.shape == (3, len(waveform))
    np.testing.assert_allclose(found.sources.sum(0), waveform, atol=1e-5)
    assert sum(found.shares) == pytest.approx(1)
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_silence_stays_silent(separator):
    found = separator.separate(np.zeros(20000), RATE_HZ)
    assert not found.sources.any()
    assert found.scores == (-1, -1, -1) and found.shares == (0, 0, 0)
    assert separator.name_sources(found.embeddings) == [("silence", 1.0)] * 3


def test_stereo_of_another_rate_comes_as_one_channel_at_the_networks_rate(separator):
    left = tone(400, 1, 96000)
    found = separator.separate(np.stack([left, left]), 96000)
    assert found.rate_hz == RATE_HZ and found.sources.shape == (3, 16000)
    same = separator.separate(tone(400, 1), RATE_HZ)
    np.testing.assert_allclose(
        found.sources.sum(0)[200:-200], same.sources.sum(0)[200:-200], atol=1e-3
    )


def test_sources_are_ranked_by_how_like_the_mixture_they_sound(audio_text):
    ranker = Ranker(3, RATE_HZ, audio_text)
    loud, soft = (torch.from_numpy(tone(hz, 0.5)).float() for hz in (500, 2500))
    ranker.add(torch.stack([0.2 * soft, torch.zeros(8000), loud]))
    ranking = ranker.result()
    assert ranking.order == (2, 0, 1) and ranking.scores[2] == -1
    assert ranking.shares[0] == pytest.approx(1 / 1.04, abs=1e-3)
    assert ranking.embeddings is not None and not ranking.embeddings[2].any()
    assert audio_text.batches == [4]  # the sources and their mixture, once


def test_where_loudness_alone_ranks_the_mixture_is_not_embedded(audio_text):
    ranker = Ranker(2, RATE_HZ, audio_text, "loudness")
    soft, loud = (torch.from_numpy(tone(hz, 0.5)).float() for hz in (500, 2500))
    ranker.add(torch.stack([0.2 * soft, loud]))
    found = ranker.result()
    assert found.order == (1, 0) and audio_text.batches == [2]
    assert found.scores == pytest.approx([share**0.5 for share in found.shares], abs=1e-4)
    assert found.embeddings is not None and found.embeddings.any(1).all()


def test_loudness_has_its_say_where_it_is_asked_to():
    likeness = torch.tensor([[0.8, 0.7, -0.2, -1.0]], requires_grad=True)
    energy = torch.tensor([[1.0, 8.0, 1.0, 0.0]], requires_grad=True)
    assert weigh(likeness, energy, "likeness") is likeness
    found = weigh(likeness, energy, "loud_likeness")
    expected = torch.tensor([[0.8 * 0.1**0.5, 0.7 * 0.8**0.5, -0.2, -1.0]])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    found.sum().backward()
    assert likeness.grad is not None and bool(likeness.grad.isfinite().all())
    assert energy.grad is not None and bool(energy.grad.isfinite().all())
    found = weigh(likeness, energy, "loudness")
    torch.testing.assert_close(found.square(), energy / 10, atol=1e-6, rtol=1e-5)
    with pytest.raises(ValueError, match="softness.*known: likeness, loud_likeness, loudness"):
        weigh(likeness, energy, "softness")


class OthersLikeness:
    """Says of two sources that the second is more like the mixture, whatever they are."""

    name, identity, rate_hz, dim = "others", "others-2", RATE_HZ, 2

    def embed_audio(self, waves: torch.Tensor) -> torch.Tensor:
        cosines = torch.tensor([0.6, 0.8, 1.0])[: len(waves)]
        return torch.stack([cosines, (1 - cosines.square()).sqrt()], 1)

    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.eye(2)[: len(texts)]


def test_a_louder_source_goes_first_though_it_is_less_like_the_mixture():
    loud, soft = (torch.from_numpy(tone(hz, 0.5)).float() for hz in (500, 2500))
    orders = {}
    for significance in ("likeness", "loud_likeness", "loudness"):
        ranker = Ranker(2, RATE_HZ, OthersLikeness(), significance)
        ranker.add(torch.stack([loud, 0.3 * soft]))
        orders[significance] = ranker.result().order
    assert orders == {"likeness": (1, 0), "loud_likeness": (0, 1), "loudness": (0, 1)}


def test_louder_pieces_count_more_and_silent_ones_not_at_all(audio_text):
    one, other = (torch.from_numpy(tone(hz, 0.5)).float() for hz in (500, 2500))
    nothing = torch.zeros_like(one)
    ranker = Ranker(2, RATE_HZ, audio_text)
    ranker.add(torch.stack([one, nothing]))
    before = ranker.result()
    ranker.add(torch.stack([nothing, nothing]))
    assert ranker.result().scores == before.scores
    ranker.add(torch.stack([nothing, 3 * other]))
    assert ranker.result().order == (1, 0)


def test_without_a_model_of_sound_and_text_energy_ranks(small):
    separator = Separator(SeparationNetwork(small), SeparatorCard(), None, "cpu")
    found = separator.separate(tone(500, 1), RATE_HZ)
    assert found.scores == found.shares and found.embeddings is None
    with pytest.raises(ValueError, match="without a model of sound and text"):
        separator.name_sources(np.zeros((3, 12)), ("0",))


def test_sources_are_named_by_the_likest_label(separator):
    found = separator.separate(tone(200, 1), RATE_HZ)
    names = separator.name_sources(found.embeddings)
    assert names[0][0] == "0" and names[0][1] > 0.9


def test_a_stream_of_blocks_is_the_whole_sound(separator):
    waveform = torch.from_numpy(np.random.default_rng(1).normal(size=30000) * 0.1).float()
    stream = separator.open_stream(RATE_HZ)
    pieces = [stream.push(block) for block in waveform.split(777)] + [stream.flush()]
    whole = separator.separate(waveform.numpy(), RATE_HZ)
    order = list(stream.ranking().order)
    np.testing.assert_allclose(torch.cat(pieces, 1)[order].numpy(), whole.sources, atol=1e-5)


def test_a_separator_is_read_as_it_was_written(separator, audio_text, tmp_path):
    save_separator(tmp_path / "one", separator.network, separator.card)
    read = Separator.load(tmp_path / "one", "cpu", audio_text)
    assert read.card == separator.card
    waveform = tone(700, 0.7)
    expected = separator.separate(waveform, RATE_HZ)
    np.testing.assert_allclose(
        read.separate(waveform, RATE_HZ).sources, expected.sources, atol=2e-3
    )
    assert Separator.load(tmp_path / "one", "cpu", "").audio_text is None


def test_another_model_of_sound_and_text_is_refused(separator, audio_text, tmp_path):
    save_separator(tmp_path, separator.network, replace(separator.card, dim=512, identity=""))
    with pytest.raises(ValueError, match="of 512 features, and pitch is another model, of 12"):
        Separator.load(tmp_path, "cpu", audio_text)


def test_what_is_missing_or_damaged_is_told(separator, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder .*none; expected that of a separator"):
        Separator.load(tmp_path / "none", "cpu")
    with pytest.raises(FileNotFoundError, match="holds nothing; expected"):
        Separator.load(tmp_path, "cpu")
    save_separator(tmp_path, separator.network, separator.card)
    (tmp_path / "network.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="holds no SeparationNetwork"):
        load_separator(tmp_path)
    with pytest.raises(ValueError, match="NaN or infinite"):
        separator.separate(np.array([0.0, np.nan]), RATE_HZ)


def test_a_label_that_is_given_twice_counts_once(separator):
    found = separator.separate(tone(200, 1), RATE_HZ).embeddings
    once = separator.name_sources(found, ("0", "5"))
    assert separator.name_sources(found, ("0", "5", "0", "0")) == once and once[0][1] > 0.9
