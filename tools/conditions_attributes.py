"""Att-Adapter: how loud and how high a digit is spoken says how thick and slanted it is painted.

`python -m tools.conditions_attributes [--seeds N]` trains what is not there yet, and keeps it in
build/conditions/attributes.json. Each of 300 pictures is paired with a recording of its digit, at a
level and of a pitch that go with its strokes; adapters learn from what is measured of the sounds.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection, inject
from modalities.audio.attribute_scale import Bounds
from modalities.audio.sound_attributes import measure_attributes
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.paths import DiffusionPath
from modalities.diffusion.measure.times import Cubic, LevelSampler
from tools.conditions_bases import Base, drop_words, load_base, paint
from tools.conditions_judges import load_judge, measure_judge
from tools.conditions_pictures import DIGIT_ATTRIBUTES, draw_digits, measure_digits
from tools.conditions_training import FOLDER, Learnt, Lesson, draw_sheet, learn, run_study
from tools.digit_lessons import measured_once, seeded

NAME = "attributes"
SPOKEN = Path(__file__).resolve().parents[1] / "../shared/data/fsdd"
SEEDS = 3
AUTOENCODER, MLP = "autoencoder", "MLP"
PRESETS = {AUTOENCODER: "att_adapter", MLP: "att_adapter_mlp"}
CHOICES = (1e-3, 1e-2, 1e-1)  # what the autoencoder's term counts; one is chosen on the validation
TIME = Cubic()  # what a digit's strokes are like is settled where there is much noise
LESSON = Lesson(steps=400, rate=2e-3, warmup=30, batch=32)
TAUGHT, TESTED, SWEPT, SHOWN = 300, 200, 40, 10  # pictures
EACH = 60  # recordings of a digit that are measured
HELD = (0.4, 0.6)  # shares of an attribute's range that no picture of the training has
LOUDNESS = Bounds("loudness", "LUFS", -45.0, -15.0)
SWEEP = (0.0, 0.25, 0.5, 0.75, 1.0)
NAMES = ("loudness", "pitch")  # which say thickness and slant
TEACH, TEST = 100, 200  # seeds of what teaches and tests, counted up by the study's


@dataclass(frozen=True, eq=False)
class Told:
    """Pictures, and what their sounds say of them.

    Attributes:
        values: -1 to 1, [rows, 1, height, width].
        words: Which digits, int64, [rows, 1].
        attributes: Those of the pictures, in the order of DIGIT_ATTRIBUTES, [rows, 3].
        places: Where thickness and slant lie among those of the training, 0 to 1, [rows, 2].
        heard: Loudness in LUFS and pitch in Hz, as measured of each picture's sound, [rows, 2].
    """

    values: Tensor
    words: Tensor
    attributes: Tensor
    places: Tensor
    heard: Tensor

    @property
    def held(self) -> Tensor:
        """Which rows have thickness or slant in what was held out, bool, [rows, 2]."""
        return (self.places > HELD[0]) & (self.places < HELD[1])


@cache
def recordings(fold: str) -> dict[int, list[tuple[float, str]]]:
    """Return recordings of each digit that have a pitch, in its order, with it.

    Args:
        fold: "train" or "test", as the Free Spoken Digit Dataset has them.
    """

    def measure() -> list[list[Any]]:
        rows = []
        sounds = [one for one in find_fsdd_sounds(SPOKEN) if one.fold == fold]
        order = np.random.default_rng(0).permutation(len(sounds))
        left = dict.fromkeys("0123456789", EACH)
        for sound in (sounds[n] for n in order):
            if left[sound.label]:
                pitch = measure_attributes(read_audio(sound.media)).pitch
                if pitch is not None:
                    rows.append([int(sound.label), pitch, sound.media])
                    left[sound.label] -= 1
        return rows

    found: dict[int, list[tuple[float, str]]] = {digit: [] for digit in range(10)}
    for digit, pitch, path in measured_once(FOLDER / NAME / f"recordings_{fold}.json", measure):
        found[digit].append((pitch, path))
    return {digit: sorted(rows) for digit, rows in found.items()}


@cache
def spreads() -> tuple[np.ndarray, np.ndarray]:
    """Return thicknesses and slants of pictures like those of the training, in their order."""
    found = draw_digits("train", 2000, 999).attributes.numpy()
    return np.sort(found[:, 0]), np.sort(found[:, 1])


def place(value: float, spread: np.ndarray) -> float:
    """Return which share of the values of a spread lies below one, 0 to 1."""
    return float(np.searchsorted(spread, value) / len(spread))


def pair(part: str, count: int, seed: int, hold: bool = False) -> Told:
    """Draw pictures, and pair each with a sound that goes with it.

    Args:
        part: "train", "validation" or "test", of the pictures; the sounds are those of the fold
            "test" where that is tested, else of "train".
        count: Pictures.
        seed: Fixes all.
        hold: Whether pictures whose thickness or slant is held out are left out.
    """
    drawn = draw_digits(part, 3 * count if hold else count, seed)
    places = torch.tensor(
        [[place(float(row[n]), spreads()[n]) for n in (0, 1)] for row in drawn.attributes]
    )
    inside = (places > HELD[0]) & (places < HELD[1])
    kept = torch.nonzero(~inside.any(1))[:, 0][:count] if hold else torch.arange(count)
    fold = "test" if part == "test" else "train"
    heard = [
        _hear(int(drawn.words[row, 0]), places[row].tolist(), fold, row == kept[0])
        for row in kept.tolist()
    ]
    some = drawn.take(kept)
    return Told(some.values, some.words, some.attributes, places[kept], torch.tensor(heard))


def _hear(digit: int, places: Sequence[float], fold: str, check: bool) -> tuple[float, float]:
    """Return loudness and pitch of the recording of a digit that goes with a picture."""
    rows = recordings(fold)[digit]
    _, path = rows[min(int(places[1] * len(rows)), len(rows) - 1)]
    sound = read_audio(path)
    wanted = LOUDNESS.value(places[0])
    gain = 10 ** ((wanted - measure_attributes(sound).loudness) / 20)
    found = measure_attributes(np.float32(gain) * sound)
    assert found.pitch is not None and not (check and abs(found.loudness - wanted) > 0.1)
    return found.loudness, found.pitch


def bounds_of(told: Told) -> tuple[Bounds, Bounds]:
    """Return the bounds of loudness and pitch in a training."""
    low, high = told.heard.min(0).values.tolist(), told.heard.max(0).values.tolist()
    return (
        Bounds("loudness", "LUFS", low[0], high[0]),
        Bounds("pitch", "Hz", low[1], high[1], ratio=True),
    )


def scale(heard: Tensor, bounds: Sequence[Bounds]) -> Tensor:
    """Return attributes as an adapter is told them, 0 to 1, [rows, 2]."""
    rows = [[b.share(v) for b, v in zip(bounds, row, strict=True)] for row in heard.tolist()]
    return torch.tensor(rows).clamp(0, 1)


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
    path = DiffusionPath(base.denoiser.noise)
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


def tell(base: Base, injection: Injection, words: Tensor, shares: Tensor, seed: int) -> Tensor:
    """Paint digits of attributes, -1 to 1, [rows, 1, height, width]."""
    return paint(base, words, seed, injection, [Condition(NAME, "vector", shares)], steps=10)


def deviations() -> Tensor:
    """Return how much attributes of pictures differ, [3]."""
    return draw_digits("train", 2000, 999).attributes.std(0)


def measure(
    base: Base, injection: Injection, bounds: Sequence[Bounds], told: Told, seed: int
) -> dict[str, Any]:
    """Paint what sounds say, and measure the pictures.

    Returns:
        "spearman" of loudness and thickness, of pitch and slant; "held" and "seen", the root mean
        square of what is painted from what goes with the sound, in deviations of each attribute,
        where it was held out and elsewhere; "right", percent of the digits.
    """
    from scipy.stats import spearmanr

    painted = tell(base, injection, told.words, scale(told.heard, bounds), seed)
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


def sweep(base: Base, injection: Injection, words: Tensor, seed: int) -> dict[str, Any]:
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
            means.append(measure_digits(tell(base, injection, words, shares, seed)).mean(0))
        way = torch.stack(means)
        reach = (way.amax(0) - way.amin(0)).double()
        low, high = np.quantile(spread[number], [0.05, 0.95])
        found["range"].append(float(reach[number]) / float(high - low))
        moved = reach / size
        others = [n for n in range(len(DIGIT_ATTRIBUTES)) if n != number]
        found["others"].append(float(moved[others].mean() / moved[number]))
    return found


def run_way(way: str, divergence: float, seed: int, part: str = "test") -> dict[str, Any]:
    """Train one adapter and measure it on a part of the pictures."""
    base = load_base("digits")
    told = pair("train", TAUGHT, TEACH + seed, hold=True)
    bounds = bounds_of(told)
    injection = build(base, way, seed)
    learnt = teach(base, injection, told, bounds, divergence, seed)
    for one in injection.injectors.values():
        one.eval()
    test = pair(part, TESTED, TEST + seed)
    found = measure(base, injection, bounds, test, 1000 * seed)
    if part == "test":
        words = test.words[:SWEPT]
        found |= sweep(base, injection, words, 1000 * seed)
        if not seed and way == AUTOENCODER:
            draw(base, injection)
    found |= {
        "weights": injection.count().trained,
        "seconds": learnt.seconds,
        "curve": learnt.curve,
        "bounds": [[one.least, one.most] for one in bounds],
    }
    injection.remove()
    return found


def choose() -> float:
    """Return what the autoencoder's term counts: that with the least error on the validation."""
    errors = {}
    for divergence in CHOICES:
        run = partial(run_way, AUTOENCODER, divergence, 0, "validation")
        found = measured_once(FOLDER / NAME / f"choice_{divergence:g}.json", run)
        errors[divergence] = sum(found["held"]) + sum(found["seen"])
        print(divergence, found["spearman"], found["held"], found["seen"], flush=True)
    return min(errors, key=lambda one: errors[one])


def draw(base: Base, injection: Injection) -> None:
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
            tell(base, injection, words[n : n + 1], told[n : n + 1], int(words[n]))
            for n in range(len(words))
        ]
        lines[saw] = torch.cat(painted)
    draw_sheet(lines, FOLDER / f"{NAME}.png", len(words))


def run(seeds: int = SEEDS) -> None:
    """Run what is not there yet, and keep all in one file."""
    divergence = choose()
    settings = {
        "divergence": divergence,
        "steps": LESSON.steps,
        "taught": TAUGHT,
        "tested": TESTED,
        "held": list(HELD),
        "judge": measure_judge(load_judge("digits"))[0],
        "real": measure_real(),
    }
    run_study(NAME, PRESETS, seeds, lambda way, seed: run_way(way, divergence, seed), settings)


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
    module = "python -m tools.conditions_attributes"
    parser = argparse.ArgumentParser(prog=module, description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N")
    torch.set_num_threads(1)
    run(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
