"""MV-Adapter: two views of a shape, the second the mirror image of the first, painted together.

`python -m tools.conditions_views [--seeds N]` trains what is not there yet, and keeps it under
build/conditions/views. A view is told by a map: where each place lies on the thing itself, as rays
of a camera tell it. Beside it stand the base as it is, the map alone, and attention to all places.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Generator, Tensor

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.contract import Injector
from fusion.conditions.injection import Injection, inject
from modalities.diffusion.measure.contract import Levels
from modalities.tensor_file import read_tensors, write_tensors
from tasks.reports import to_table
from tools.conditions_bases import (
    Base,
    Batch,
    Draw,
    draw_plain,
    drop_words,
    load_base,
    paint,
    teach,
)
from tools.conditions_judges import load_judge
from tools.conditions_pictures import SIDE, Pictures, draw_shapes
from tools.conditions_training import (
    FOLDER,
    Lesson,
    begin_study,
    draw_sheet,
    missed,
    read_study,
    run_study,
    show_sheet,
    tell_spread,
    values_of,
)
from tools.digit_lessons import plain, seeded
from tools.digit_tables import count_seeds

NAME = "views"
SEEDS = 3
VIEWS = 2
LESSON = Lesson(steps=400, rate=1e-3, warmup=30, batch=32)
STYLE_LESSON = Lesson(steps=200, rate=3e-3, warmup=20, batch=32)
STYLE_RANK = 8
DRAWN, TESTED, SHOWN, STEPS = 3000, 100, 6, 10
REAL, BARE, CAMERA = "real pictures", "the base: each view by itself", "the map of views alone"
ROWS, PLACES = "attention to the same row", "attention to all places"
METHODS: dict[str, tuple[str, ...]] = {
    REAL: (),
    BARE: (),
    CAMERA: ("camera",),
    ROWS: ("camera", "views"),
    PLACES: ("camera", "views"),
}
SETTINGS = {**asdict(LESSON), "things": TESTED, "sampling": STEPS, "style": asdict(STYLE_LESSON)}


@dataclass(frozen=True)
class Together:
    """Draws one level for all views of a thing.

    Attributes:
        views: How many follow each other.
    """

    views: int = VIEWS

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, see `modalities.diffusion.measure.contract.TimeSampler`."""
        return Levels(
            torch.rand(rows // self.views, generator=generator).repeat_interleave(self.views)
        )


def two_views(pictures: Pictures) -> Pictures:
    """Put the mirror image after each picture."""
    values = torch.stack([pictures.values, pictures.values.flip(3)], 1).flatten(0, 1)
    return Pictures(
        values, *(one.repeat_interleave(VIEWS, 0) for one in (pictures.words, pictures.attributes))
    )


def camera_map(things: int) -> Tensor:
    """Say where each pixel lies on the thing, -1 to 1, [things * 2, 2, height, width]."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    row, column = torch.meshgrid(line, line, indexing="ij")
    views = torch.stack([torch.stack([column, row]), torch.stack([-column, row])])
    return views.repeat(things, 1, 1, 1)


def build(base: Base, method: str, seed: int) -> dict[str, Injector]:
    """Build the injectors of a method, none for the base as it is."""
    changes: dict[str, dict[str, Any]] = {
        "camera": {"channels": 2, "pixels": base.denoiser.codec.multiple},
        "views": {"views": VIEWS, "rows_only": method != PLACES},
    }
    made = seeded(seed, lambda: build_preset(base.unet, "mv_adapter_text", changes))
    return {name: made[name] for name in METHODS[method]}


def draw_views(base: Base, pictures: Pictures) -> Draw:
    """Return what draws batches of things, two rows each."""
    latents = base.encode(pictures.values).unflatten(0, (-1, VIEWS))
    words = pictures.words.unflatten(0, (-1, VIEWS))[:, 0]

    def draw(generator: Generator, rows: int) -> Batch:
        things = torch.randint(len(latents), (rows // VIEWS,), generator=generator)
        told = drop_words(words[things], generator).repeat_interleave(VIEWS, 0)
        condition = Condition("camera", "map", camera_map(len(things)))
        return Batch(latents[things].flatten(0, 1), told, [condition])

    return draw


def inconsistency(values: Tensor) -> float:
    """Return by how much second views differ from mirror images of the first, of -1 to 1.

    Args:
        values: -1 to 1, [things * 2, colours, height, width].

    Returns:
        The root mean square over all.
    """
    first, second = values.unflatten(0, (-1, VIEWS)).unbind(1)
    return float((second.flip(3) - first).square().mean().sqrt())


def measure(
    base: Base, injection: Injection | None, test: Pictures, seed: int, styled: bool = False
) -> tuple[dict[str, float], Tensor]:
    """Paint two views of each thing and judge; return what was found, and the pictures.

    Args:
        base: Plain, or with a LoRA for pale pictures.
        injection: What stands on it.
        test: Two views of each thing.
        seed: Fixes the noise of each row.
        styled: Whether pictures are to be pale; the judge sees them as if they were not.
    """
    told = [Condition("camera", "map", camera_map(len(test) // VIEWS))] if injection else []
    values = paint(base, test.words, seed, injection, told, steps=STEPS)
    seen = 2 * values - 1 if styled else values
    return {**judge_views(seen, test), "ground": ground(values)}, values


def judge_views(values: Tensor, test: Pictures) -> dict[str, float]:
    """Judge views: how inconsistent they are, and what they show.

    Args:
        values: -1 to 1, [things * 2, 3, height, width].
        test: What they were to show.
    """
    judge = load_judge("shapes")
    shape, colour = judge.score(values, test.words)
    return {
        "inconsistency": inconsistency(values),
        "shape": shape,
        "colour": colour,
        "distance": judge.distance(values, test.values),
    }


def pale(values: Tensor) -> Tensor:
    """Return pictures half as dark."""
    return (values + 1) / 2


def ground(values: Tensor) -> float:
    """Return how light the ground is, 0 to 1: the median of the outermost pixels."""
    rim = torch.cat([values[:, :, 0], values[:, :, -1], values[..., 0], values[..., -1]], -1)
    return float((rim.median(-1).values.mean() + 1) / 2)


def learn_style(base: Base, seed: int) -> Base:
    """Return a copy of a base with a LoRA merged into it that was trained on pale pictures."""
    from peft import LoraConfig, get_peft_model

    own = deepcopy(base)
    faces = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "conv_in", "conv_out"]
    config = LoraConfig(r=STYLE_RANK, lora_alpha=STYLE_RANK, target_modules=faces)
    adapted: Any = seeded(seed, lambda: get_peft_model(own.denoiser.unet, config))
    own.denoiser.unet = adapted
    pictures = draw_shapes("train", DRAWN, 300 + seed)
    light = Pictures(pale(pictures.values), pictures.words, pictures.attributes)
    teach(own, [own], draw_plain(own, light), STYLE_LESSON, seed)
    own.denoiser.unet = adapted.merge_and_unload()
    return own.requires_grad_(False).eval()


def run_method(method: str, seed: int, lesson: Lesson = LESSON) -> dict[str, Any]:
    """Train one way and measure it, on the base and on one that has learnt a style since.

    Returns:
        "weights" that are trained, "seconds", "identical", whether a fresh adapter paints what the
        base paints, and the measures on the base, and under "styled" on the base with a LoRA.
    """
    test = two_views(draw_shapes("test", TESTED, 200 + seed))
    if method == REAL:
        return {"weights": 0, "seconds": 0.0, **judge_views(test.values, test)}
    base = load_base("shapes")
    injectors = build(base, method, seed)
    injection = inject(base.denoiser, injectors) if injectors else None
    found: dict[str, Any] = {"weights": 0, "seconds": 0.0}
    if injection:
        few = test.take(slice(0, 8))
        fresh = paint(
            base, few.words, 0, injection, [Condition("camera", "map", camera_map(4))], steps=2
        )
        found["identical"] = torch.equal(fresh, _bare(base, injection, few))
        learners = list(injectors.values())
        drawn = two_views(draw_shapes("train", DRAWN, 100 + seed))
        learnt = teach(
            base,
            learners,
            draw_views(base, drawn),
            lesson,
            seed,
            injection,
            dropped=0.0,
            time=Together(),
        )
        found.update(weights=injection.count().trained, seconds=learnt.seconds)
        for one in learners:
            one.eval()
    told, painted = measure(base, injection, test, 1000 * seed)
    found.update(told)
    if injection:
        injection.remove()
    styled = measured_style(seed)
    injection = inject(styled.denoiser, injectors) if injectors else None
    found["styled"], restyled = measure(styled, injection, test, 1000 * seed, True)
    if not seed:
        place = FOLDER / NAME / f"{plain(method)}.safetensors"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(place, {"plain": painted[: 2 * SHOWN], "styled": restyled[: 2 * SHOWN]})
    return found


def _bare(base: Base, injection: Injection, few: Pictures) -> Tensor:
    with injection.bare():
        return paint(base, few.words, 0, steps=2)


_STYLED: dict[int, Base] = {}


def measured_style(seed: int) -> Base:
    """Return the base with the LoRA of a seed, trained once a run."""
    if seed not in _STYLED:
        _STYLED[seed] = learn_style(load_base("shapes"), seed)
    return _STYLED[seed]


def draw() -> None:
    """Draw the contact sheet: first and second views in turn."""
    lines = {}
    for method in (BARE, ROWS):
        kept = read_tensors(FOLDER / NAME / f"{plain(method)}.safetensors", "", "")
        lines[method] = kept["plain"]
        lines[f"{method}, with a LoRA for pale pictures"] = kept["styled"]
    draw_sheet(lines, FOLDER / f"{NAME}.png", 2 * SHOWN)


def tell_views() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    rows = []
    for method, seeds in found.items():
        trained = bool(METHODS[method])
        row = [method, f"{seeds[0]['weights']:,}" if trained else ""]
        row.append(tell_spread(values_of(seeds, "inconsistency"), 3))
        row += [tell_spread(values_of(seeds, key)) for key in ("shape", "colour", "distance")]
        if method != REAL:
            row.append(tell_spread(values_of(seeds, "styled", "inconsistency"), 3))
            row.append(tell_spread(values_of(seeds, "styled", "ground"), 2))
        rows.append([*row, *[""] * (8 - len(row))])
    head = ["painted by", "weights", "inconsistency", "shape", "colour", "distance"]
    head += ["inconsistency after a LoRA", "ground after a LoRA"]
    plain_ground = fmean(values_of(found[BARE], "ground"))
    return [
        "A base that paints one shape at a time learns to paint two views of it, the second the "
        f"mirror image of the first, in {settings['steps']} steps of {settings['batch'] // VIEWS} "
        f"things; {count_seeds([len(found[ROWS])])}, {settings['things']} things each. "
        "*Inconsistency* is the root mean square by which the second view, mirrored, differs from "
        "the first, of values from -1 to 1; *shape* and *colour* the shares that the judge names "
        "as told, percent; *distance* the Fréchet distance to real pictures in what the judge "
        "sees. Then a LoRA for pale pictures is trained on the base alone and merged into it, and "
        "the adapter is put on as it is: *ground* tells whether pictures became pale, from "
        f"{plain_ground:.2f} without the LoRA. Pictures are judged as if they were not pale. "
        "`make conditions-views` does it.",
        to_table(head, rows),
        "\n".join(_aims(found)),
        show_sheet(NAME, "Two views of shapes side by side, by the base and with the adapter"),
    ]


def _aims(found: Mapping[str, list[Any]]) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    mean = {method: fmean(values_of(seeds, "inconsistency")) for method, seeds in found.items()}
    styled = {
        method: fmean(values_of(found[method], "styled", "inconsistency"))
        for method in (BARE, ROWS)
    }
    grounds = [fmean(values_of(found[method], "styled", "ground")) for method in (BARE, ROWS)]
    identical = all(one["identical"] for method in (CAMERA, ROWS, PLACES) for one in found[method])
    return [
        f"* Views agree better: inconsistency {mean[ROWS]:.3f} against {mean[BARE]:.3f} of the "
        f"base and {mean[CAMERA]:.3f} of the map alone"
        f"{missed(mean[ROWS] < min(mean[BARE], mean[CAMERA]))}.",
        f"* A fresh adapter paints what the base paints, to the bit{missed(identical)}.",
        f"* It still works after a LoRA is merged into the base: {styled[ROWS]:.3f} against "
        f"{styled[BARE]:.3f}{missed(styled[ROWS] < styled[BARE])}, and the ground is "
        f"{grounds[1]:.2f}, without the adapter {grounds[0]:.2f}.",
    ]


def main() -> None:
    """Run the study."""
    seeds = begin_study("views", __doc__, SEEDS)
    run_study(NAME, METHODS, seeds, run_method, SETTINGS)
    draw()


if __name__ == "__main__":
    main()
