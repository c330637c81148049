"""Small MM-DiTs that paint shapes by words, trained here by flow matching and then frozen.

`python -m tools.conditions_mmdits` trains what is not there yet under build/conditions/bases, and
prints how many of the painted pictures show what they were told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.measure.times import LogitNormal
from modalities.diffusion.small_mmdit import SmallMmdit, SmallMmditOptions
from tools.conditions_bases import (
    NOTHING,
    Batch,
    WordBase,
    load_or_train,
    paint,
    teach,
)
from tools.conditions_judges import load_judge
from tools.conditions_pictures import draw_shapes
from tools.conditions_training import FOLDER, Learnt, Lesson
from tools.digit_lessons import measured_once, seeded

STEPS = 12  # of sampling
DRAWN = 6000  # pictures that a base learns from
SEED = 0
LESSON = Lesson(steps=2000, rate=3e-3, warmup=100, batch=32)
TESTED = 200  # pictures that a base is judged by
RESULTS = FOLDER / "mmdits.json"
TIMES = LogitNormal()  # as Stable Diffusion 3 was trained
teach_mmdit = partial(teach, time=TIMES)
paint_mmdit = partial(paint, steps=STEPS)


@dataclass(frozen=True)
class MmditBaseOptions:
    """How a base is built.

    Attributes:
        vocabulary: How many words there are.
        denoiser: Sizes of its MM-DiT; the empty text has a token for each word.
    """

    vocabulary: int = 10
    denoiser: SmallMmditOptions = SmallMmditOptions()

    def __post_init__(self):
        if isinstance(self.denoiser, Mapping):  # as it is read from a file
            object.__setattr__(self, "denoiser", SmallMmditOptions(**self.denoiser))


class MmditBase(WordBase):
    """A small MM-DiT, and what each word is to it.

    Args:
        options: Its sizes.
    """

    def __init__(self, options: MmditBaseOptions):
        super().__init__()
        self.options = options
        self.denoiser = SmallMmdit(options.denoiser)
        self.words = nn.Embedding(options.vocabulary, options.denoiser.token_dim)
        self.pooled = nn.Linear(options.denoiser.token_dim, options.denoiser.pooled_dim, False)

    @property
    def network(self) -> Any:
        """What injectors are built for."""
        return self.denoiser.network

    def prompt(self, words: Tensor) -> Prompt:
        """Say what rows are about: a token for each word, and the vector of all.

        Args:
            words: int64, [rows, words]; NOTHING where a word is not told.
        """
        empty, vector = self.denoiser.empty, self.denoiser.vector
        assert vector is not None
        silent = (words == NOTHING)[..., None]
        known = self.words(words.clamp(min=0))
        tokens = torch.where(silent, empty.expand(len(words), -1, -1), known)
        pooled = self.pooled(torch.where(silent, torch.zeros_like(known), known).sum(1))
        return Prompt(tokens, None, vector + pooled)


BASES = {
    "flux": MmditBaseOptions(10, SmallMmditOptions(token_dim=32, pooled_dim=32, tokens=2)),
    "sd3": MmditBaseOptions(
        10, SmallMmditOptions(kind="sd3", layers=4, token_dim=32, pooled_dim=32, tokens=2)
    ),
}


def load_mmdit_base(kind: str, folder: Path = FOLDER / "bases") -> MmditBase:
    """Return a frozen MM-DiT that paints shapes; it is trained where there is no file of it.

    Args:
        kind: A name of BASES.
        folder: Where bases are kept.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / f"shapes_{kind}.safetensors"
    return load_or_train(MmditBase, MmditBaseOptions, path, lambda: train_mmdit_base(kind)[0])


def train_mmdit_base(
    kind: str, lesson: Lesson = LESSON, seed: int = SEED, drawn: int = DRAWN
) -> tuple[MmditBase, Learnt]:
    """Train a base from a seed.

    Args:
        kind: A name of BASES.
        lesson: How long and how fast.
        seed: Fixes weights and draws.
        drawn: How many pictures of the part that trains.
    """
    base: MmditBase = seeded(seed, lambda: MmditBase(BASES[kind]))
    pictures = draw_shapes("train", drawn, seed)

    def draw(generator: Generator, rows: int) -> Batch:
        some = pictures.take(torch.randint(len(pictures), (rows,), generator=generator))
        return Batch(some.values, some.words)

    found = teach_mmdit(base, [base], draw, lesson, seed)
    return base.requires_grad_(False).eval(), found


def measure_bases() -> dict[str, Any]:
    """Return what share of painted pictures show what they were told, by base, percent."""
    test, judge, found = draw_shapes("test", TESTED, SEED + 1), load_judge("shapes"), {}
    for kind in BASES:
        base = load_mmdit_base(kind)
        shape, colour = judge.score(paint_mmdit(base, test.words), test.words)
        weights = sum(p.numel() for p in base.parameters())
        found[kind] = {"weights": weights, "shape": shape, "colour": colour}
    return found


def main() -> None:
    """Train the bases, and say how good they are."""
    torch.set_num_threads(1)
    for kind, told in measured_once(RESULTS, measure_bases).items():
        print(
            f"{kind}: {told['weights']:,} weights; {told['shape']:.1f} % of the shapes and "
            f"{told['colour']:.1f} % of the colours are as told"
        )


if __name__ == "__main__":
    main()
