"""Gates for each token over the shipped sets for noise, against the set that the selector chooses.

`python -m tools.routers_switching` trains gates on GRID's training clips, chooses among them on
validation clips, and measures the test clips once, all resumable, into build/routers/switching. It
wants the prepared clips: `mcgurk prepare grid ../shared/data/grid -o build/avsr/grid`.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from fusion.routing.router_files import CARD
from fusion.routing.usage_picture import draw_usage, weights_along
from modalities.rates import RATE_HZ, SAMPLES_PER_STATE
from tasks.avsr.sets.gated_sets import GatedSets
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tasks.avsr.training.config import DataOptions, NoiseOptions
from tasks.avsr.training.gates import GateConfig, GateTraining
from tasks.reports import to_table
from tasks.scoring import WordErrors, count_errors, find_normaliser
from tasks.scoring.intervals import Interval, difference_interval, rate_interval, ratio_interval
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tasks.training.study import plain
from tools.changing_noise import (
    CHOICES,
    CLIPS,
    DATA,
    KEPT_FOR_TEST,
    PLAIN,
    ROOT,
    SEED,
    SETS,
    SPLIT,
    TEST,
    VALIDATION,
    Condition,
    Measurement,
    Split,
    add_errors,
    way_of,
    way_of_plain,
    way_of_selector,
    ways_of_sets,
)

BUILT = ROOT / "build/routers/switching"
PICTURE = ROOT / "docs/routers_switching.webp"
STEADY = (("babble",), ("music",), ("sidespeaker",), ("natural",))
CHANGING = (
    ("babble", "music"),
    ("music", "babble"),
    ("babble", "music", "babble"),
)
LEVELS_DB = (-10.0, -5.0)
STEPS = 150  # of a training
UNIFORM = "all sets alike"
SELECTED, BEST = "the selector's choice", "best single set"
GATES = "gates"


@dataclass(frozen=True)
class Attempt:
    """A way to train gates.

    Attributes:
        told: What is particular about it, in words.
        changes: Fields of `GateConfig` that differ.
        rate: Step size of AdamW.
    """

    told: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    rate: float = 1e-3


ATTEMPTS: dict[str, Attempt] = {
    "each layer": Attempt("a gate at each layer, all sets weighed, learnt from transcripts alone"),
    "each layer, labels": Attempt(
        "the same, and encoder's gates learn the noise of each frame too", {"labels": 0.3}
    ),
    "one gate a block": Attempt(
        "layers of a block share a gate, which learns the noise of each frame too",
        {"labels": 0.3, "bank": {"granularity": "token_in_block"}},
    ),
    "two sets a token": Attempt(
        "of the sets two are weighed, as MeteoRA has it, by gates that begin at random",
        {"labels": 1.0, "bank": {"rule": "top_k_softmax", "k": 2, "router_start": "uniform"}},
    ),
}


def lay_out() -> list[Condition]:
    """Return the conditions of a test, by level: noise that changes once, steady, and twice."""
    kinds = (*CHANGING[:2], *STEADY, *CHANGING[2:])
    return [Condition(kind, level) for level in LEVELS_DB for kind in kinds]


def config_of(name: str) -> GateConfig:
    """Return how the gates of an attempt are trained."""
    attempt = ATTEMPTS[name]
    data = DataOptions(str(CLIPS), str(SPLIT))
    noise = NoiseOptions(
        folder=str(DATA / "noise"),
        rooms=str(DATA / "rir"),
        leave_out=KEPT_FOR_TEST,
        snr_low_db=-12,
        snr_high_db=2,
        clean=0.05,
    )
    loop = LoopOptions(
        steps=STEPS,
        batch=8,
        learning_rate=attempt.rate,
        warmup=10,
        checkpoint_every=10,
        measure_every=STEPS,
        seed=SEED,
    )
    config = GateConfig(data=data, every=4, noise=noise, changing=0.6, loop=loop)
    return replace(config, **attempt.changes)


def train_gates(name: str) -> None:
    """Train the gates of an attempt, or go on with it."""
    folder = BUILT / plain(name)
    if (folder / GATES / CARD).is_file():
        return
    config = config_of(name)

    def tell(done: float, whole: float | None) -> None:
        print(f"{name}: step {done:.0f} of {whole or 0:.0f}", flush=True)

    train(GateTraining(config), config.loop, folder, tell, device="cpu", settings=asdict(config))


def gates_of(recogniser: SetRecogniser, name: str) -> GatedSets:
    """Put the gates of an attempt beside the sets; those of `UNIFORM` weigh all alike."""
    changes = {} if name == UNIFORM else config_of(name).bank
    gated = GatedSets(recogniser, SETS, changes, plain(name))
    if name != UNIFORM:
        gated.load(BUILT / plain(name) / GATES)
    return gated


def measure_sets() -> None:
    """Measure what needs no training on the test clips, the frozen model last."""
    recogniser = load()
    ways = ways_of_sets(recogniser) | {
        UNIFORM: way_of(recogniser, gates_of(recogniser, UNIFORM).name)
    }
    heard = Measurement(Split(TEST), BUILT / TEST)
    heard.fill(lay_out(), ways)
    heard.fill(lay_out(), {PLAIN: way_of_plain(recogniser)})


def validate() -> None:
    """Measure all attempts on validation clips, beside the selector's choice and all sets alike."""
    recogniser = load()
    ways = {SELECTED: way_of_selector(recogniser)}
    for name in (UNIFORM, *ATTEMPTS):
        ways[name] = way_of(recogniser, gates_of(recogniser, name).name)
    Measurement(Split(VALIDATION), BUILT / VALIDATION).fill(lay_out(), ways)


def measure_gates(name: str) -> None:
    """Measure the gates of an attempt on the test clips."""
    recogniser = load()
    ways = {name: way_of(recogniser, gates_of(recogniser, name).name)}
    Measurement(Split(TEST), BUILT / TEST).fill(lay_out(), ways)


def score_attempts() -> dict[str, float]:
    """Return word error rates on validation clips over all conditions, percent, by way."""
    ways = (SELECTED, UNIFORM, *ATTEMPTS)
    found = read_heard(VALIDATION, ways)
    return {name: found.errors(name, lay_out()).rate for name in ways}


def draw_along(name: str) -> None:
    """Draw which sets the gates of an attempt weigh along the first test clip, as noise changes."""
    recogniser = load()
    gated = gates_of(recogniser, name)
    condition = Condition(CHANGING[0], LEVELS_DB[-1])
    utterance = Split(TEST).utter(0, condition)
    with gated.bank.route() as trace:
        recogniser.with_set([utterance], gated.name)
    sites = [site for site in gated.bank.sites if ".encoder." in site]
    frames = len(utterance.waveform) // SAMPLES_PER_STATE
    half_s = frames * SAMPLES_PER_STATE / RATE_HZ / 2
    first, second = condition.categories
    draw_usage(
        weights_along(trace, 0, sites)[:frames],
        SETS,
        2 * half_s,
        torch.from_numpy(utterance.waveform),
        RATE_HZ,
        PICTURE,
        spans={first: (0, half_s), second: (half_s, 2 * half_s)},
    )


def load() -> SetRecogniser:
    """Load the frozen model with the shipped sets, for one core."""
    torch.set_num_threads(1)
    return load_recogniser("whisper-tiny.en", "grid", "cpu")


def choose_attempt(scores: Mapping[str, float]) -> str:
    """Return the attempt with the lowest word error rate on validation clips, see above."""
    return min(ATTEMPTS, key=lambda name: scores[name])


@dataclass(frozen=True)
class Heard:
    """The texts of a split, to score.

    Attributes:
        references: What was said, [clips].
        texts: What each way wrote, [clips], by way and condition.
    """

    references: Sequence[str]
    texts: Mapping[str, Mapping[str, Sequence[str]]]

    def errors(self, way: str, conditions: Sequence[Condition]) -> WordErrors:
        """Add up the word errors of each clip over conditions.

        Args:
            way: One of the texts', or `SELECTED` or `BEST`.
            conditions: One or more.

        Raises:
            FileNotFoundError: The way was not measured in one of them.
        """
        return add_errors(self.references, [self._texts(way, one) for one in conditions])

    def _texts(self, way: str, condition: Condition) -> Sequence[str]:
        if way == SELECTED and CHOICES in self.texts:
            chosen = self._texts(CHOICES, condition)
            return [self._texts(name, condition)[clip] for clip, name in enumerate(chosen)]
        if way == BEST:
            found = {name: self._texts(name, condition) for name in SETS}
            return found[min(SETS, key=lambda name: self._count(found[name]).rate)]
        texts = self.texts.get(way, {}).get(condition.name)
        if texts is None:
            raise FileNotFoundError(
                f"{way!r} is not measured in {condition.name}; run `python -m "
                "tools.routers_switching` first."
            )
        return texts

    def _count(self, texts: Sequence[str]) -> WordErrors:
        return count_errors(self.references, texts, find_normaliser("grid"))


def read_heard(split: str, ways: Sequence[str]) -> Heard:
    """Read what was measured of a split."""
    clips = Split(split)
    measured = Measurement(clips, BUILT / split)
    references = [clip.text or "" for clip in clips.clips]
    return Heard(references, {way: measured.texts(way) for way in ways})


def tell_switching() -> list[str]:
    """Return the paragraphs on gates for each token over the sets for noise."""
    tried = score_attempts()
    chosen = choose_attempt(tried)
    heard = read_heard(TEST, [PLAIN, CHOICES, *SETS, UNIFORM, chosen])
    return write_switching(heard, tried, chosen)


def write_switching(heard: Heard, tried: Mapping[str, float], chosen: str) -> list[str]:
    """Return tables, and what was aimed at.

    Args:
        heard: What each way of recognising wrote for the test clips.
        tried: Word error rates on validation clips, see `score_attempts`.
        chosen: Which attempt the test was taken with.
    """
    steady, changing = parts_of_test()
    rows = {
        PLAIN: PLAIN,
        SELECTED: SELECTED,
        f"{BEST}, known afterwards": BEST,
        UNIFORM: UNIFORM,
        f"gates for each token, {chosen}": chosen,
    }
    groups = {
        f"{kind}, {level:g} dB": [one for one in of if one.snr_db == level]
        for kind, of in (("steady", steady), ("changing", changing))
        for level in LEVELS_DB
    }
    lines = [
        [name, *(tell_rate(rate_interval(heard.errors(way, of), SEED)) for of in groups.values())]
        for name, way in rows.items()
    ]
    picture = (
        "How far each set is weighed in the encoder, mean over its layers, along a test clip in "
        "babble and then music"
    )
    return [
        to_table(["word error rate, % [95 %]", *groups], lines),
        f"![{picture}]({PICTURE.name})",
        describe_test(heard),
        "\n".join(tell_aims(heard, chosen)),
        to_table(
            ["on validation clips", "word error rate, %"],
            [[tell_attempt(name), f"{rate:.1f}"] for name, rate in tried.items()],
        ),
    ]


def parts_of_test() -> tuple[list[Condition], list[Condition]]:
    """Return the conditions whose noise is steady, and those where it changes."""
    steady = [one for one in lay_out() if len(one.categories) == 1]
    return steady, [one for one in lay_out() if len(one.categories) > 1]


def tell_rate(rate: Interval, decimals: int = 1) -> str:
    """Write an estimate with its interval."""
    return f"{rate.value:.{decimals}f} [{rate.low:.{decimals}f}, {rate.high:.{decimals}f}]"


def tell_attempt(name: str) -> str:
    """Name an attempt and say what is particular about it."""
    return f"{name}: {ATTEMPTS[name].told}" if name in ATTEMPTS else name


def tell_aims(heard: Heard, chosen: str) -> list[str]:
    """Say how far the gates are from what was aimed at, and from what is simpler."""
    steady, changing = parts_of_test()
    lines = []
    for other in (SELECTED, UNIFORM):
        own, others = (heard.errors(way, steady) for way in (chosen, other))
        more = difference_interval(own, others, SEED)
        own, others = (heard.errors(way, changing) for way in (chosen, other))
        ratio = ratio_interval([own], [others], SEED)
        aims = (" (aim: at most 0.5)", " (aim: at most 0.80)") if other == SELECTED else ("", "")
        lines.append(
            f"* Against {other}: on steady noise {tell_rate(more, 2)} points of word error rate "
            f"more{aims[0]}; where noise changes {tell_rate(ratio, 2)} times the errors{aims[1]}."
        )
    return lines


def describe_test(heard: Heard) -> str:
    """Say what was measured."""
    steady, changing = parts_of_test()
    single = ", ".join(dict.fromkeys(one.categories[0] for one in steady))
    kinds = "; ".join(dict.fromkeys(", ".join(one.categories) for one in changing))
    return (
        f"{len(heard.references)} test clips of GRID's talker 1 with their lips, frozen Whisper "
        f"tiny.en; steady noise is {single}, and noise that changes is, in equal parts of one "
        f"level, {kinds}. Recordings and voices are ones that no training heard. Each set has "
        "its own fusion with the lips; gates weigh these too, frame by frame. Where lips and "
        "sound do not belong together the set that hears only takes over, on all sides. "
        "Intervals are bootstraps over clips."
    )


def main() -> None:
    """Train, choose and measure; what is there already is not done again."""
    parser = argparse.ArgumentParser(prog="python -m tools.routers_switching", description=__doc__)
    parser.parse_args()
    try:
        for name in ATTEMPTS:
            train_gates(name)
        validate()
        measure_sets()
        chosen = choose_attempt(score_attempts())
        measure_gates(chosen)
        draw_along(chosen)
        print("\n\n".join(tell_switching()))
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
