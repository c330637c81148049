"""Ctrl-Adapter: a ControlNet of one denoiser, frozen, controls another by mapped features.

`python -m tools.conditions_control [--seeds N]` trains what is not there yet, and keeps it under
build/conditions/control. The ControlNet reads edges for the base of shapes at 16 x 16; the other
base paints 32 x 32, has other widths, and counts 400 times of noise where the first counts 1,000.
Beside the mapping stands a ControlNet that is trained from scratch on the other base.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from fusion.conditions.condition import Condition
from fusion.conditions.contract import Host, Injector, Step
from fusion.conditions.feature_mapper import MIDDLE, SKIPPED, FeatureMapper, MapperOptions
from fusion.conditions.injection import Injection, inject
from fusion.conditions.routing.place_weights import PlaceOptions, PlaceWeights
from fusion.conditions.unet import add_residuals
from modalities.diffusion.diffusers_package import import_diffusers
from modalities.tensor_file import read_tensors, write_tensors
from tools.conditions_bases import Base, Batch, load_base, paint, teach
from tools.conditions_judges import edge_f1
from tools.conditions_pictures import SIDE, Pictures, draw_shapes, resize
from tools.conditions_training import FOLDER, Lesson, begin_study, draw_sheet, run_study
from tools.digit_lessons import plain, seeded

NAME = "control"
SEEDS = 3
SMALL, LARGE = "shapes", "shapes_32"
LARGER = 2
WIDTHS = (8, 16)  # of the layers that read the map; each but the first halves it
SOURCE_LESSON = Lesson(steps=2000, rate=1e-3, warmup=30, batch=32)
SLOW = Lesson(steps=600, rate=1e-3, warmup=20, batch=16)
FAST = replace(SLOW, rate=3e-3, warmup=10)
MIX_LESSON = Lesson(steps=100, rate=0.1, warmup=5, batch=16, decay=0.0)
LOOKED = (10, 20, 40, 70, 100, 150, 200, 300, 400, 500, 600)
DRAWN, TESTED, SHOWN, STEPS = 3000, 60, 5, 10
SCRATCH, FASTER, MAPPED, SAME = (
    "ControlNet from scratch",
    "ControlNet from scratch, at three times the rate",
    "mapped, at the same share of both clocks",
    "mapped, at the same time",
)
METHODS = (SCRATCH, FASTER, MAPPED, SAME)
TOLD = (10, 40, 100, 200, 400, 600)  # of LOOKED, in the table
SETTINGS = {**asdict(FAST), "source": asdict(SOURCE_LESSON), "mix": asdict(MIX_LESSON)}


class OwnControl(Injector):
    """Runs a ControlNet beside the denoiser that it was made for, at each step.

    Args:
        model: diffusers' UNet2DConditionModel.
        net: diffusers' ControlNetModel, with features as the denoiser's.
    """

    each_step = True

    def __init__(self, model: Any, net: nn.Module):
        super().__init__(model, None)
        self.net = net

    @property
    def needs(self) -> tuple[str, ...]:
        """A map."""
        return ("map",)

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Return the ControlNet's features, a row for each picture."""
        step, told = host.step, self.told
        assert told is not None
        picture = told.spread(conditions["map"].data, len(step.pictures))
        features, middle = self.net(
            step.pictures, step.times, step.text, picture, return_dict=False
        )
        return {str(n): feature for n, feature in enumerate((*features, middle))}

    def before(self, step: Step) -> None:
        """Hand the features to the denoiser's decoder."""
        assert self.told is not None and self.told.values is not None
        *features, middle = self.told.values.values()
        add_residuals(step.arguments, SKIPPED, features)
        step.arguments[MIDDLE] = middle


def build_control(base: Base, seed: int) -> OwnControl:
    """Build a ControlNet that begins as a copy of a base's encoder."""
    kind = import_diffusers().ControlNetModel
    sizes: dict[str, Any] = {
        "conditioning_channels": 1,
        "conditioning_embedding_out_channels": WIDTHS,
    }
    net = seeded(seed, lambda: kind.from_unet(base.unet, **sizes))
    return OwnControl(base.unet, net.requires_grad_(True))


def load_source(folder: Path = FOLDER / "bases/shapes_control") -> Path:
    """Return the folder of the ControlNet for 16 x 16, which is trained where there is none."""
    if not (folder / "config.json").exists():
        base = load_base(SMALL)
        control = build_control(base, 0)
        injection = inject(base.denoiser, {"map": control})
        pictures = draw_shapes("train", DRAWN, 400)
        draw = draw_edges(base, pictures, pictures)
        teach(base, [control], draw, SOURCE_LESSON, 0, injection)
        injection.remove()
        net: Any = control.net
        net.save_pretrained(folder)
    return folder


def enlarge(edges: Tensor) -> Tensor:
    """Return edges of 16 x 16 as they are told to the larger base, [rows, 1, 32, 32]."""
    return functional.interpolate(edges, scale_factor=LARGER)


@dataclass(frozen=True, eq=False)
class Edges:
    """What draws pictures with their edges.

    Attributes:
        base: Paints them.
        latents: Those of the pictures, [pictures, channels, height, width].
        words: What they show.
        edges: In the size of the pictures, [rows, 1, height, width].
        tokens: What the words are to the source; None where no source is told.
        useless: Whether a second condition tells the edges of another picture.
    """

    base: Base
    latents: Tensor
    words: Tensor
    edges: Tensor
    tokens: Tensor | None = None
    useless: bool = False

    def __call__(self, generator: Generator, rows: int) -> Batch:
        """Draw a batch."""
        some = torch.randint(len(self.latents), (rows,), generator=generator)
        told = self.tell(some, "map")
        if self.useless:
            told += self.tell(torch.randperm(len(self.latents), generator=generator)[:rows], OTHER)
        return Batch(self.latents[some], self.words[some], told)

    def tell(self, rows: Tensor, name: str) -> list[Condition]:
        """Return what is told of rows under a name."""
        told = [Condition(name, "map", self.edges[rows])]
        if self.tokens is not None:
            told.append(Condition(name, "tokens", self.tokens[rows]))
        return told


OTHER = "useless"


def draw_edges(
    base: Base, pictures: Pictures, small: Pictures, source: Base | None = None
) -> Edges:
    """Return what draws pictures with edges as they were found at 16 x 16.

    Args:
        base: Paints the pictures.
        pictures: In its size.
        small: Those pictures at 16 x 16, whose edges are told.
        source: Whose tokens a source is told; None for none.
    """
    edges = small.edges if pictures is small else enlarge(small.edges)
    tokens = None if source is None else source.tokens(small.words).detach()
    return Edges(base, base.encode(pictures.values), pictures.words, edges, tokens)


def build(base: Base, method: str, seed: int) -> Injector:
    """Build what a method trains on the larger base."""
    if method in (SCRATCH, FASTER):
        return build_control(base, seed)
    times = base.options.times
    options = MapperOptions(
        source=str(load_source()),
        places=0,
        middle=True,
        heads=4,
        groups=8,
        larger=LARGER,
        pixels=base.denoiser.codec.multiple,
        source_times=times if method == SAME else 1000,
        target_times=times,
    )
    return seeded(seed, lambda: FeatureMapper(base.unet, options))


def judge(base: Base, injection: Injection, test: Edges, seed: int) -> tuple[float, Tensor]:
    """Paint by edges, and return how well they are found again at 16 x 16, and the pictures."""
    rows = torch.arange(len(test.words))
    told = test.tell(rows, "map")
    if OTHER in injection.injectors:
        told += test.tell(rows.roll(1), OTHER)
    values = paint(base, test.words, seed, injection, told, 1.0, STEPS)
    edges = functional.interpolate(test.edges, scale_factor=1 / LARGER)
    return edge_f1(shrink(values), edges), values


def shrink(values: Tensor) -> Tensor:
    """Return pictures at 16 x 16."""
    return functional.interpolate(values, size=(SIDE, SIDE), mode="area")


def run_method(method: str, seed: int, lesson: Lesson | None = None) -> dict[str, Any]:
    """Train one way, and look at it on the way.

    Returns:
        "trained" and "added" weights, "seconds", and "f1", percent, by how many steps were made.
    """
    base, source = load_base(LARGE), load_base(SMALL)
    lesson = lesson or (SLOW if method == SCRATCH else FAST)
    injector = build(base, method, seed)
    injection = inject(base.denoiser, {"map": injector})
    side = base.options.denoiser.height
    whose = None if method in (SCRATCH, FASTER) else source

    def edges(part: str, count: int, drawn: int) -> Edges:
        large = draw_shapes(part, count, drawn, side)
        return draw_edges(base, large, resize(large, SIDE), whose)

    test = edges("test", TESTED, 200 + seed)
    found = {"0": judge(base, injection, test, 1000 * seed)[0]}

    def watch(step: int) -> None:
        if step in LOOKED:
            injector.eval()
            found[str(step)], painted = judge(base, injection, test, 1000 * seed)
            injector.train()
            if not seed and step in (LOOKED[4], LOOKED[-1]):
                _keep(method, step, painted)

    learnt = teach(
        base, [injector], edges("train", DRAWN, 100 + seed), lesson, seed, injection, watch
    )
    count = injection.count()
    result = {
        "trained": count.trained,
        "added": count.added,
        "seconds": learnt.seconds,
        "f1": found,
    }
    injection.remove()
    if method == MAPPED:
        result["mix"] = measure_mix(base, injector, edges("train", DRAWN, 100 + seed), test, seed)
    return result


def measure_mix(
    base: Base, mapper: Injector, train: Edges, test: Edges, seed: int
) -> dict[str, Any]:
    """Tell the edges of another picture beside the right ones, and learn what each counts.

    Returns:
        "equal" and "learnt" F1, percent, and "useless": the share that the useless condition has,
        the mean over places.
    """
    other = deepcopy(mapper).requires_grad_(False)
    both = {"map": mapper.requires_grad_(False).eval(), OTHER: other.eval()}
    weights = PlaceWeights(both, PlaceOptions())
    injection = inject(base.denoiser, both, weights)
    found: dict[str, Any] = {"equal": judge(base, injection, test, 1000 * seed)[0]}
    told = Edges(base, train.latents, train.words, train.edges, train.tokens, True)
    teach(base, [weights], told, MIX_LESSON, seed, injection)
    weights.eval()
    found["learnt"] = judge(base, injection, test, 1000 * seed)[0]
    with weights.watch() as trace, torch.no_grad():
        judge(base, injection, test, 1000 * seed)
    shares = [float(routing.weights[..., 1].mean()) for _, routing in trace.taken]
    found["useless"] = sum(shares) / len(shares)
    injection.remove()
    return found


def _keep(method: str, step: int, painted: Tensor) -> None:
    place = FOLDER / NAME / f"{plain(method)}_{step}.safetensors"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(place, {"painted": painted[:SHOWN]})


def draw() -> None:
    """Draw the contact sheet."""
    test = draw_shapes("test", TESTED, 200, 32)
    edges = enlarge(resize(test, SIDE).edges)[:SHOWN]
    lines = {"edges that are told": 2 * edges.expand(-1, 3, -1, -1) - 1}
    for method, step in ((SCRATCH, LOOKED[4]), (MAPPED, LOOKED[4]), (MAPPED, LOOKED[-1])):
        place = FOLDER / NAME / f"{plain(method)}_{step}.safetensors"
        lines[f"{method}, {step} steps"] = read_tensors(place, "", "")["painted"][:SHOWN]
    draw_sheet(lines, FOLDER / f"{NAME}.png", SHOWN)


def main() -> None:
    """Run the study."""
    seeds = begin_study("control", __doc__, SEEDS)
    run_study(NAME, METHODS, seeds, run_method, SETTINGS)
    draw()


if __name__ == "__main__":
    main()
