"""Att-Adapter: how loud and how high a digit is spoken says how thick and slanted it is painted.

`python -m tools.conditions_attributes [--seeds N]` trains what is not there yet, and keeps it in
build/conditions/attributes.json. Each of 300 pictures is paired with a recording of its digit, at a
level and of a pitch that go with its strokes; adapters learn from what is measured of the sounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection, inject
from modalities.audio.attribute_scale import Bounds
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.times import Cubic, LevelSampler
from modalities.diffusion.schedule import path_of
from tools.conditions_bases import Base, drop_words, load_base, paint
from tools.conditions_heard_digits import HELD, Told, bounds_of, pair, scale, spreads
from tools.conditions_judges import load_judge, measure_judge
from tools.conditions_pictures import DIGIT_ATTRIBUTES, draw_digits, measure_digits
from tools.conditions_training import (
    FOLDER,
    Learnt,
    Lesson,
    begin_study,
    draw_sheet,
    learn,
    run_study,
)
from tools.digit_lessons import measured_once, seeded

NAME = "attributes"
SEEDS = 3
AUTOENCODER, MLP = "autoencoder", "MLP"
PRESETS = {AUTOENCODER: "att_adapter", MLP: "att_adapter_mlp"}
# What the autoencoder's term counts, and how much an adapter counts when it paints: of each method
# what goes best with the sounds on the validation is chosen.
CHOICES = {AUTOENCODER: (1e-3, 1e-1), MLP: (0.0,)}
SCALES = (1.0, 1.5, 2.0)
TIME = Cubic()  # what a digit's strokes are like is settled where there is much noise
LESSON = Lesson(steps=2500, rate=1e-2, warmup=30, batch=32)
TAUGHT, TESTED, SWEPT = 300, 200, 40  # pictures
STEPS = 10  # of sampling
SWEEP = (0.0, 0.25, 0.5, 0.75, 1.0)
NAMES = ("loudness", "pitch")  # which say thickness and slant
TEACH, TEST = 100, 200  # seeds of what teaches and tests, counted up by the study's


def build(base: Base, way: str, seed: int) -> Injection:
    """Put a fresh adapter of attributes on a base."""
    changes = {"attributes": {"dim": len(NAMES), "hidden": 64, "cause": 8}}
    return inject(
        base.denoiser, seeded(seed, lambda: build_preset(base.unet, PRESETS[way], changes))
    )


def teach(
    base: Base,
    injection: Injection,
    told: Told,
    bounds: Sequence[Bounds],
    divergence: float,
    seed: int,
    lesson: Lesson = LESSON,
    time: LevelSampler = TIME,
) -> Learnt:
    """Train an adapter; of the autoencoder the hidden cause is read from the pictures.

    Args:
        base: Frozen.
        injection: The adapter on it.
        told: What it learns from.
        bounds: Those of loudness and pitch.
        divergence: What the autoencoder's term counts in the loss.
        seed: Fixes all that is drawn.
        lesson: How long and how fast.
        time: Draws levels of noise.
    """
    path = path_of(base.denoiser.noise)
    latents, shares = base.encode(told.values), scale(told.heard, bounds)
    adapter: Any = injection.injectors[NAME]
    causes = adapter.options.tokeniser == "autoencoder"

    def losses(generator: Generator) -> Mapping[str, Tensor]:
        some = torch.randint(len(latents), (lesson.batch,), generator=generator)
        conditions = [Condition(NAME, "vector", shares[some])]
        if causes:
            conditions.append(Condition(NAME, "latent", latents[some]))
        words = drop_words(told.words[some], generator)
        with injection.tell(*conditions):
            found = loss(base, latents[some], path, cond=words, generator=generator, time=time)
        if causes:
            found = {**found, "loss": found["loss"] + divergence * adapter.divergence.mean()}
        return found

    return learn(injection.injectors.values(), losses, lesson, seed)


@dataclass(frozen=True)
class Painter:
    """A base with an adapter that is trained.

    Attributes:
        base: Frozen.
        injection: The adapter on it, in evaluation mode.
        bounds: Those of loudness and pitch in its training.
        learnt: What the training tells of itself.
    """

    base: Base
    injection: Injection
    bounds: tuple[Bounds, Bounds]
    learnt: Learnt

    def paint(self, words: Tensor, shares: Tensor, seed: int, strength: float) -> Tensor:
        """Paint digits of attributes, -1 to 1, [rows, 1, height, width].

        Args:
            words: Which digits, [rows, 1].
            shares: Loudness and pitch, 0 to 1, [rows, 2].
            seed: Fixes the noise.
            strength: What the adapter counts, 1 as it was trained.
        """
        told = Condition(NAME, "vector", shares, scale=strength)
        return paint(self.base, words, seed, self.injection, [told], steps=STEPS)


def train(way: str, divergence: float, seed: int) -> Painter:
    """Train an adapter."""
    base = load_base("digits")
    told = pair("train", TAUGHT, TEACH + seed, hold=True)
    bounds = bounds_of(told)
    injection = build(base, way, seed)
    learnt = teach(base, injection, told, bounds, divergence, seed)
    injection.injectors[NAME].eval()
    return Painter(base, injection, bounds, learnt)


def deviations() -> Tensor:
    """Return how much attributes of pictures differ, [3]."""
    return draw_digits("train", 2000, 999).attributes.std(0)


def measure(painter: Painter, told: Told, seed: int, strength: float) -> dict[str, Any]:
    """Paint what sounds say, and measure the pictures.

    Returns:
        "spearman" of loudness and thickness, of pitch and slant; "held" and "seen", the root mean
        square of what is painted from what goes with the sound, in deviations of each attribute,
        where it was held out and elsewhere; "right", percent of the digits.
    """
    from scipy.stats import spearmanr

    painted = painter.paint(told.words, scale(told.heard, painter.bounds), seed, strength)
    found = measure_digits(painted)
    off = ((found - told.attributes) / deviations())[:, :2].square()
    return {
        "spearman": [
            float(spearmanr(told.heard[:, n].numpy(), found[:, n].numpy())[0])  # type: ignore[arg-type]
            for n in (0, 1)
        ],
        "held": [float(off[told.held[:, n], n].mean().sqrt()) for n in (0, 1)],
        "seen": [float(off[~told.held[:, n], n].mean().sqrt()) for n in (0, 1)],
        "right": load_judge("digits").score(painted, told.words)[0],
    }


def sweep(painter: Painter, words: Tensor, seed: int, strength: float) -> dict[str, Any]:
    """Move one attribute from its least to its most while the other stays in the middle.

    Returns:
        "range": how far the mean of the painted attribute goes, as a share of the middle 90 % of
        pictures; "others": how far the other attributes go, by how far the told one does, in
        deviations; of loudness and of pitch.
    """
    spread, size = spreads(), deviations()
    found: dict[str, Any] = {"range": [], "others": []}
    for number in (0, 1):
        means = []
        for share in SWEEP:
            shares = torch.full((len(words), 2), 0.5)
            shares[:, number] = share
            means.append(measure_digits(painter.paint(words, shares, seed, strength)).mean(0))
        way = torch.stack(means)
        reach = (way.amax(0) - way.amin(0)).double()
        low, high = np.quantile(spread[number], [0.05, 0.95])
        found["range"].append(float(reach[number]) / float(high - low))
        moved = reach / size
        others = [n for n in range(len(DIGIT_ATTRIBUTES)) if n != number]
        found["others"].append(float(moved[others].mean() / moved[number]))
    return found


def run_way(way: str, seed: int, chosen: Mapping[str, float]) -> dict[str, Any]:
    """Train one adapter and measure it on the test.

    Args:
        way: A name of PRESETS.
        seed: Fixes all.
        chosen: Its "divergence" and "strength".
    """
    painter = train(way, chosen["divergence"], seed)
    test, strength = pair("test", TESTED, TEST + seed), chosen["strength"]
    found = measure(painter, test, 1000 * seed, strength)
    found |= sweep(painter, test.words[:SWEPT], 1000 * seed, strength)
    if not seed and way == AUTOENCODER:
        draw(painter, strength)
    painter.injection.remove()
    return found | {
        "weights": painter.injection.count().trained,
        "seconds": painter.learnt.seconds,
        "curve": painter.learnt.curve,
        "bounds": [[one.least, one.most] for one in painter.bounds],
    }


def try_way(way: str, divergence: float) -> list[dict[str, Any]]:
    """Train one adapter and measure it on the validation, as strong as each of SCALES."""
    painter = train(way, divergence, 0)
    seen = pair("validation", TESTED, TEST)
    found = [measure(painter, seen, 0, strength) for strength in SCALES]
    painter.injection.remove()
    return found


def choose() -> dict[str, dict[str, float]]:
    """Return "divergence" and "strength" of each method that go best with the sounds."""
    best: dict[str, dict[str, float]] = {}
    for way, divergences in CHOICES.items():
        reached: dict[tuple[float, float], float] = {}
        for divergence in divergences:
            place = FOLDER / NAME / f"choice_{PRESETS[way]}_{divergence:g}.json"
            tried = measured_once(place, partial(try_way, way, divergence))
            for strength, one in zip(SCALES, tried, strict=True):
                reached[divergence, strength] = sum(one["spearman"])
                print(way, divergence, strength, one, flush=True)
        divergence, strength = max(reached, key=lambda pair: reached[pair])
        best[way] = {"divergence": divergence, "strength": strength}
    return best


def draw(painter: Painter, strength: float) -> None:
    """Draw digits that are told more and more of one attribute."""
    lines = {}
    digits = torch.arange(0, 10, 2)
    shares = torch.linspace(0, 1, 4)
    words = digits.repeat_interleave(4)[:, None]
    for number, name in enumerate(NAMES):
        told = torch.full((len(words), 2), 0.5)
        told[:, number] = shares.repeat(len(digits))
        saw = f"{name} rises over the four pictures of each digit"
        # Each digit from the same noise, so that what differs is what was told.
        painted = [
            painter.paint(words[n : n + 1], told[n : n + 1], int(words[n]), strength)
            for n in range(len(words))
        ]
        lines[saw] = torch.cat(painted)
    draw_sheet(lines, FOLDER / f"{NAME}.png", len(words))


def run(seeds: int = SEEDS) -> None:
    """Run what is not there yet, and keep all in one file."""
    chosen = choose()
    settings = {
        "chosen": chosen,
        "steps": LESSON.steps,
        "taught": TAUGHT,
        "tested": TESTED,
        "held": list(HELD),
        "judge": measure_judge(load_judge("digits"))[0],
        "real": measure_real(),
    }
    run_study(NAME, PRESETS, seeds, lambda way, seed: run_way(way, seed, chosen[way]), settings)


def measure_real() -> list[float]:
    """Return Spearman's correlation of sounds and of the true pictures that they go with."""
    from scipy.stats import spearmanr

    told = pair("test", TESTED, TEST)
    return [
        float(spearmanr(told.heard[:, n].numpy(), told.attributes[:, n].numpy())[0])  # type: ignore[arg-type]
        for n in (0, 1)
    ]


def main() -> None:
    """Run the study."""
    seeds = begin_study("attributes", __doc__, SEEDS)
    run(seeds)


if __name__ == "__main__":
    main()
