"""Judges of painted pictures, trained apart from all that paints; each tells how good it is itself.

`python -m tools.conditions_judges` trains those of 16 pixels, and prints what they reach on
pictures by writers, or of draws, that nothing was trained on.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from modalities.network_file import load_network, save_network
from tasks.scoring.images import frechet_distance
from tools.conditions_pictures import (
    COLOURS,
    DRAWERS,
    SHAPES,
    SIDE,
    Pictures,
    find_edges,
    measure_digits,
)
from tools.conditions_sounds import draw_sounds
from tools.conditions_training import FOLDER, Lesson, learn
from tools.digit_lessons import seeded

# What each word of a picture may be, and where its numbers begin.
CLASSES = {
    "digits": ((0, 10),),
    "shapes": ((0, len(SHAPES)), (len(SHAPES), len(COLOURS))),
    "sounds": ((0, 10),),
}
FORMS = {"digits": 1, "shapes": 3, "sounds": 1}  # colours
JUDGED = {**DRAWERS, "sounds": draw_sounds}
LESSON = Lesson(steps=800, rate=3e-3, batch=64)
DRAWN = 6000  # pictures that a judge learns from
TRAINED, MEASURED = 71, 72  # seeds: pictures that judges learn from, and are measured with
TESTED = 1000  # pictures
NOISE = 0.15  # deviation of noise in training at most: painted pictures are never quite clean
NEAR = 3  # edge of the square in which an edge counts as found again: one pixel to each side


@dataclass(frozen=True)
class JudgeOptions:
    """What a judge tells.

    Attributes:
        name: A name of CLASSES.
        side: Height and width of its pictures in pixels.
        colours: 1 for grey pictures, else 3.
        classes: How many each word may be.
        widths: Channels after each convolution; each but the first halves height and width.
    """

    name: str = "digits"
    side: int = SIDE
    colours: int = 1
    classes: tuple[int, ...] = (10,)
    widths: tuple[int, ...] = (24, 32, 48)


class Judge(nn.Module):
    """Says what pictures of one size show.

    Args:
        options: Its sizes.
    """

    def __init__(self, options: JudgeOptions):
        super().__init__()
        self.options = options
        channels = (options.colours, *options.widths)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(given, width, 3, 2 if place else 1, 1)
            for place, (given, width) in enumerate(zip(channels, channels[1:], strict=False))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for width in options.widths)
        side = options.side
        for _ in options.widths[1:]:
            side = (side + 1) // 2
        self.hidden = nn.Linear(side * side * options.widths[-1], 64)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(64, sum(options.classes))

    def features(self, values: Tensor) -> Tensor:
        """Return what it sees, [rows, 64], of -1 to 1, [rows, colours, side, side]."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = functional.gelu(norm(convolution(values)))
        return functional.gelu(self.hidden(values.flatten(1)))

    def forward(self, values: Tensor) -> list[Tensor]:
        """Return the logits of each word, [rows, classes] each."""
        told = self.out(self.dropout(self.features(values)))
        return list(told.split(list(self.options.classes), 1))

    @torch.no_grad()
    def name(self, values: Tensor) -> Tensor:
        """Say what pictures show, as words, int64, [rows, words].

        Args:
            values: -1 to 1, [rows, colours, side, side].
        """
        starts = [first for first, _ in CLASSES[self.options.name]]
        parts = [self(part) for part in values.clamp(-1, 1).split(500)]
        told = [torch.cat(word).argmax(1) for word in zip(*parts, strict=True)]
        return torch.stack([one + first for one, first in zip(told, starts, strict=True)], 1)

    @torch.no_grad()
    def score(self, values: Tensor, words: Tensor) -> list[float]:
        """Return the percent of pictures that show each word that was told.

        Args:
            values: -1 to 1, [rows, colours, side, side].
            words: Those of DRAWERS, [rows, words].
        """
        right = (self.name(values) == words).double()
        return (100 * right.mean(0)).tolist()

    @torch.no_grad()
    def distance(self, values: Tensor, real: Tensor) -> float:
        """Return the Fréchet distance of painted and real pictures in what it sees.

        Args:
            values: -1 to 1, [rows, colours, side, side].
            real: Those that it is to be like, -1 to 1, [others, colours, side, side].
        """
        seen = [self.features(one.clamp(-1, 1)).numpy() for one in (values, real)]
        return frechet_distance(*(one.astype(np.float64) for one in seen))


def load_judge(name: str, side: int = SIDE, folder: Path = FOLDER / "judges") -> Judge:
    """Return a judge, which is trained where there is no file of it.

    Args:
        name: "digits"; "shapes", whose second word is the colour; or "sounds", spoken digits as
            `draw_sounds` pictures them.
        side: Height and width of its pictures in pixels.
        folder: Where judges are kept.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / f"{name}_{side}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_network(train_judge(name, side), path, half=False)
    return load_network(Judge, JudgeOptions, path)


def train_judge(name: str, side: int = SIDE, lesson: Lesson = LESSON, drawn: int = DRAWN) -> Judge:
    """Train a judge on pictures of its own.

    Args:
        name: A name of CLASSES.
        side: Height and width in pixels.
        lesson: How long and how fast.
        drawn: How many pictures.
    """
    classes = tuple(count for _, count in CLASSES[name])
    options = JudgeOptions(name, side, FORMS[name], classes)
    judge: Judge = seeded(TRAINED, lambda: Judge(options))
    pictures = JUDGED[name]("train", drawn, TRAINED, side)
    starts = [first for first, _ in CLASSES[name]]

    def losses(generator: Generator) -> dict[str, Tensor]:
        some = pictures.take(torch.randint(drawn, (lesson.batch,), generator=generator))
        strength = NOISE * torch.rand(lesson.batch, 1, 1, 1, generator=generator)
        noise = torch.randn(some.values.shape, generator=generator)
        told = judge(some.values + strength * noise)
        each = [
            functional.cross_entropy(one, some.words[:, place] - first)
            for place, (one, first) in enumerate(zip(told, starts, strict=True))
        ]
        return {"loss": torch.stack(each).sum()}

    learn([judge], losses, lesson, TRAINED)
    return judge.requires_grad_(False).eval()


def measure_judge(judge: Judge) -> list[float]:
    """Return the percent of each word that a judge tells right of pictures that it has not seen."""
    test = JUDGED[judge.options.name]("test", TESTED, MEASURED, judge.options.side)
    return judge.score(test.values, test.words)


def edge_f1(values: Tensor, edges: Tensor) -> float:
    """Return how well edges are found again in painted pictures: the mean F1, percent.

    Args:
        values: -1 to 1, [rows, colours, height, width].
        edges: What they were to be, 0 or 1, [rows, 1, height, width].
    """
    found = find_edges(values)
    near = [functional.max_pool2d(one, NEAR, 1, NEAR // 2) for one in (found, edges)]
    counts = [one.sum((1, 2, 3)) for one in (found, edges, found * near[1], edges * near[0])]
    precision = counts[2] / counts[0].clamp(min=1)
    recall = counts[3] / counts[1].clamp(min=1)
    return float(100 * (2 * precision * recall / (precision + recall).clamp(min=1e-9)).mean())


def rank_correlations(values: Tensor, attributes: Tensor) -> list[float]:
    """Return how attributes of painted digits go with those that were told, Spearman's each.

    Args:
        values: -1 to 1, [rows, 1, height, width].
        attributes: In the order of DIGIT_ATTRIBUTES, [rows, 3].
    """
    from scipy.stats import spearmanr

    found = measure_digits(values)
    return [
        float(spearmanr(found[:, place].numpy(), attributes[:, place].numpy())[0])  # type: ignore[arg-type]
        for place in range(attributes.shape[1])
    ]


def measure_shapes(values: Tensor) -> Tensor:
    """Measure where a shape lies and how large it is.

    Args:
        values: -1 to 1, [rows, 3, height, width].

    Returns:
        Column and row of its middle, and the root of its area, shares of the side, [rows, 3].
    """
    light = (values.amax(1) + 1) / 2
    ground = light.flatten(1).median(1).values.view(-1, 1, 1)
    shape = (light > (ground + light.amax((1, 2), keepdim=True)) / 2).float()
    height, width = shape.shape[1:]
    total = shape.sum((1, 2)).clamp(min=1)
    column = (shape.sum(1) * (torch.arange(width) + 0.5) / width).sum(1) / total
    row = (shape.sum(2) * (torch.arange(height) + 0.5) / height).sum(1) / total
    return torch.stack([column, row, (total / (height * width)).sqrt()], 1)


def main() -> None:
    """Train the judges, and say how good they are."""
    torch.set_num_threads(1)
    for name in CLASSES:
        told = measure_judge(load_judge(name))
        print(f"{name}: {', '.join(f'{one:.1f} %' for one in told)} of unseen pictures are right")
    test: dict[str, Pictures] = {name: DRAWERS[name]("test", 200, MEASURED) for name in CLASSES}
    for name, pictures in test.items():
        noisy = pictures.values + 0.05 * torch.randn(pictures.values.shape)
        print(f"{name}: edge F1 of slightly noisy pictures {edge_f1(noisy, pictures.edges):.1f}")


if __name__ == "__main__":
    main()
