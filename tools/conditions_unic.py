"""UNIC-Adapter on a small Stable Diffusion 3: one adapter, three tasks, told apart by instructions.

`python -m tools.conditions_unic` trains what is not there yet, and writes unic.json and unic.png
under build/conditions. Each picture is made of another one, by what an instruction says: its
outline in a new colour, its colour on another shape, or the whole of it, mirrored.
"""

from dataclasses import asdict, dataclass
from time import process_time
from typing import Any

import torch
from torch import Generator, Tensor

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.instructed_branch import InstructedBranch, InstructedOptions
from modalities.diffusion.measure.times import LogitNormal
from tools.conditions_bases import NOTHING, Batch
from tools.conditions_branches import learnt_once
from tools.conditions_judges import edge_f1, load_judge, measure_judge
from tools.conditions_mmdits import MmditBase, load_mmdit_base, paint_mmdit, teach_mmdit
from tools.conditions_pictures import COLOURS, SHAPES, Pictures, draw_shapes, find_edges
from tools.conditions_training import FOLDER, Lesson, draw_sheet
from tools.digit_lessons import measured_once, seeded

TASKS = ("copy outline", "copy colour", "mirror")
NONE = "no instruction"
WHOLE, UNTURNED, UNTOLD = "as published", "without rotary positions", "without the instruction"
MAP = "map"
RANK = 16
# By validation pictures: rate, times and how often each task is drawn.
LESSON = Lesson(steps=1000, rate=1e-2, warmup=30, batch=32)
TIME = LogitNormal(1.0, 1.0)
OFTEN = (1.0, 2.0, 1.0)  # the colour is learnt last
SEEDS = (0, 1, 2)
DRAWN, TESTED, SHOWN = 4000, 200, 10
WORDINGS = 5  # the seed of what tokens an instruction is
RESULTS = FOLDER / "unic.json"
SHEET = FOLDER / "unic.png"


@dataclass(frozen=True)
class Form:
    """How an adapter is trained.

    Attributes:
        rotary: Whether places are told by rotary positions.
        instructed: Whether it is told the instruction.
    """

    rotary: bool = True
    instructed: bool = True


FORMS = {WHOLE: Form(), UNTURNED: Form(rotary=False), UNTOLD: Form(instructed=False)}


def recolour(values: Tensor, colours: Tensor, wanted: Tensor) -> Tensor:
    """Return the same shapes on the same grounds in other colours.

    Args:
        values: Pictures of shapes, -1 to 1, [rows, 3, height, width]; their corners are ground.
        colours: The colour of each, 0 to 5, [rows].
        wanted: The colour that each is to have, 0 to 5, [rows].
    """
    table = torch.tensor(list(COLOURS.values())) / 127.5 - 1
    old, new = (table[one][:, :, None, None] for one in (colours, wanted))
    ground = values[:, :, :1, :1]
    way = old - ground
    share = ((values - ground) * way).sum(1, keepdim=True) / way.square().sum(1, keepdim=True)
    return ground + share * (new - ground)


def make_targets(
    sources: Pictures, others: Pictures, tasks: Tensor, generator: Generator
) -> Tensor:
    """Return what is to be painted of pictures, [rows, 3, height, width].

    Args:
        sources: What is told.
        others: As many; their shapes take the colour of the sources.
        tasks: Numbers of TASKS, [rows].
        generator: Draws new colours.
    """
    colours, their = (p.words[:, 1] - len(SHAPES) for p in (sources, others))
    drawn = torch.randint(len(COLOURS), (len(tasks),), generator=generator)
    made = (
        recolour(sources.values, colours, drawn),
        recolour(others.values, their, colours),
        sources.values.flip(3),
    )
    return torch.stack(made)[tasks, torch.arange(len(tasks))]


def instruct(base: MmditBase, tasks: Tensor | None, rows: int) -> tuple[Tensor, Tensor]:
    """Return tokens of instructions, [rows, 2, token_dim], and the vector, alike for all.

    Args:
        base: What reads them.
        tasks: Numbers of TASKS, [rows]; None for the empty text.
        rows: How many.
    """
    empty, vector = base.denoiser.empty, base.denoiser.vector
    assert vector is not None
    generator = torch.Generator().manual_seed(WORDINGS)
    tokens = torch.randn(len(TASKS), *empty.shape, generator=generator)
    told = empty.expand(rows, -1, -1) if tasks is None else tokens[tasks]
    return told, vector.expand(rows, -1)


def tell(base: MmditBase, sources: Tensor, tasks: Tensor | None) -> list[Condition]:
    """Return what the adapter is told of pictures and tasks."""
    tokens, vector = instruct(base, tasks, len(sources))
    return [
        Condition(MAP, "latent", sources),
        Condition(MAP, "tokens", tokens),
        Condition(MAP, "vector", vector),
    ]


def train(base: MmditBase, name: str, seed: int) -> InstructedBranch:
    """Return a trained adapter; it is trained where there is no file of it.

    Args:
        base: The frozen Stable Diffusion 3.
        name: A name of FORMS.
        seed: Fixes weights and draws.

    Raises:
        OSError: It cannot be written.
    """
    form = FORMS[name]
    options = InstructedOptions(RANK, float(RANK), embedders=False, rotary=form.rotary, gates=False)
    branch: Any = seeded(seed, lambda: InstructedBranch(base.network, options))
    told = f"{name.replace(' ', '_')}_{LESSON.steps}_{LESSON.rate:g}_{seed}"

    def learn() -> None:
        pictures = draw_shapes("train", DRAWN, seed)

        def draw(generator: Generator, rows: int) -> Batch:
            some, others = (
                pictures.take(torch.randint(len(pictures), (rows,), generator=generator))
                for _ in range(2)
            )
            tasks = torch.multinomial(torch.tensor(OFTEN), rows, True, generator=generator)
            target = make_targets(some, others, tasks, generator)
            told = tell(base, some.values, tasks if form.instructed else None)
            return Batch(target, torch.full_like(some.words, NOTHING), told)

        injection = inject(base.denoiser, {MAP: branch})
        teach_mmdit(base, [branch], draw, LESSON, seed, injection, time=TIME, dropped=0.0)
        injection.remove()

    return learnt_once(branch, FOLDER / f"unic/{told}.safetensors", learn)


def paint(
    base: MmditBase, branch: InstructedBranch | None, sources: Tensor, task: int | None
) -> Tensor:
    """Paint of each source what one instruction says; without an adapter, what the base paints.

    Args:
        base: The frozen Stable Diffusion 3.
        branch: The adapter, or None.
        sources: Pictures that are told, -1 to 1, [rows, 3, height, width].
        task: A number of TASKS; None for no instruction.

    Returns:
        -1 to 1, [rows, 3, height, width].
    """
    rows = len(sources)
    words = torch.full((rows, 2), NOTHING)
    if branch is None:
        return paint_mmdit(base, words, guidance=1.0)
    injection = inject(base.denoiser, {MAP: branch})
    told = tell(base, sources, None if task is None else torch.full((rows,), task))
    try:
        return paint_mmdit(base, words, 0, injection, told, guidance=1.0)
    finally:
        injection.remove()


def judge(painted: Tensor, sources: Pictures) -> dict[str, float]:
    """Return how much pictures have of their sources, percent, by what each task copies."""
    mirrored = find_edges(sources.values.flip(3))
    return {
        "copy outline": edge_f1(painted, sources.edges),
        "copy colour": load_judge("shapes").score(painted, sources.words)[1],
        "mirror": edge_f1(painted, mirrored),
    }


def measure() -> dict[str, Any]:
    """Measure all seeds."""
    start = process_time()
    return {
        "seeds": [measure_seed(seed) for seed in SEEDS],
        "judge": measure_judge(load_judge("shapes")),
        "lesson": asdict(LESSON),
        "rank": RANK,
        "tested": TESTED,
        "seconds": process_time() - start,
    }


def measure_seed(seed: int) -> dict[str, Any]:
    """Train each form, and judge what it paints by each instruction and by none.

    Args:
        seed: Fixes weights, draws and what is painted.

    Returns:
        By form and instruction, see `judge`; "base alone" is what is painted without an adapter,
        and "wanted" what the judges say of the targets themselves, by task.
    """
    base, test = load_mmdit_base("sd3"), draw_shapes("test", TESTED, seed)
    others = draw_shapes("test", TESTED, seed + 100)
    found: dict[str, Any] = {"base alone": judge(paint(base, None, test.values, None), test)}
    generator = torch.Generator().manual_seed(seed)
    for number, task in enumerate(TASKS):
        wanted = make_targets(test, others, torch.full((TESTED,), number), generator)
        found[f"wanted, {task}"] = judge(wanted, test)
    for name, form in FORMS.items():
        branch = train(base, name, seed)
        for number, task in enumerate((*TASKS, NONE)):
            if form.instructed or task == NONE:
                told = None if task == NONE else number
                found[f"{name}, {task}"] = judge(paint(base, branch, test.values, told), test)
    return found


def draw(seed: int = SEEDS[0]) -> None:
    """Write a contact sheet of what was told, and what was painted by each instruction."""
    base, test = load_mmdit_base("sd3"), draw_shapes("test", TESTED, seed)
    branch, sources = train(base, WHOLE, seed), test.values[:SHOWN]
    lines = {"told": sources}
    for number, task in enumerate((*TASKS, NONE)):
        told = None if task == NONE else number
        lines[task] = paint(base, branch, sources, told)
    draw_sheet(lines, SHEET, SHOWN)


def main() -> None:
    """Measure what was not measured yet, and draw."""
    torch.set_num_threads(1)
    found = measured_once(RESULTS, measure)
    for seed in found["seeds"]:
        for name, told in seed.items():
            print(name, {key: round(value, 1) for key, value in told.items()}, flush=True)
    draw()


if __name__ == "__main__":
    main()
