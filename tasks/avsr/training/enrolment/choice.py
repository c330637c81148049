"""Which of a talker's candidates are taken: those that are better on pieces held back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from data_prep.clips.samples import Sample
from modalities.rates import PIECE_SAMPLES
from tasks.avsr.sets.collection import ALL, Collection
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.avsr.sets.talker_card import AS_IT_WAS, MOVED, TRAINED
from tasks.avsr.training.enrolment.candidates import BEFORE
from tasks.avsr.training.noise_maker import NoiseMaker
from tasks.scoring.normalisers import strip_punctuation
from tasks.scoring.word_errors import count_errors

CLEAN, LEVELS = "clean", (0.0, -10.0)
DRAWN = 77  # in the seeds of this noise
Rates = dict[str, float]  # word error rates in percent, by condition
Report = Callable[[float, float | None], None]


@dataclass(frozen=True, eq=False)
class Trial:
    """Pieces held back, in noise that no training has mixed with them.

    Attributes:
        recogniser: With the candidates.
        samples: The pieces.
        noise: Makes the noise.
        draws: Noises for each piece, kind and level.
        known: Rates by set and condition, of what was measured before.
    """

    recogniser: SetRecogniser
    samples: Sequence[Sample]
    noise: NoiseMaker
    draws: int
    known: dict[tuple[str, str], float] = field(default_factory=dict)

    def rate(self, name: str, kinds: Sequence[str]) -> Rates:
        """Return the word error rates of a set in kinds of noise at all levels, and in none."""
        found: Rates = {}
        for kind in (CLEAN, *kinds):
            for level in (None,) if kind == CLEAN else LEVELS:
                condition = kind if level is None else f"{kind} {level:g} dB"
                key = name, condition
                if key not in self.known:
                    self.known[key] = self._rate(name, self._utter(kind, level))
                found[condition] = self.known[key]
        return found

    def _rate(self, name: str, utterances: Sequence[Utterance]) -> float:
        texts = [one.text for one in self.recogniser.with_set(utterances, name)]
        spoken = [sample.clip.text or "" for sample in self.samples]
        spoken *= len(utterances) // len(spoken)
        return count_errors(spoken, texts, strip_punctuation).rate

    def _utter(self, kind: str, level: float | None) -> list[Utterance]:
        """Return each piece in each noise of a kind at a level; once where there is none."""
        found = []
        for draw in range(1 if level is None else self.draws):
            for number, sample in enumerate(self.samples):
                wave = sample.waveform[:PIECE_SAMPLES]
                if level is not None:
                    wave = self.noise.at(wave, kind, level, [DRAWN, draw, number]).waveform
                found.append(Utterance(wave, sample.crops, sample.clip.mask()))
        return found


@dataclass(frozen=True)
class Chosen:
    """What is taken, and how good it is.

    Attributes:
        taken: What each set becomes: "trained", "moved" as that one was, or "as it was".
        before: Word error rates in percent by condition, of the set that hears only, or without
            one of the set for every noise as it was.
        after: Word error rates in percent of the sets that are taken, each in its noise.
    """

    taken: dict[str, str]
    before: Rates
    after: Rates


def choose_sets(trial: Trial, collection: Collection, report: Report | None = None) -> Chosen:
    """Choose for each set whether it stays as it was.

    The set for every noise, and those that the collection chooses among, are measured in what they
    are for; where both are as good, the one that has learnt of the talker is taken. All others go
    as the set for every noise goes.

    Args:
        trial: Pieces held back.
        collection: As it is without candidates.
        report: Called with the sets measured, and all.
    """
    kinds = trial.noise.options.categories
    every = collection.groups[ALL][0]
    measured = [every, *collection.groups.get(collection.choose_by, [])]
    taken: dict[str, str] = {}
    rates: dict[str, Rates] = {}
    for number, name in enumerate(measured, 1):
        own = [name] if name in kinds else list(kinds)
        new = trial.rate(name, own)
        if report:
            report(number - 0.5, len(measured))
        old = trial.rate(f"{name}{BEFORE}", own)
        better = sum(new.values()) <= sum(old.values())
        taken[name] = (TRAINED if name == every else MOVED) if better else AS_IT_WAS
        rates[name] = new if better else old
        if report:
            report(number, len(measured))
    rest = AS_IT_WAS if taken[every] == AS_IT_WAS else MOVED
    for name in collection.sets:
        if name != collection.listener:
            taken.setdefault(name, rest)
    before = trial.rate(collection.listener or f"{every}{BEFORE}", kinds)
    return Chosen(taken, before, {c: _after(c, rates, every) for c in before})


def _after(condition: str, rates: Mapping[str, Rates], every: str) -> float:
    """Return the rate of the set that is made for a condition."""
    kind = condition.split(" ")[0]
    return rates.get(kind, rates[every])[condition]
