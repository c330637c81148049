"""What a selector makes of sound and sight, with a stand-in for the Whisper it listens with."""

import math
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from fusion.scenarios.domain import DomainCheck, DomainOptions
from fusion.scenarios.level import LevelEstimate, LevelOptions
from fusion.scenarios.options import VerifierOptions
from tasks.avsr.sets.adapted_whisper import Said, Sight
from tasks.avsr.sets.selector import Selector
from tasks.avsr.sets.sight_reader import Seen

DIM, LIP_DIM = 3, 4
NOISE = np.random.default_rng(0).normal(0, 0.1, 60_000).astype(np.float32)
WINDOWS = [NOISE[:48_000], NOISE[:20_000]]


class Whisper:
    """Hears a window as blocks of samples, and is surer of loud states than of soft ones."""

    def __init__(self):
        torch.manual_seed(0)
        self.agreement = AgreementNetwork(AgreementOptions(lip_dim=LIP_DIM, channels=8, dim=4))
        self.on = None
        self.heard_with, self.decoded_with = [], []

    def hear(self, waveforms) -> torch.Tensor:
        padded = np.stack([np.pad(w, (0, 51_200 - len(w))) for w in waveforms])
        return torch.from_numpy(padded)[:, ::2].reshape(len(waveforms), 80, 320)

    def encoder(self, mel, each):
        self.heard_with.append(self.on)
        blocks = [number * mel[:, :DIM, ::2].mT for number in (1.0, 2.0, 3.0, 4.0)]
        each.extend(blocks)
        return SimpleNamespace(values=blocks[-1])

    def decode(self, states, most_tokens, least) -> list[Said]:
        self.decoded_with.append(self.on)
        return [Said([1], -0.5) for _ in states]

    @contextmanager
    def using(self, name):
        self.on = name
        yield
        self.on = None


@pytest.fixture
def selector() -> Selector:
    whisper = Whisper()
    classifier = ScenarioClassifier(ScenarioOptions(channels=4)).eval()
    return Selector(whisper, classifier, "ear")


def check_domain(doubt: float) -> DomainCheck:
    """All sound lies far outside; what counts is the doubt."""
    return DomainCheck(DomainOptions(DIM, 1, residual=1e-6, doubt=doubt))


def test_the_classifier_alone_takes_all_for_known_and_does_not_encode(selector):
    found = selector.describe(WINDOWS, Seen())
    assert [s.distance for s in found] == [0.0, 0.0]
    assert selector.adapted.heard_with == []
    heard = selector.listen(WINDOWS)
    assert [s.snr_db for s in found] == heard.snr_db.tolist()
    assert [s.probability for s in found] == heard.probabilities.amax(1).tolist()


def test_without_a_set_that_hears_only_nothing_is_encoded(selector):
    deaf = replace(selector, listener=None, domain=check_domain(0.1))
    heard = deaf.listen(WINDOWS)
    assert heard.encoded is None and heard.states.shape == (2, 0)
    assert [s.distance for s in deaf.describe(WINDOWS, Seen())] == [0.0, 0.0]


def test_states_are_those_of_the_second_block_where_there_is_sound(selector):
    heard = selector.listen(WINDOWS)
    assert heard.counts == (150, 62)
    sound = 2 * heard.mel[1, :DIM, ::2].mT[:62]
    torch.testing.assert_close(heard.states[1], torch.cat([sound.mean(0), sound.std(0)]))
    assert heard.encoded.shape == (2, 160, DIM)
    assert selector.adapted.heard_with == ["ear"] and selector.adapted.on is None


def test_only_the_first_window_of_a_long_sound_is_heard(selector):
    whole, cut = selector.listen([NOISE]), selector.listen([NOISE[:51_200]])
    assert torch.equal(whole.mel, cut.mel) and whole.counts == cut.counts == (160,)
    assert torch.equal(whole.probabilities, cut.probabilities)


def test_the_kind_tells_the_noise_in_the_classifiers_place(selector):
    names = selector.classifier.options.categories
    for name in names:
        kind = NoiseKind(KindOptions(names, 2 * DIM))
        kind.bias[names.index(name)] = 20.0
        found = replace(selector, kind=kind).describe(WINDOWS, Seen())
        assert [s.category for s in found] == [name, name]
        assert [s.snr_db for s in found] == selector.listen(WINDOWS).snr_db.tolist()


def test_a_window_is_unlike_where_neither_its_sound_nor_its_face_is_known(selector):
    strict = replace(selector, domain=check_domain(0.25))
    assert [s.distance for s in strict.describe(WINDOWS, Seen())] == [2.0, 2.0]
    seen = Seen(Sight(torch.ones(2, 80, dtype=torch.bool)), (0.5, 3.0))
    assert [s.distance for s in strict.describe(WINDOWS, seen)] == [0.5, 2.0]
    assert set(strict.adapted.decoded_with) == {"ear"}


def test_the_level_is_the_estimates_where_lips_are_seen_and_the_classifiers_elsewhere(selector):
    level = LevelEstimate(LevelOptions(4, 2 * DIM))
    level.middle_db.fill_(7.0)
    mask = torch.zeros(2, 80, dtype=torch.bool)
    mask[1, :30] = True
    sight = Sight(mask, torch.rand(2, 80, LIP_DIM))
    able = replace(selector, level=level)
    alone = selector.listen(WINDOWS).snr_db.tolist()
    assert [s.snr_db for s in able.describe(WINDOWS, Seen(sight))] == [alone[0], 7.0]
    for blind in (Seen(), Seen(replace(sight, lips=None))):
        assert [s.snr_db for s in able.describe(WINDOWS, blind)] == alone


def test_a_level_without_lips_or_what_compares_them_is_refused(selector):
    level, heard = LevelEstimate(LevelOptions(4, 2 * DIM)), selector.listen(WINDOWS)
    sight = Sight(torch.ones(2, 80, dtype=torch.bool), torch.rand(2, 80, LIP_DIM))
    assert selector.describe_level(level, heard, sight).shape == (2, level.options.features)
    with pytest.raises(ValueError, match="there are no lips"):
        selector.describe_level(level, heard, replace(sight, lips=None))
    selector.adapted.agreement = None
    with pytest.raises(ValueError, match="there are no lips"):
        selector.describe_level(level, heard, sight)


class Choice:
    """Stands in for a verifier: accepts where the first sign is above a number."""

    def __init__(self, above: float):
        self.options, self.above = VerifierOptions(signals=("tokens",)), above

    def accepts(self, signals, known) -> list[bool]:
        self.known = known
        return [bool(row[0] > self.above) for row in signals]


def test_only_unknown_windows_are_verified(selector, monkeypatch):
    asked = []

    def weigh(evidence, signals):
        asked.append((len(evidence.waveforms), evidence.listener, evidence.others, signals))
        return torch.tensor([[float(len(one))] for one in evidence.waveforms])

    monkeypatch.setattr("tasks.avsr.sets.selector.weigh", weigh)
    strict = replace(selector, domain=check_domain(0.25), farthest=1.0, others=("every",))
    assert [s.accepted for s in strict.describe(WINDOWS, Seen())] == [False, False]
    assert asked == []  # nothing verifies
    able = replace(strict, verifier=Choice(30_000))
    assert [s.accepted for s in able.describe(WINDOWS, Seen())] == [True, False]
    assert asked == [(2, "ear", ("every",), ("tokens",))]
    seen = Seen(Sight(torch.ones(2, 80, dtype=torch.bool)), (0.5, 3.0))
    assert [s.accepted for s in able.describe(WINDOWS, seen)] == [False, False]
    assert asked[1][0] == 1
    known = replace(able, domain=check_domain(9.0))
    assert [s.accepted for s in known.describe(WINDOWS, Seen())] == [False, False]
    assert len(asked) == 2


def test_a_text_that_is_too_unsure_is_not_looked_at_again(selector, monkeypatch):
    """The text has a mean log-probability of -0.5."""
    monkeypatch.setattr(
        "tasks.avsr.sets.selector.weigh", lambda evidence, _: torch.ones(len(evidence.waveforms), 1)
    )
    far = replace(selector, domain=check_domain(0.25), farthest=1.0)
    for most, accepted in ((0.49, False), (0.5, True)):
        choice = Choice(0.0)
        choice.options = replace(choice.options, most_doubt=most)
        found = replace(far, verifier=choice).describe(WINDOWS, Seen())
        assert [s.accepted for s in found] == [accepted] * 2


def test_beside_an_unknown_face_what_sounds_known_is_verified_where_its_text_is_unsure(
    selector, monkeypatch
):
    """All sound lies within what is known, but the text has a mean log-probability of -0.5."""
    monkeypatch.setattr(
        "tasks.avsr.sets.selector.weigh",
        lambda evidence, _: torch.tensor([[float(len(one))] for one in evidence.waveforms]),
    )
    inside = DomainCheck(DomainOptions(DIM, 1, residual=1e6, doubt=0.25))
    choice = Choice(30_000)
    choice.options = replace(choice.options, least_known=0.5, most_doubt=0.1)
    able = replace(selector, domain=inside, farthest=1.0, verifier=choice)
    mask = torch.ones(2, 80, dtype=torch.bool)
    found = able.describe(WINDOWS, Seen(Sight(mask), (3.0, 3.0)))
    assert choice.known == [True, True]
    assert [s.distance > 1 for s in found] == [False, True]
    assert not any(s.accepted for s in found)  # one is known, the other goes to the frozen model
    for faces in ((0.5, 0.5), (math.inf, math.inf), ()):  # known, unseen, not looked for
        assert max(s.distance for s in able.describe(WINDOWS, Seen(Sight(mask), faces))) < 1
    sure = replace(able, domain=DomainCheck(replace(inside.options, doubt=9.0)))
    assert max(s.distance for s in sure.describe(WINDOWS, Seen(Sight(mask), (3.0, 3.0)))) < 1
