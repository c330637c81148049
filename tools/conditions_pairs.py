"""UniCon: one adapter paints a digit of its sound, a sound of its digit, and both together.

`python -m tools.conditions_pairs [--seeds N]` trains what is not there yet, and keeps it under
build/conditions/pairs. The base paints written and spoken digits, each alone and by words
(`tools.conditions_both`); a sound is a log-mel as a picture (`tools.conditions_sounds`). Here it is
told the kind of each side, and nobody tells the digit. Beside two times that are drawn apart stand
one time for both, and two adapters that go one way each.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Generator, Tensor

from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection, inject
from fusion.conditions.joint_pair import JointOptions, JointPair
from modalities.diffusion.measure.contract import Levels, TimeSampler
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.times import IndependentPair, LevelSampler
from modalities.diffusion.measure.weights import MinSnr
from modalities.diffusion.sampling import draw_noise
from modalities.diffusion.schedule import path_of
from modalities.tensor_file import read_tensors, write_tensors
from tasks.reports import to_table
from tools.conditions_bases import Base, build_solver, paint
from tools.conditions_both import SPOKEN, WRITTEN, add_kind, load_both, tell_kind
from tools.conditions_judges import load_judge
from tools.conditions_pictures import SIDE, draw_digits
from tools.conditions_sounds import draw_sounds
from tools.conditions_training import (
    FOLDER,
    Lesson,
    begin_study,
    draw_sheet,
    learn,
    missed,
    read_study,
    run_study,
    show_sheet,
    tell_spread,
    values_of,
)
from tools.digit_lessons import plain, seeded
from tools.digit_tables import count_seeds

NAME = "pairs"
SEEDS = 1
OPTIONS = JointOptions(rank=32, alpha=32.0)
LESSON = Lesson(steps=5000, rate=2e-3, warmup=50, batch=32)
DRAWN, TESTED, SHOWN, STEPS = 4000, 100, 9, 12
GUIDANCES = (1.0, 2.0, 4.0, 6.0)
NAME_OF = "partner"
REAL, TOLD, APART, TIED, FORWARD, BACKWARD = (
    "real pictures and sounds",
    "the base told the digit in words",
    "two times, drawn apart",
    "one time for both",
    "sound to picture alone",
    "picture to sound alone",
)


CHANCE, AIMED = 10.0, 3  # percent, and how often chance is to be surpassed


class Clean(LevelSampler):
    """Draws no noise at all."""

    def quantile(self, shares: Tensor) -> Tensor:
        """Return zeros, see `LevelSampler`."""
        return torch.zeros_like(shares)


@dataclass(frozen=True)
class Tied:
    """Draws one level for both halves of a batch of pairs."""

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, see `modalities.diffusion.measure.contract.TimeSampler`."""
        return Levels(torch.rand(rows // 2, generator=generator).repeat(2))


TIMES: dict[str, TimeSampler] = {
    APART: IndependentPair(),
    TIED: Tied(),
    FORWARD: IndependentPair(second=Clean()),
    BACKWARD: IndependentPair(first=Clean()),
}
WITHOUT = (REAL, TOLD)
METHODS = (*WITHOUT, *TIMES)
SETTINGS = {**asdict(LESSON), **asdict(OPTIONS), "pairs": TESTED, "sampling": STEPS}


@dataclass(frozen=True, eq=False)
class Pair:
    """A base with the adapter on it.

    Attributes:
        base: Frozen.
        injector: Runs sounds beside pictures.
        injection: Puts it there.
    """

    base: Base
    injector: JointPair
    injection: Injection

    def look(
        self, pictures: Tensor, times: Tensor, sounds: Tensor, others: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tell the velocities of pictures and of sounds, each as they are shaped.

        Args:
            pictures: Latents, [rows, channels, height, width].
            times: How noisy they are, [rows].
            sounds: Latents of the same shape.
            others: How noisy these are, [rows].
        """
        written, spoken = (tell_kind(len(pictures), kind) for kind in (WRITTEN, SPOKEN))
        partner = Condition(NAME_OF, "latent", sounds, times=others, step_independent=False)
        with self.injection.tell(partner, Condition(NAME_OF, "tokens", self.base.tokens(spoken))):
            told = self.base(pictures, times, written)
        assert self.injector.told_of_partner is not None
        return told, self.injector.told_of_partner

    def __call__(self, noisy: Tensor, times: Tensor, cond: Any, /, *other: Tensor) -> Tensor:
        """Tell the velocities of a batch that has all pictures before all sounds."""
        (pictures, sounds), (own, others) = noisy.chunk(2), times.chunk(2)
        return torch.cat(self.look(pictures, own, sounds, others))


def build_pair(seed: int) -> Pair:
    """Put a fresh adapter on the base of both."""
    base = load_both()
    injector = seeded(seed, lambda: JointPair(base.unet, OPTIONS))
    return Pair(base, injector, inject(base.denoiser, {NAME_OF: injector}))


def train_pair(pair: Pair, method: str, seed: int, lesson: Lesson = LESSON) -> float:
    """Train the adapter on pictures and sounds of the same digits; return the seconds.

    Args:
        pair: With a fresh adapter.
        method: A name of TIMES.
        seed: Fixes all that is drawn.
        lesson: How long and how fast.
    """
    path = path_of(pair.base.denoiser.noise)
    sides = [draw("train", DRAWN, 100 + seed) for draw in (draw_digits, draw_sounds)]
    latents = [pair.base.encode(side.values) for side in sides]
    of_digit = [[(s.words[:, 0] == n).nonzero()[:, 0] for n in range(10)] for s in sides]

    def losses(generator: Generator) -> dict[str, Tensor]:
        digits = torch.randint(10, (lesson.batch,), generator=generator).tolist()
        some = [
            torch.stack(
                [rows[n][torch.randint(len(rows[n]), (), generator=generator)] for n in digits]
            )
            for rows in of_digit
        ]
        both = torch.cat([side[rows] for side, rows in zip(latents, some, strict=True)])
        return loss(pair, both, path, time=TIMES[method], weight=MinSnr(5.0), generator=generator)

    found = learn([pair.injector], losses, lesson, seed)
    pair.injector.eval()
    return found.seconds


@torch.no_grad()
def paint_pair(
    pair: Pair,
    rows: int,
    seed: int,
    picture: Tensor | None = None,
    sound: Tensor | None = None,
    guidance: float = 1.0,
    noisy: bool = False,
) -> tuple[Tensor, Tensor]:
    """Paint what is not known of pairs.

    Args:
        pair: Trained.
        rows: How many.
        seed: Fixes the noise of each row.
        picture: Latents of known pictures; None for those that are to be painted.
        sound: Latents of known sounds; None for those that are to be painted.
        guidance: How far to go from what is painted beside nothing but noise to what is painted
            beside the known side; 1 takes the latter.
        noisy: Whether the known side is made as noisy as the other one.

    Returns:
        Pictures and sounds, -1 to 1, [rows, 1, height, width].
    """
    known = [picture, sound]
    shape = pair.base.denoiser.codec.shape(SIDE, SIDE)
    noise = [draw_noise(range(s, s + rows), shape) for s in (seed, seed + 500_000)]
    now = [n if one is None else one for one, n in zip(known, noise, strict=True)]
    solvers = [build_solver(pair.base, STEPS) for _ in known]
    last = pair.base.options.times - 1
    for time in solvers[0].timesteps:
        times = [torch.full((rows,), int(time)) for _ in known]
        shown = list(now)
        for side, one in enumerate(known):
            if one is not None and noisy:
                shown[side] = pair.base.denoiser.noise.add(one, noise[side], times[side])
            elif one is not None:
                times[side] = torch.zeros(rows, dtype=torch.long)
        told = pair.look(shown[0], times[0], shown[1], times[1])
        if guidance != 1 and any(one is not None for one in known):
            for side, one in enumerate(known):
                if one is not None:
                    shown[side], times[side] = noise[side], torch.full((rows,), last)
            without = pair.look(shown[0], times[0], shown[1], times[1])
            told = tuple(w + guidance * (t - w) for t, w in zip(told, without, strict=True))
        for side, one in enumerate(known):
            if one is None:
                now[side] = solvers[side].step(told[side], time, now[side], return_dict=False)[0]
    first, second = (pair.base.decode(one) for one in now)
    return first, second


def measure_pair(
    pair: Pair, part: str, count: int, seed: int, guidance: float, noisy: bool = False
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Paint both ways and together, and judge: percent of what is right.

    Returns:
        "picture" of sounds, "sound" of pictures, "joint", pairs painted of nothing whose two
        judges agree; and what was painted.
    """
    digits, sounds = draw_digits(part, count, 200 + seed), draw_sounds(part, count, 200 + seed)
    judges = load_judge("digits"), load_judge("sounds")
    options: dict[str, Any] = {"guidance": guidance, "noisy": noisy}
    heard = pair.base.encode(sounds.values)
    picture, _ = paint_pair(pair, count, 1000 * seed, sound=heard, **options)
    seen = pair.base.encode(digits.values)
    _, sound = paint_pair(pair, count, 1000 * seed, picture=seen, **options)
    both = paint_pair(pair, count, 1000 * seed)
    named = [judge.name(values) for judge, values in zip(judges, both, strict=True)]
    found = {
        "picture": judges[0].score(picture, sounds.words)[0],
        "sound": judges[1].score(sound, digits.words)[0],
        "joint": float(100 * (named[0] == named[1]).double().mean()),
    }
    shown = {"heard": sounds.values, "picture": picture, "seen": digits.values, "sound": sound}
    return found, {**shown, "both pictures": both[0], "both sounds": both[1]}


def measure_without(method: str, seed: int) -> dict[str, Any]:
    """Judge real pictures and sounds, or what the base paints of words, without an adapter."""
    found, base = {}, load_both()
    sides = {
        "picture": ("digits", draw_digits, WRITTEN),
        "sound": ("sounds", draw_sounds, SPOKEN),
    }
    for name, (judge, draw_some, kind) in sides.items():
        real = draw_some("test", TESTED, 200 + seed)
        values = real.values
        if method == TOLD:
            values = paint(base, add_kind(real.words, kind), 1000 * seed, steps=STEPS)
        found[name] = load_judge(judge).score(values, real.words)[0]
    return {"weights": 0, "seconds": 0.0, "test": found}


def run_method(method: str, seed: int, lesson: Lesson = LESSON) -> dict[str, Any]:
    """Train an adapter, choose its guidance on the validation, and measure it on the test."""
    if method in WITHOUT:
        return measure_without(method, seed)
    pair = build_pair(seed)
    seconds = train_pair(pair, method, seed, lesson)
    found: dict[str, Any] = {"weights": pair.injection.count().trained, "seconds": seconds}

    def chosen_by(guidance: float) -> float:
        scores = measure_pair(pair, "validation", TESTED // 2, seed, guidance)[0]
        found.setdefault("validation", {})[str(guidance)] = scores
        return scores["picture"] + scores["sound"]

    found["guidance"] = max(GUIDANCES, key=chosen_by)
    found["test"], painted = measure_pair(pair, "test", TESTED, seed, found["guidance"])
    if method == TIED:
        noisy = measure_pair(pair, "test", TESTED, seed, 1.0, True)[0]
        found["as noisy"] = noisy
    if not seed:
        place = FOLDER / NAME / f"{plain(method)}.safetensors"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(place, {name: values[:SHOWN] for name, values in painted.items()})
    return found


def draw() -> None:
    """Draw the contact sheet."""
    kept = read_tensors(FOLDER / NAME / f"{plain(APART)}.safetensors", "", "")
    lines = {
        "sounds that were heard": kept["heard"],
        "pictures painted of them": kept["picture"],
        "pictures that were seen": kept["seen"],
        "sounds painted of them": kept["sound"],
        "painted together": kept["both pictures"],
        "their sounds": kept["both sounds"],
    }
    draw_sheet(lines, FOLDER / f"{NAME}.png", SHOWN)


def tell_pairs() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    rows = []
    for method, seeds in found.items():
        row = [method, f"{seeds[0]['weights']:,}" if method not in WITHOUT else ""]
        for key, skip in (("picture", BACKWARD), ("sound", FORWARD), ("joint", None)):
            told = method != skip and key in seeds[0]["test"]
            told = told and not (key == "joint" and method in (FORWARD, BACKWARD))
            row.append(tell_spread(values_of(seeds, "test", key)) if told else "")
        rows.append([*row, f"{seeds[0]['guidance']:g}" if method not in WITHOUT else ""])
    keys = ("picture", "sound", "joint")
    cells = [tell_spread(values_of(found[TIED], "as noisy", key)) for key in keys]
    rows.append([f"{TIED}; the known side made as noisy", "", *cells, "1"])
    head = ["trained with", "weights", "picture of a sound", "sound of a picture", "both agree"]
    return [
        "A frozen base paints written digits and spoken ones, log-mels of 16 x 16, each alone and "
        "by words. An adapter lets it paint a digit beside its spoken form: in "
        f"{settings['steps']:,} steps of {settings['batch']} pairs it is told the kind of "
        f"each side, and the digit never ({count_seeds([len(found[APART])])}, "
        f"{settings['pairs']} of each, recordings and writers that nothing was trained on). "
        "The table tells how many painted pictures and sounds are of the digit that was heard or "
        "seen, by a judge each, and how many pairs that were painted of noise alone are of one "
        f"digit, percent; chance is {CHANCE:g}. Guidance was chosen on the validation. "
        "`make conditions-pairs` does it.",
        to_table([*head, "guidance"], rows),
        "\n".join(_aims(found)),
        show_sheet(NAME, "Pictures of sounds, sounds of pictures, and both painted together"),
    ]


def _aims(found: Mapping[str, list[Any]]) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    of = {
        (method, key): fmean(values_of(seeds, "test", key))
        for method, seeds in found.items()
        for key in ("picture", "sound", "joint")
        if key in seeds[0]["test"]
    }
    one_way = [
        f"{of[method, key]:.0f} % of {key}s"
        for method, key in ((FORWARD, "picture"), (BACKWARD, "sound"))
        if method in found
    ]
    alone = f"; adapters of one way each reach {' and '.join(one_way)}" if one_way else ""
    least, aim = min(of[APART, "picture"], of[APART, "sound"]), AIMED * CHANCE
    tied = of[TIED, "picture"] + of[TIED, "sound"]
    apart = of[APART, "picture"] + of[APART, "sound"]
    return [
        f"* Both ways by one adapter above {aim:g} %, three times chance: "
        f"{of[APART, 'picture']:.0f} % of pictures and {of[APART, 'sound']:.0f} % of sounds"
        f"{missed(least > aim)}{alone}.",
        f"* Two times are needed: with one time for both, {of[TIED, 'picture']:.0f} % and "
        f"{of[TIED, 'sound']:.0f} % beside a clean side{missed(least > aim and apart > tied)}.",
        f"* Painted together, {of[APART, 'joint']:.0f} % of pairs are of one digit, with one time "
        f"for both {of[TIED, 'joint']:.0f} %.",
    ]


def main() -> None:
    """Run the study."""
    seeds = begin_study("pairs", __doc__, SEEDS)
    run_study(NAME, METHODS, seeds, run_method, SETTINGS)
    draw()


if __name__ == "__main__":
    main()
