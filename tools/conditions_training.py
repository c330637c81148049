"""One training loop for whatever learns in a study of conditions, and how results are told."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import cos, pi
from pathlib import Path
from statistics import fmean, stdev
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from modalities.whole_file import replace_when_whole
from tools.digit_lessons import measured_once, plain

ROOT = Path(__file__).resolve().parents[1]
FOLDER, DOCS = ROOT / "build/conditions", ROOT / "docs"
CURVE = 20  # numbers of a loss's curve, each the mean of as many steps
PALETTE = 32  # colours of a contact sheet, so that it stays small
CLIP = 1.0  # the gradient's norm at most
LARGER, LETTERS, GAP = 2, 10, 1  # of a contact sheet: times a picture's size, pixels a line, pixels
Losses = Callable[[Generator], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Lesson:
    """How long and how fast something is learnt.

    Attributes:
        steps: How many.
        rate: Step size at its height; it falls as a cosine to 0.
        warmup: Steps in which it rises.
        batch: Rows of a step.
        decay: How much weights shrink, times the step size.
    """

    steps: int = 1000
    rate: float = 1e-3
    warmup: int = 50
    batch: int = 32
    decay: float = 0.01

    def rate_at(self, step: int) -> float:
        """Return the step size of a step, numbered from 0."""
        rising = min(1.0, (step + 1) / max(1, self.warmup))
        return self.rate * rising * (1 + cos(pi * step / self.steps)) / 2


@dataclass(frozen=True)
class Learnt:
    """What a training tells of itself.

    Attributes:
        curve: The loss, its mean over each twentieth of the steps.
        seconds: Time of the processor that it took.
    """

    curve: list[float]
    seconds: float


def learn(
    modules: Iterable[nn.Module],
    losses: Losses,
    lesson: Lesson,
    seed: int,
    watch: Callable[[int], None] | None = None,
) -> Learnt:
    """Train what requires a gradient in modules, by AdamW.

    Args:
        modules: What learns.
        losses: Draws a batch by a generator, and returns "loss" among other numbers.
        lesson: How long and how fast.
        seed: Fixes all that is drawn.
        watch: Called after each step with how many were made, without gradients.

    Raises:
        ValueError: The loss is no finite number.
    """
    weights = [p for module in modules for p in module.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(weights, lesson.rate, weight_decay=lesson.decay)
    generator = torch.Generator().manual_seed(seed)
    found, start = [], process_time()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of dropout, and of what draws without the generator
        for step in range(lesson.steps):
            for group in adam.param_groups:
                group["lr"] = lesson.rate_at(step)
            loss = losses(generator)["loss"]
            adam.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(weights, CLIP)
            adam.step()
            found.append(float(loss.detach()))
            if watch:
                with torch.no_grad():
                    watch(step + 1)
    if not np.isfinite(found).all():
        raise ValueError("The loss is no finite number; expected one. Learn slower.")
    parts = np.array_split(found, min(CURVE, len(found)))
    return Learnt([float(part.mean()) for part in parts], process_time() - start)


def tell_spread(values: Sequence[float], digits: int = 1) -> str:
    """Write the mean over seeds, and with two or more the deviation, such as "81.3 ± 0.9"."""
    told = f"{fmean(values):.{digits}f}"
    return f"{told} ± {stdev(values):.{digits}f}" if len(values) > 1 else told


def begin_study(name: str, about: str | None, seeds: int) -> int:
    """Read how many seeds a study is asked for, and compute with one thread.

    Args:
        name: What its module is called, as tools.conditions_NAME.
        about: What `--help` says.
        seeds: How many where nobody says.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tools.conditions_{name}", description=about)
    parser.add_argument("--seeds", type=int, default=seeds, metavar="N")
    torch.set_num_threads(1)
    return parser.parse_args().seeds


def run_study(
    name: str,
    methods: Iterable[str],
    seeds: int,
    measure: Callable[[str, int], Mapping[str, Any]],
    settings: Mapping[str, Any],
    folder: Path = FOLDER,
) -> None:
    """Measure what is not there yet, a seed of all methods before the next, and put all together.

    Args:
        name: Of the study; each measurement is kept in folder/name, all in folder/name.json.
        methods: What is compared.
        seeds: How many of each.
        measure: Trains and measures a method with a seed.
        settings: Told beside what was found.
        folder: Where studies are kept.

    Raises:
        OSError: A file cannot be written.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for seed in range(seeds):
        for method in methods:
            place = folder / name / f"{plain(method)}_{seed}.json"
            one = measured_once(place, partial(measure, method, seed))
            found.setdefault(method, []).append(one)
            print(f"{name}: {method}, seed {seed}: {one}", flush=True)
            kept = {"settings": dict(settings), "found": found}
            with replace_when_whole(folder / f"{name}.json") as partial_file:
                partial_file.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def read_study(name: str, folder: Path = FOLDER) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the settings of a study, and what each seed measured by method.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    place = folder / f"{name}.json"
    if not place.exists():
        raise FileNotFoundError(f"{place} is not there; run `make conditions-{name}`.")
    kept = json.loads(place.read_text(encoding="utf-8"))
    return kept["settings"], kept["found"]


def show_sheet(name: str, about: str, folder: Path = FOLDER, docs: Path = DOCS) -> str:
    """Put the contact sheet of a study beside the page; return what shows it, in Markdown.

    Raises:
        FileNotFoundError: There is no sheet.
    """
    from tools.small_picture import shrink_plot

    shown = f"conditions_{name}.png"
    shrink_plot(folder / f"{name}.png", docs / shown, PALETTE)
    return f"![{about}]({shown})"


def values_of(seeds: Sequence[Any], *keys: str) -> list[float]:
    """Return what each seed measured under keys, one in the other."""
    found = []
    for one in seeds:
        for key in keys:
            one = one[key]
        found.append(float(one))
    return found


def missed(reached: bool) -> str:
    """Return what is said behind a figure that was aimed at."""
    return "" if reached else ": MISSED"


def draw_sheet(lines: Mapping[str, Tensor], path: Path, most: int = 12) -> None:
    """Write pictures as a contact sheet, a line for each name, as a small PNG.

    Args:
        lines: By what is said of a line, -1 to 1, [rows, colours, height, width]; the same number
            of rows, of any size. Edges and the like, 0 to 1, are to be brought to -1 to 1 before.
        path: The picture to write.
        most: Pictures of a line.

    Raises:
        OSError: It cannot be written.
    """
    from PIL import Image, ImageDraw

    from tools.small_picture import shrink_plot

    strips = {name: _strip(values[:most]) for name, values in lines.items()}
    width = max(strip.shape[1] for strip in strips.values())
    height = sum(strip.shape[0] + LETTERS + 2 for strip in strips.values())
    sheet = Image.new("RGB", (width, height), "white")
    writer, top = ImageDraw.Draw(sheet), 0
    for name, strip in strips.items():
        writer.text((2, top), name, "black")
        top += LETTERS + 2
        sheet.paste(Image.fromarray(strip), (0, top))
        top += strip.shape[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    shrink_plot(path, path, PALETTE)


def _strip(values: Tensor) -> np.ndarray:
    """Put pictures side by side, uint8 [height, width, 3]."""
    pixels = (values.detach().clamp(-1, 1) + 1) * 127.5
    pixels = pixels.expand(-1, 3, -1, -1).round().to(torch.uint8).movedim(1, -1).numpy()
    tiles = [one.repeat(LARGER, 0).repeat(LARGER, 1) for one in pixels]
    framed = [np.pad(t, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for t in tiles]
    return np.hstack(framed)
