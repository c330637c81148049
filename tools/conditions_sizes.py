"""ResAdapter: a base that was trained at 16 x 16 learns other sizes by few weights.

`python -m tools.conditions_sizes [--seeds N]` trains what is not there yet, and keeps it in
build/conditions/sizes.json. Beside ResAdapter stand the base as it is, ResAdapter without its
norms, and an attention LoRA of about as many weights; each learns from sizes drawn in several ways.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from statistics import fmean
from typing import Any

import torch
from torch import Generator, Tensor, nn

from fusion.conditions.injection import Injection, inject
from fusion.conditions.weight_patch import WeightPatch, WeightPatchOptions
from modalities.diffusion.measure.contract import SizeSampler
from modalities.diffusion.measure.sizes import EvenSizes, FarSizes
from tasks.reports import to_table
from tools.conditions_bases import Base, Batch, load_base, paint, teach
from tools.conditions_judges import load_judge
from tools.conditions_pictures import DRAWERS, SIDE, Pictures, resize
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

NAME = "sizes"
ON = "digits"
SEEDS = 3
SIZES = (8, 16, 24, 32)
LARGEST = max(SIZES)
RANK = 16
LESSON = Lesson(steps=800, rate=2e-3, warmup=30, batch=16)
DRAWN, TESTED, SHOWN, STEPS = 3000, 100, 5, 10
REAL, BARE, OURS, PLAIN, ATTENTION = (
    "real pictures",
    "the base as it is",
    "ResAdapter",
    "ResAdapter without norms",
    "attention LoRA",
)
BOTH, ALONE, FAR = "16 and 24", "24", "8, 24 and 32, far ones more often"
WAYS: dict[str, SizeSampler] = {
    BOTH: EvenSizes([(16, 16), (24, 24)]),
    ALONE: EvenSizes([(24, 24)]),
    FAR: FarSizes((SIDE, SIDE), [(8, 8), (24, 24), (32, 32)]),
}
TRAINED = {
    f"{method}; {way}": (method, way)
    for way in WAYS
    for method in (OURS, PLAIN, ATTENTION)
    if method != PLAIN or way == BOTH
}
METHODS = (REAL, BARE, *TRAINED)
SETTINGS = {**asdict(LESSON), "rank": RANK, "pictures": TESTED, "sampling": STEPS}
FACES = ("to_q", "to_k", "to_v", "to_out.0")
Adapted = tuple[Base, Injection | None, list[nn.Module]]


def adapt_convolutions(base: Base, norms: bool) -> Adapted:
    """Put ResAdapter on a copy of a base."""
    own = deepcopy(base)
    patch = WeightPatch(own.unet, WeightPatchOptions(RANK, RANK, norms))
    return own, inject(own.denoiser, {"size": patch}), [patch]


def adapt_attention(base: Base, weights: int) -> Adapted:
    """Put an attention LoRA of about so many weights on a copy of a base, by PEFT."""
    from peft import LoraConfig, inject_adapter_in_model

    own = deepcopy(base)
    layers = [m for n, m in own.unet.named_modules() if n.endswith(FACES)]
    each = sum(layer.in_features + layer.out_features for layer in layers)
    rank = max(1, round(weights / each))
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=[*FACES]), own.unet)
    return own, None, [own]


def adapt(base: Base, method: str, seed: int) -> Adapted:
    """Put what is to be trained on a copy of a base.

    Args:
        base: Frozen.
        method: BARE, OURS, PLAIN or ATTENTION.
        seed: Fixes new weights.
    """
    if method == BARE:
        return base, None, []
    if method == ATTENTION:
        weights = count(adapt_convolutions(base, True)[2])
        return seeded(seed, lambda: adapt_attention(base, weights))
    return seeded(seed, lambda: adapt_convolutions(base, method == OURS))


def count(modules: list[nn.Module]) -> int:
    """Count the weights that are trained."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)


def draw_sizes(
    base: Base, pictures: Pictures, way: SizeSampler
) -> Callable[[Generator, int], Batch]:
    """Return what draws batches, each of one size."""
    kept = {side: base.encode(resize(pictures, side).values) for side in SIZES}

    def draw(generator: Generator, rows: int) -> Batch:
        side, _ = way.draw(generator)
        some = torch.randint(len(pictures), (rows,), generator=generator)
        return Batch(kept[side][some], pictures.words[some])

    return draw


def measure(
    base: Base, injection: Injection | None, test: Mapping[int, Pictures], drawn: int
) -> tuple[dict[str, Any], dict[int, Tensor]]:
    """Paint at all sizes and judge; return what was found, and the pictures by size."""
    found, painted = {}, {}
    for side, real in test.items():
        values = paint(base, real.words, drawn, injection, steps=STEPS, side=side)
        judge = load_judge(ON, side)
        found[str(side)] = {
            "right": judge.score(values, real.words)[0],
            "distance": judge.distance(values, real.values),
        }
        painted[side] = values
    return found, painted


def draw_test(fold: str, count: int, seed: int) -> dict[int, Pictures]:
    """Draw pictures that are judged with, at all sizes."""
    return {side: DRAWERS[ON](fold, count, seed, side) for side in SIZES}


def run_method(method: str, seed: int, lesson: Lesson = LESSON) -> dict[str, Any]:
    """Train one way and measure it.

    Returns:
        "weights" that are trained, "seconds", the loss's "curve", "sizes" with "right", percent,
        and "distance" of each, and "drift": the root mean square by which pictures of 16 x 16
        differ from those of the base, of values from -1 to 1.
    """
    if method == REAL:
        return measure_real(seed)
    adapter, way = TRAINED.get(method, (method, ""))
    base = load_base(ON)
    native, _, _ = adapt(base, BARE, seed)
    own, injection, modules = adapt(base, adapter, seed)
    weights, learnt = count(modules), None
    if modules:
        pictures = DRAWERS[ON]("train", DRAWN, 100 + seed, LARGEST)
        draw_some = draw_sizes(own, pictures, WAYS[way])
        learnt = teach(own, modules, draw_some, lesson, seed, injection)
    own.eval()
    test = draw_test("test", TESTED, 200 + seed)
    found, painted = measure(own, injection, test, 1000 * seed)
    if not seed:
        _keep(method, painted)
    if injection:
        injection.remove()
    before = paint(native, test[SIDE].words, 1000 * seed, steps=STEPS)
    return {
        "weights": weights,
        "seconds": learnt.seconds if learnt else 0.0,
        "curve": learnt.curve if learnt else [],
        "sizes": found,
        "drift": float((painted[SIDE] - before).square().mean().sqrt()),
    }


def measure_real(seed: int) -> dict[str, Any]:
    """Judge real pictures as painted ones are: what judges and chance leave to be reached."""
    test, others = (draw_test("test", TESTED, drawn + seed) for drawn in (200, 500))
    sizes = {}
    for side, real in others.items():
        judge = load_judge(ON, side)
        distance = judge.distance(real.values, test[side].values)
        sizes[str(side)] = {"right": judge.score(real.values, real.words)[0], "distance": distance}
    return {"weights": 0, "seconds": 0.0, "sizes": sizes, "drift": 0.0}


def _keep(method: str, painted: Mapping[int, Tensor]) -> None:
    """Keep some pictures for the contact sheet."""
    from modalities.tensor_file import write_tensors

    place = FOLDER / NAME / f"{plain(method)}.safetensors"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(place, {str(side): values[:SHOWN] for side, values in painted.items()})


def draw() -> None:
    """Draw the contact sheet: a line for each way and size."""
    from modalities.tensor_file import read_tensors

    lines = {}
    shown = {BARE: BARE} | {method: f"{method}; {BOTH}" for method in (OURS, ATTENTION)}
    for told, method in shown.items():
        kept = read_tensors(FOLDER / NAME / f"{plain(method)}.safetensors", "", "")
        lines.update({f"{told}, {side} x {side}": kept[str(side)] for side in (16, 24)})
    draw_sheet(lines, FOLDER / f"{NAME}.png", SHOWN)


def tell_sizes() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    sides = list(found[REAL][0]["sizes"])
    rows = []
    for method, seeds in found.items():
        right = [tell_spread(values_of(seeds, "sizes", side, "right")) for side in sides]
        away = [tell_spread(values_of(seeds, "sizes", side, "distance")) for side in sides]
        trained = method in TRAINED
        drift = tell_spread(values_of(seeds, "drift"), 3) if trained else ""
        rows.append([method, f"{seeds[0]['weights']:,}" if trained else "", *right, *away, drift])
    head = ["adapter; sizes it learns", "weights", *(f"right, {side}" for side in sides)]
    head += [*(f"distance, {side}" for side in sides), "drift at 16"]
    return [
        "A base that was trained on digits of 16 x 16 learns other sizes in "
        f"{settings['steps']} steps of {settings['batch']} pictures, all in a batch of one size, "
        f"drawn in three ways; {count_seeds([len(found[BARE])])}. *Right* is the share of "
        f"{settings['pictures']} painted digits that a judge trained at that size names as told, "
        "percent; *distance* the Fréchet distance to real digits in what the judge sees, less is "
        "better; *drift* the root mean square by which pictures of 16 x 16 differ from those of "
        "the base from the same noise, of values from -1 to 1. `make conditions-sizes` does it.",
        to_table(head, rows),
        "\n".join(_aims(found)),
        show_sheet(
            NAME, "Digits of 16 x 16 and 24 x 24 by the base, ResAdapter and attention LoRA"
        ),
    ]


def _aims(found: Mapping[str, list[Any]]) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    lines = []
    for way in WAYS:
        ours, theirs = (found[f"{method}; {way}"] for method in (OURS, ATTENTION))
        right, away = (
            [fmean(values_of(one, "sizes", "24", key)) for one in (ours, found[BARE], theirs)]
            for key in ("right", "distance")
        )
        drift = [fmean(values_of(one, "drift")) for one in (ours, theirs)]
        reached = (
            right[0] > right[1] and away[0] < min(away[1:]) and drift[0] < drift[1]
        )  # better than the base, and than as many weights in attention
        lines.append(
            f"* Sizes {way}: ResAdapter at 24 x 24 {right[0]:.1f} % right, the base "
            f"{right[1]:.1f}, an attention LoRA {right[2]:.1f}; distance {away[0]:.1f} against "
            f"{away[1]:.1f} and {away[2]:.1f}; drift at 16 x 16 {drift[0]:.3f} against "
            f"{drift[1]:.3f} (aim: better than both, and less drift){missed(reached)}."
        )
    return lines


def main() -> None:
    """Run the study."""
    seeds = begin_study("sizes", __doc__, SEEDS)
    run_study(NAME, METHODS, seeds, run_method, SETTINGS)
    draw()


if __name__ == "__main__":
    main()
