"""Branches on the small FLUX, each trained for one condition apart from all others, and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.instructed_branch import InstructedBranch
from fusion.conditions.token_branch import KEYWORD, BranchOptions, TokenBranch
from modalities.diffusion.measure.contract import TimeSampler
from modalities.tensor_file import read_tensors, write_tensors
from tools.conditions_bases import NOTHING, Batch
from tools.conditions_dense import DenseBranch
from tools.conditions_judges import edge_f1, load_judge
from tools.conditions_mmdits import TIMES, MmditBase, paint_mmdit, teach_mmdit
from tools.conditions_pictures import Pictures, draw_shapes
from tools.conditions_training import FOLDER, Lesson
from tools.digit_lessons import seeded

EDGES, REGION, BLURRED, SUBJECT = "edges", "region", "blurred", "subject"
COARSE = 4  # blocks to a side of a blurred picture
LESSON = Lesson(steps=400, rate=1.5e-2, warmup=30, batch=32)  # the rate by validation pictures
DRAWN = 4000  # pictures that a branch learns from
MARKS = torch.tensor([[1.0, 0.0]])  # the keyword is the word of the shape, the first of two

Branch = TypeVar("Branch", TokenBranch, InstructedBranch)


@dataclass(frozen=True)
class Plan:
    """What a branch is, and how it is trained.

    Attributes:
        name: What it is told: EDGES, REGION, BLURRED or SUBJECT.
        options: How its tokens are made, run and read.
        dense: Whether nothing is masked, see `DenseBranch`.
        shaped: Whether the word of the shape is told as well; colours are never.
        lesson: How long and how fast.
        time: Draws levels of noise.
    """

    name: str
    options: BranchOptions
    dense: bool = False
    shaped: bool = False
    lesson: Lesson = LESSON
    time: TimeSampler = field(default=TIMES)

    @property
    def key(self) -> str:
        """A name for its file, another one for each plan."""
        told = repr((asdict(self.options), self.dense, self.shaped, self.lesson, self.time))
        return f"{self.name}_{sha256(told.encode()).hexdigest()[:10]}"


def show(pictures: Pictures, name: str, generator: Generator) -> Tensor:
    """Return what a condition shows of pictures, -1 to 1, [rows, 3, height, width].

    Args:
        pictures: What is to be painted.
        name: EDGES; REGION, where the shape is; BLURRED, the colours of few blocks; or SUBJECT,
            another picture of the same colour, whose shape is any.
        generator: Draws subjects.
    """
    values = pictures.values
    if name == EDGES:
        return (2 * pictures.edges - 1).expand(-1, 3, -1, -1)
    if name == REGION:
        away = (values - values[:, :, :1, :1]).abs().amax(1, keepdim=True)
        inside = away > away.amax((2, 3), keepdim=True) / 2
        return (2 * inside.float() - 1).expand(-1, 3, -1, -1)
    if name == BLURRED:
        small = functional.adaptive_avg_pool2d(values, COARSE)
        return functional.interpolate(small, size=values.shape[2:])
    colours = pictures.words[:, 1]
    alike = (colours[:, None] == colours).float()
    return values[torch.multinomial(alike, 1, generator=generator)[:, 0]]


def tell(plan: Plan, shown: Tensor) -> list[Condition]:
    """Return what a branch is told of what `show` returned."""
    told = [Condition(plan.name, "latent", shown)]
    if plan.options.read == KEYWORD and not plan.dense:
        told.append(Condition(plan.name, "vector", MARKS.expand(len(shown), -1)))
    return told


def words_of(plan: Plan, words: Tensor) -> Tensor:
    """Return the words that are told beside a plan's condition, int64, [rows, 2]."""
    silent = torch.full_like(words, NOTHING)
    return torch.cat([words[:, :1], silent[:, 1:]], 1) if plan.shaped else silent


def build_branch(base: MmditBase, plan: Plan, seed: int) -> TokenBranch:
    """Build a branch from a seed."""
    kind = DenseBranch if plan.dense else TokenBranch
    return seeded(seed, lambda: kind(base.network, plan.options))


def train_branch(base: MmditBase, plan: Plan, seed: int) -> TokenBranch:
    """Return a trained branch; it is trained where there is no file of it.

    Args:
        base: The frozen FLUX.
        plan: What it is, and how it is trained.
        seed: Fixes weights and draws.

    Raises:
        OSError: It cannot be written.
    """
    branch = build_branch(base, plan, seed)

    def learn() -> None:
        pictures = draw_shapes("train", DRAWN, seed)
        shown = show(pictures, plan.name, torch.Generator().manual_seed(seed))

        def draw(generator: Generator, rows: int) -> Batch:
            some = torch.randint(len(pictures), (rows,), generator=generator)
            words = words_of(plan, pictures.words[some])
            return Batch(pictures.values[some], words, tell(plan, shown[some]))

        injection = inject(base.denoiser, {plan.name: branch})
        given: Any = {"time": plan.time, "dropped": 0.0}
        teach_mmdit(base, [branch], draw, plan.lesson, seed, injection, **given)
        injection.remove()

    return learnt_once(branch, FOLDER / f"branches/{plan.key}_{seed}.safetensors", learn)


def learnt_once(branch: Branch, path: Path, learn: Callable[[], None]) -> Branch:
    """Return a branch, frozen, with what it learnt, now or before.

    Args:
        branch: Fresh.
        path: Where its weights are kept.
        learn: Trains the branch; not called where the file is there.

    Raises:
        OSError: The file cannot be read or written.
    """
    if not path.exists():
        learn()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, {name: value.detach() for name, value in branch.weights().items()})
    branch.load_weights(read_tensors(path, "expected a trained branch", "train it again"))
    return branch.requires_grad_(False).eval()


def paint_with(
    base: MmditBase,
    plans: Sequence[Plan],
    branches: Mapping[str, TokenBranch],
    test: Pictures,
    shown: Mapping[str, Tensor],
    changes: Callable[[Condition], Condition] = lambda condition: condition,
) -> Tensor:
    """Paint pictures that several branches, trained apart, are told of at once.

    Args:
        base: The frozen FLUX.
        plans: What each branch is told, and how it is read.
        branches: By the names of their plans.
        test: What is to be painted.
        shown: What `show` returned of it, by name.
        changes: Changes each condition before it is told.

    Returns:
        -1 to 1, [rows, 3, height, width].
    """
    injection = inject(base.denoiser, branches)
    told = [changes(one) for plan in plans for one in tell(plan, shown[plan.name])]
    try:
        return paint_mmdit(base, words_of(plans[0], test.words), 0, injection, told, guidance=1.0)
    finally:
        injection.remove()


def judge_pictures(painted: Tensor, test: Pictures) -> dict[str, float]:
    """Return how well pictures are as they were to be.

    Returns:
        Percent: "edges", the F1 of edges; "shape" and "colour", how many show them; and "distance",
        Fréchet's, in what the judge sees, from the wanted ones.
    """
    judge = load_judge("shapes")
    shape, colour = judge.score(painted, test.words)
    return {
        "edges": edge_f1(painted, test.edges),
        "shape": shape,
        "colour": colour,
        "distance": judge.distance(painted, test.values),
    }
