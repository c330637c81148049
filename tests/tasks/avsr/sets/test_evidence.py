"""Signs for and against a text are what the models say, and nothing is heard that no sign needs."""

import numpy as np
import pytest
import torch

from data_prep.media import read_audio
from modalities.audio.full_scale import to_full_scale
from tasks.avsr.sets.adapted_whisper import Said
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.evidence import Evidence, likeness, score, weigh
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser


@pytest.fixture(scope="module")
def recogniser() -> SetRecogniser:
    return load_recogniser("whisper-tiny.en", "grid", "cpu")


@pytest.fixture(scope="module")
def waveforms(demo_clip) -> list[np.ndarray]:
    sound = read_audio(demo_clip)
    return [to_full_scale(part) for part in (sound[:51_200], sound[60_000:90_000])]


@pytest.fixture(scope="module")
def evidence(recogniser, waveforms) -> Evidence:
    return Evidence(recogniser.adapted, "audio", ["all", "babble"], waveforms)


def test_a_text_is_as_likely_as_when_it_was_written(recogniser, evidence):
    adapted = recogniser.adapted
    states, said = evidence.states, evidence.said
    with torch.inference_mode():
        with adapted.using("audio"):
            again = score(adapted, states, said)
        plain = score(adapted, evidence.plain_states, evidence.plainly_said)
    written = torch.tensor([one.log_probability for one in evidence.said])
    torch.testing.assert_close(again, written, atol=1e-4, rtol=0)
    plainly = torch.tensor([one.log_probability for one in evidence.plainly_said])
    torch.testing.assert_close(plain, plainly, atol=1e-4, rtol=0)


@pytest.mark.parametrize("part", ["said", "explained"])
def test_the_text_in_question_is_the_one_that_the_set_writes(recogniser, waveforms, part):
    evidence = Evidence(recogniser.adapted, "audio", ["all"], waveforms)
    texts = recogniser.with_set([Utterance(one) for one in waveforms], "audio")
    with torch.inference_mode():
        getattr(evidence, part)  # asked for first, whatever is heard for it
    found = [recogniser.adapted.spell(one) for one in evidence.said]
    assert found == [one.text for one in texts]


def test_within_a_block_of_one_set_another_may_be_switched_on(recogniser):
    adapted, active = recogniser.adapted, recogniser.adapted.adapters.selection.active
    with adapted.using("audio"):
        before = list(active)
        with adapted.using("all"):
            assert active != before
        with adapted.using("all", "babble"):
            assert active != before
        assert active == before != []
    assert active == []


def test_a_text_scores_alone_as_beside_a_longer_one(recogniser, evidence):
    states, said = evidence.plain_states, [Said([383], 0.0), Said([383, 262, 1310, 11], 0.0)]
    with torch.inference_mode():
        both = score(recogniser.adapted, states, said)
        alone = score(recogniser.adapted, states[:1], said[:1])
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=0)


def test_the_frozen_model_writes_what_it_writes_elsewhere(recogniser, evidence, waveforms):
    plain = recogniser.plain([Utterance(evidence.waveforms[0])])
    assert recogniser.adapted.spell(evidence.plainly_said[0]) != ""
    assert recogniser.adapted.spell(evidence.plainly_said[0])[:9] == plain[0].text[:9]


def test_other_speech_is_doubted_and_what_it_is_taken_for_explains_little(evidence):
    names = ("doubt", "agreed", "explained", "plain", "steady", "informed")
    found = weigh(evidence, names)
    assert found.shape == (2, 6)
    doubt, agreed, explained, plain, steady, _ = found.unbind(1)
    assert (doubt > 0.25).all() and explained[0] < plain[0]
    assert ((agreed >= 0) & (agreed < 1)).all() and ((steady >= 0) & (steady <= 1)).all()


def test_only_what_a_sign_needs_is_heard(recogniser, waveforms):
    evidence = Evidence(recogniser.adapted, "audio", ["all"], waveforms[1:])
    weigh(evidence, ["doubt", "tokens"])
    assert not {"plain_states", "said_by_others", "said_later"} & set(evidence.__dict__)


def test_likeness_is_the_share_in_common_in_order():
    one, other = Said([1, 2, 3, 4], 0.0), Said([1, 3, 4, 5], 0.0)
    assert likeness([one, one, one], [one, other, Said([9], 0.0)]).tolist() == [1.0, 0.75, 0.0]


def test_an_unknown_sign_is_refused(evidence):
    with pytest.raises(ValueError, match="No signal 'smell'; known: doubt"):
        weigh(evidence, ["smell"])
