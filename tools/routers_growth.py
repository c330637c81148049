"""A stream of noise scenarios A B A C B D: does a bank grow at the new ones, and forget nothing?

`python -m tools.routers_growth [STREAM ...]` trains and measures what is not there yet under
build/routers/growth.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from fusion.routing.bank import Bank
from fusion.routing.presets import attach_preset
from fusion.sets.bank_growth import GrowingBank, mean_pull, weights_of
from fusion.sets.descriptors import averages_of, judge
from fusion.sets.growth import MeanPull
from tasks.reports import to_table
from tools.digit_lessons import (
    MEASURED,
    DigitLesson,
    Losses,
    Way,
    digit_loss,
    loop_options,
    measured_once,
    seeded,
    teach,
)
from tools.noisy_digits import BUILT, Clips, DigitEar, NoisyDigits, Route, measure_errors

FOLDER = BUILT / "growth"
ORDER = "ABACBD"
NEW = tuple(place for place, letter in enumerate(ORDER) if letter not in ORDER[:place])
# A B C D of each stream; natural noise is wide, and holds much of white noise.
STREAMS: dict[str, tuple[str, str, str, str]] = {
    "noises": ("natural", "white", "music", "babble"),
    "channels": ("hum", "low-pass", "reverberation", "beeps"),
    "unseen": ("siren", "gaps", "crackle", "wavering"),
}
CLIPS = 200  # that come with a scenario when it appears, others when it comes back
DECIDED = 32  # clips that a decision is taken on, in the stream and in use
FALSE_ALARMS = 0.01
LEARN = Way(100, 1e-3)
GOAL = 0.3  # points of error that an old scenario may lose


@dataclass(frozen=True)
class Plan:
    """What is done with a stream.

    Attributes:
        grows: When a set is added: "new" where nothing known fits, "always", or "never".
        method: Whose bank it is, a preset's name: "mos" takes the set that clips are nearest to,
            "sema" weighs all by a softmax whose columns grow.
        share: How far each step goes to the mean of the other sets.
        by_clip: Whether in use each clip is looked at by itself, and takes the set whose clips it
            is most likely one of; else `DECIDED` clips are decided on together.
    """

    grows: str = "new"
    method: str = "mos"
    share: float = 0.0
    by_clip: bool = False


PLANS = {
    "grows, the nearest set": Plan(),
    "grows, each clip by itself": Plan(by_clip=True),
    "one set, trained in turn": Plan("never"),
    "a set each time": Plan("always"),
    "grows, softmax over sets (SEMA)": Plan(method="sema"),
    "grows, pulled to the mean (MOS)": Plan(share=0.1),
}
KEYS = dict(zip(PLANS, ("grown", "clip", "turn", "each", "softmax", "pulled"), strict=True))


class Stream:
    """One stream, and a bank that meets it.

    Args:
        data: Digits in scenarios.
        name: Which stream, a name of `STREAMS`.
        plan: What is done with it.
    """

    def __init__(self, data: NoisyDigits, name: str, plan: Plan):
        self.data, self.name, self.plan = data, name, plan
        self.seed = list(STREAMS).index(name)
        self.ear = data.build_ear()
        bank = seeded(self.seed, lambda: attach_preset(self.ear, plan.method))
        self.growing = GrowingBank(bank)
        self.met: list[str] = []  # the set of each step

    @property
    def bank(self) -> Bank:
        """The bank that grows."""
        return self.growing.bank

    def meet(self, step: int) -> None:
        """Meet the scenario of a step: decide, and learn where the plan says so."""
        letter = ORDER[step]
        clips = self._clips(letter, ORDER[:step].count(letter))
        known = self._known(clips) if self.growing.descriptors else ""
        if (known and self.plan.grows == "new") or (self.plan.grows == "never" and step):
            self.met.append(known or self.met[0])
        else:
            self.met.append(f"{letter}{step + 1}")
            seeded(self.seed + 10 * step, partial(self.growing.grow, self.met[-1]))
        if self.met[-1] not in self.growing.descriptors or self.plan.grows == "never":
            self._learn(step, clips)

    def _clips(self, letter: str, visit: int) -> Clips:
        """Load what comes with a scenario, other recordings at each visit."""
        visits = max(ORDER.count(letter) for letter in ORDER)
        clips = self.data.load([self._scenario(letter)], "train", visits * CLIPS)
        return clips.take(range(visit * CLIPS, (visit + 1) * CLIPS))

    def _scenario(self, letter: str) -> str:
        return STREAMS[self.name]["ABCD".index(letter)]

    def _known(self, clips: Clips) -> str:
        """Name the set that the first clips fit; "" where nothing known fits."""
        found = self.growing.judge(describe(clips)[:DECIDED].mean(0, keepdim=True))
        return found.nearest if found.known else ""

    def _learn(self, step: int, clips: Clips) -> None:
        plan, bank, name = self.plan, self.bank, self.met[-1]
        bank.hold(bank.options.experts - 1)
        pull = mean_pull(bank, plan.share) if plan.share and bank.options.held else None
        losses = digit_loss(self._training_route(name))
        lesson = DigitLesson(self.ear, clips, None, [name], _pulled(losses, pull))
        # A set that is alone in use learns the same whatever else there is.
        alone = plan.method == "mos" and plan.grows != "never" and not plan.share
        place = "alone" if alone else f"{plan.method}_{plan.grows}_{plan.share:g}"
        folder = FOLDER / self.name / place / f"step_{step + 1}"
        teach(lesson, loop_options(LEARN, self.seed), folder)
        if pull:
            pull.step()
        self._describe(ORDER[step], clips)

    def _describe(self, letter: str, clips: Clips) -> None:
        """Keep what the set was trained on; the threshold is by a speaker held out."""
        held_out = self.data.load([self._scenario(letter)], "validation")
        generator = torch.Generator().manual_seed(self.seed)
        rows = averages_of(describe(held_out), DECIDED, generator=generator)
        self.growing.learn(
            describe(clips), rows, clips=1, false_alarms=FALSE_ALARMS, generator=generator
        )

    def _training_route(self, name: str) -> Route:
        def route(batch: Clips) -> AbstractContextManager[Any]:
            given = self.plan.method == "mos"
            weights = weights_of(self.bank, [name] * len(batch)) if given else None
            return self.bank.route(weights=weights)

        return route

    def route(self, batch: Clips) -> AbstractContextManager[Any]:
        """Let clips in use take the set that they are nearest to, or the router weigh all."""
        if self.plan.method != "mos":
            return self.bank.route()
        return self.bank.route(weights=weights_of(self.bank, self.nearest(batch)))

    def nearest(self, batch: Clips) -> list[str]:
        """Name the set of each clip, as the plan has it."""
        if self.plan.by_clip:
            known: dict[str, Any] = dict(self.growing.descriptors)
            likely = torch.stack([one.log_density(describe(batch)) for one in known.values()])
            return [list(known)[place] for place in likely.argmax(0).tolist()]
        names: list[str] = []
        for features in describe(batch).split(DECIDED):
            row = features.mean(0, keepdim=True)
            found = judge(self.growing.descriptors, row, self.growing.thresholds)
            names += [found.nearest] * len(features)
        return names

    def errors(self, letters: Sequence[str]) -> dict[str, float]:
        """Return the digit errors of scenarios on the test speaker, percent."""
        scenarios = [self._scenario(letter) for letter in letters]
        found: dict[str, float] = {}
        for one in scenarios:  # by themselves, so that a decision is on clips of one scenario
            found |= measure_errors(self.ear, self.data.load([one], "test"), [one], self.route)
        return found


def describe(clips: Clips) -> Tensor:
    """Return the mean over time of what the frozen layers made of clips, [clips, dim]."""
    return clips.states.float().mean(1)


def _pulled(losses: Losses, pull: MeanPull | None) -> Losses:
    """Pull before each step, which is after the one before."""

    def with_pull(ear: DigitEar, batch: Clips) -> Mapping[str, Tensor]:
        if pull:
            pull.step()
        return losses(ear, batch)

    return with_pull


def run_plan(data: NoisyDigits, name: str, plan: Plan) -> dict[str, Any]:
    """Send a stream past a bank.

    Returns:
        "met", the set of each step; "sets", how many there are in the end; "then", the errors of
        each scenario when it was first met; "end", after the stream. Percent, on a speaker that
        is heard nowhere else.
    """
    stream, then = Stream(data, name, plan), {}
    for step, letter in enumerate(ORDER):
        stream.meet(step)
        if step in NEW:
            then |= stream.errors(letter)
    end = stream.errors("ABCD")
    return {"met": stream.met, "sets": stream.bank.options.experts, "then": then, "end": end}


def run_frozen(data: NoisyDigits, name: str) -> dict[str, float]:
    """Return the digit errors of a stream's scenarios without any set, percent."""
    ear = data.build_ear()
    return measure_errors(ear, data.load(STREAMS[name], "test"), STREAMS[name])


def place_of(name: str, key: str) -> Path:
    """Return the file that keeps what was measured of a stream."""
    return FOLDER / name / key / MEASURED


def run(names: Sequence[str], data: NoisyDigits | None = None) -> None:
    """Run what is not there yet: each plan in all streams before the next plan."""
    data = data or NoisyDigits()
    for name in names:
        measured_once(place_of(name, "frozen"), partial(run_frozen, data, name))
    for told, plan in PLANS.items():
        for name in names:
            found = measured_once(place_of(name, KEYS[told]), partial(run_plan, data, name, plan))
            print(f"{name}, {told}: {' '.join(found['met'])}, {_forgotten(found):+.1f}", flush=True)


def tell_growth() -> list[str]:
    """Return the paragraphs on growth in a stream.

    Plans that have not met all streams are named at the end.

    Raises:
        FileNotFoundError: The first plan has not met all streams.
    """
    read: Callable[[Path], Any] = partial(measured_once, measure=_missing)
    frozen = {name: read(place_of(name, "frozen")) for name in STREAMS}
    plans, missing = {}, []
    for told in PLANS:
        try:
            plans[told] = {name: read(place_of(name, KEYS[told])) for name in STREAMS}
        except FileNotFoundError:
            if not plans:
                raise
            missing.append(told)
    left = [f"Not measured yet: {', '.join(missing)}."] if missing else []
    return write_growth(frozen, plans) + left


def write_growth(
    frozen: Mapping[str, Mapping[str, float]],
    plans: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> list[str]:
    """Return the tables of plans and decisions, and what was found.

    Args:
        frozen: What `run_frozen` measured, by stream.
        plans: What `run_plan` measured, by plan and then stream.
    """
    lines = [["none, the frozen model", "0", fmean_of(frozen.values()), "", ""]]
    for told, streams in plans.items():
        found = list(streams.values())
        sets = ", ".join(str(one["sets"]) for one in found)
        then, end = (fmean_of(one[when] for one in found) for when in ("then", "end"))
        worst = max(_forgotten(one) for one in found)
        lines.append([told, sets, then, end, f"{worst:+.1f}"])
    grown = plans["grows, the nearest set"]
    decided = [
        [name, ", ".join(STREAMS[name]), " ".join(one["met"]), _verdict(one)]
        for name, one in grown.items()
    ]
    return [
        to_table(["stream", "A, B, C, D", "set of A B A C B D", "growth"], decided),
        to_table(
            ["plan", "sets in each stream", "errors when first met, %", "at the end, %",
             "most lost by a scenario"],
            lines,
        ),
        f"{len(frozen)} streams of 4 scenarios in 6 steps, {CLIPS} clips a step. A decision is "
        f"taken on the average of {DECIDED} clips, in the stream and, where not said otherwise, in "
        f"use; the threshold is where {FALSE_ALARMS:.0%} of such averages of a speaker's held-out "
        "clips would be called new. Errors are means over scenarios and streams, of a third "
        "speaker who is in no stream and no threshold.",
        f"* As found: {_conclude(grown)}.",
    ]  # fmt: skip


def fmean_of(errors: Any) -> str:
    """Write the mean of errors over scenarios and streams."""
    return f"{fmean(value for one in errors for value in one.values()):.1f}"


def _forgotten(found: Mapping[str, Any]) -> float:
    """Return the most points that a scenario has lost since it was first met."""
    return max(found["end"][name] - error for name, error in found["then"].items())


def _grown_at(found: Mapping[str, Any]) -> tuple[int, ...]:
    met = found["met"]
    return tuple(place for place, name in enumerate(met) if name not in met[:place])


def _verdict(found: Mapping[str, Any]) -> str:
    exact = _grown_at(found) == NEW and found["met"][2] == found["met"][0]
    return "exact" if exact and found["met"][4] == found["met"][1] else "not exact"


def _conclude(grown: Mapping[str, Mapping[str, Any]]) -> str:
    exact = sum(_verdict(one) == "exact" for one in grown.values())
    lost = max(_forgotten(one) for one in grown.values())
    held = "within" if lost <= GOAL else "not within"
    return (
        f"growth comes exactly at the new scenarios in {exact} of {len(grown)} streams; the most "
        f"that a scenario loses is {lost:.1f} points, {held} {GOAL}"
    )


def _missing() -> Any:
    raise FileNotFoundError(f"{FOLDER} does not hold all streams; run `make routers`.")


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(prog="python -m tools.routers_growth", description=__doc__)
    parser.add_argument("streams", nargs="*", metavar="STREAM", help=", ".join(STREAMS))
    names = parser.parse_args().streams
    if strange := set(names) - set(STREAMS):
        parser.error(f"no stream {min(strange)!r}; known: {', '.join(STREAMS)}")
    run(names or list(STREAMS))


if __name__ == "__main__":
    main()
