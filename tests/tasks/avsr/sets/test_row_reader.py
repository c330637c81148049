"""Windows of several sets in one batch come out as each would alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.media import read_audio
from fusion.audio_visual.by_row import RowFusion
from modalities.speech.whisper import load_whisper
from tasks.avsr.sets.adapted_whisper import Sight
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser

NAMES = ("babble", "audio", "high_noise", "babble")


@pytest.fixture(scope="module")
def recogniser() -> SetRecogniser:
    return load_recogniser("whisper-tiny.en", "grid", "cpu")


@pytest.fixture(scope="module")
def utterances(demo_clip) -> list[Utterance]:
    """Four stretches of speech, three with pictures of nothing that anybody said."""
    sound = read_audio(demo_clip)
    random = np.random.default_rng(0)
    crops = random.integers(0, 255, (80, 96, 96), np.uint8)
    seen = np.ones(80, bool)
    heard = [sound[start : start + 48_000] for start in (0, 30_000, 60_000)]
    return [*(Utterance(one, crops, seen) for one in heard), Utterance(sound[20_000:60_000])]


@torch.inference_mode()
def logits(recogniser, waveforms, names, sight):
    adapted = recogniser.adapted
    fusion = RowFusion([recogniser.fusions[name] for name in names])
    with adapted.using(*names):
        states, _ = adapted.encode(adapted.hear(waveforms), sight, fusion)
        state = adapted.steps.start(states)
        tokens = torch.tensor([[*adapted.prompt, 383, 262]] * len(names))
        return adapted.steps.logits(adapted.steps.read(state, tokens))


def test_rows_have_the_logits_that_they_have_alone(recogniser, utterances):
    torch.manual_seed(0)
    mask = torch.ones(4, 80, dtype=torch.bool)
    mask[3] = False
    sight = Sight(mask, torch.randn(4, 80, 256), torch.rand(4, 80))
    waveforms = [utterance.waveform for utterance in utterances]
    together = logits(recogniser, waveforms, NAMES, sight)
    for row, (waveform, name) in enumerate(zip(waveforms, NAMES, strict=True)):
        alone = logits(recogniser, [waveform], [name], sight.take([row]))[0]
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=1e-5)
    other = logits(recogniser, waveforms, ["audio"] * 4, sight)
    assert (other - together)[[0, 2, 3]].abs().amax((1, 2)).min() > 0.1


@pytest.mark.parametrize("least", [0.0, 1.1])
def test_rows_are_read_as_alone_with_their_words(recogniser, utterances, monkeypatch, least):
    """Whether lips are believed, or believed of none, so that the set that hears takes over."""
    monkeypatch.setattr(recogniser.sights, "farthest", 1e9)
    believed = replace(recogniser.collection, least_agreement=least, least_in_quiet=least)
    monkeypatch.setattr(recogniser.rows, "collection", believed)
    together = recogniser.read_rows(utterances, NAMES)
    for row, utterance, name in zip(together, utterances, NAMES, strict=True):
        [alone] = recogniser.read_rows([utterance], [name])
        assert row == replace(alone, words=row.words, agreement=row.agreement)
        assert row.agreement == pytest.approx(alone.agreement, abs=1e-5)
        assert [word.text for word in row.words] == [word.text for word in alone.words]
        times = [[word.start_s for word in one.words] for one in (row, alone)]
        np.testing.assert_allclose(*times, atol=0.03)
    assert all(row.text and row.words for row in together)
    assert [row.agreement is not None for row in together] == [True, False, True, False]
    sets = ["audio"] * 4 if least else ["babble", "audio", "high_noise", "audio"]
    assert [row.adapter_set for row in together] == sets


def test_a_set_that_is_not_there_is_refused(recogniser, utterances):
    with pytest.raises(ValueError, match="No adapter set 'wind'; known: .*babble"):
        recogniser.read_rows(utterances[:2], ["babble", "wind"])
    assert recogniser.adapted.adapters.active == []


def test_one_sound_is_decoded_by_each_set_as_by_it_alone(recogniser, utterances):
    adapted = recogniser.adapted
    mel = adapted.hear([utterance.waveform for utterance in utterances[:2]])
    names = ("audio", "babble", None)
    with pytest.raises(ValueError, match="'audio' changes the encoder"):
        adapted.decode_by_sets(mel, names)
    found = adapted.decode_by_sets(mel, names, "non_shared")
    for number, name in enumerate(names):
        with torch.inference_mode(), adapted.plain() if name is None else adapted.using(name):
            alone = adapted.decode(adapted.encode(mel)[0])
        assert [said[number].tokens for said in found] == [said.tokens for said in alone]


def test_sets_are_loaded_as_they_are_asked_for_where_memory_is_limited(recogniser, utterances):
    size = recogniser.sets.bytes // len(recogniser.sets.loaded)
    folder = next(iter(recogniser.sets.folders.values())).parent
    tight = SetRecogniser(load_whisper("whisper-tiny.en"), folder, 3 * size)
    assert tight.sets.bytes == 0
    assert tight.read_rows(utterances, NAMES) == recogniser.read_rows(utterances, NAMES)
    heard = tight.with_set(utterances[3:], "music")  # the set that hears only stands in
    assert heard == recogniser.with_set(utterances[3:], "music")
    assert tight.sets.bytes <= 3 * size and "music" in tight.sets.loaded
    assert len(tight.sets.loaded) < len(recogniser.sets.loaded) == len(tight.sets.folders)
