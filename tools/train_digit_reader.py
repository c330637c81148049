"""Train what reads pictures of digits: `python -m tools.train_digit_reader DST [--steps 1500]`.

It says which digit stands in a picture, or which two do, and so measures what was painted. It
learns from scikit-learn's digits of the part that trains, drawn as they are needed, and is
measured on the other part. A run that was killed goes on where it was.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from data_prep.mixtures.digit_pictures import SIZE, draw_digits, load_written_digits
from modalities.network_file import load_network, save_network
from tasks.cli.progress import progress_bar
from tasks.training.loop import train
from tasks.training.options import LoopOptions

FILE = "reader.safetensors"
DIGITS, NOTHING = 10, 10  # what may stand first, and what stands second where there is one alone
EPOCH, MEASURED = 20_000, 1000  # pictures
AT_ONCE = 250
BLUR, NOISE = 0.8, 0.08  # most of each: painted digits are never as clean as those that were drawn
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class ReaderOptions:
    """Sizes of a reader.

    Attributes:
        widths: Channels after each convolution, multiples of 8; each but the first halves height
            and width.
    """

    widths: tuple[int, ...] = (24, 32, 48)


class DigitReader(nn.Module):
    """Says which digits a picture shows.

    Args:
        options: Its sizes.
    """

    def __init__(self, options: ReaderOptions):
        super().__init__()
        self.options = options
        widths = options.widths
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width_in, width, 3, 2 if place else 1, 1)
            for place, (width_in, width) in enumerate(zip((1, *widths[:-1]), widths, strict=True))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for width in widths)
        places = SIZE[0] * SIZE[1] // 4 ** (len(widths) - 1)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(places * widths[-1], DIGITS + DIGITS + 1)

    def forward(self, batch: Batch) -> Batch:
        """Return "loss" for "pictures" [n, height, width] and "numbers" [n, 2]."""
        told = self.tell(batch["pictures"])
        losses = [cross_entropy(one, batch["numbers"][:, n]) for n, one in enumerate(told)]
        return {"loss": torch.stack(losses).sum()}

    def tell(self, pictures: Tensor) -> list[Tensor]:
        """Return logits of the first digit, [n, 10], and of the second, [n, 11], the last: none.

        Args:
            pictures: Grey, 0..1, [n, height, width].
        """
        hidden = pictures[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = gelu(norm(convolution(hidden)))
        return list(self.out(self.dropout(hidden.flatten(1))).split([DIGITS, DIGITS + 1], 1))

    @torch.no_grad()
    def read(self, pictures: Tensor) -> list[tuple[int, ...]]:
        """Return the digits of pictures, from left to right.

        Args:
            pictures: 0..1, [n, *SIZE, 3], as a painter returns them.
        """
        found: list[tuple[int, ...]] = []
        for part in pictures.mean(-1).split(AT_ONCE):
            first, second = (one.argmax(1).tolist() for one in self.tell(part))
            found += [
                (one,) if other == NOTHING else (one, other)
                for one, other in zip(first, second, strict=True)
            ]
        return found


class DigitReading:
    """The task; see `tasks.training.contract.Trainable`."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.reader = DigitReader(ReaderOptions())
        self.module: nn.Module = self.reader
        self.size = EPOCH

    def load(self, index: int, random: np.random.Generator) -> Batch:
        """Draw one digit or two, a little moved, blurred and noisy."""
        pictures, numbers = _draw("train", random)
        shift = random.integers(-1, 2, 2)
        grey = np.roll(pictures, shift, (0, 1))
        grey = cv2.GaussianBlur(grey, (3, 3), max(1e-3, BLUR * random.random()))
        grey = grey * random.uniform(0.6, 1.1) + NOISE * random.random() * random.standard_normal(
            SIZE
        )
        return _example(grey.clip(0, 1), numbers)

    def collate(self, examples: Sequence[Batch]) -> Batch:
        """Stack what `load` returned."""
        return {name: torch.stack([one[name] for one in examples]) for name in examples[0]}

    def measure(self) -> dict[str, float]:
        """Percent of pictures by other people that are read wholly right."""
        return {"read": measure_reader(self.reader)}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write it."""
        save_network(self.reader, folder / FILE)


def measure_reader(reader: DigitReader) -> float:
    """Return the percent of held-out pictures, of one digit or two, that are read wholly right."""
    drawn = [_draw("test", np.random.default_rng((1, n))) for n in range(MEASURED)]
    pictures = torch.from_numpy(np.stack([one for one, _ in drawn]).astype(np.float32))
    found = reader.read(pictures[..., None])
    return 100 * float(np.mean([a == b for a, (_, b) in zip(found, drawn, strict=True)]))


def load_reader(folder: Path) -> DigitReader:
    """Read what was trained.

    Raises:
        FileNotFoundError: The folder has no such file.
        ValueError: It is damaged.
    """
    return load_network(DigitReader, ReaderOptions, folder / FILE)


def _draw(part: str, random: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    numbers = random.choice(DIGITS, int(random.integers(1, 3)), replace=False).tolist()
    picture = draw_digits(numbers, load_written_digits(part), random)
    return picture[..., 0] / 255, tuple(numbers)


def _example(picture: np.ndarray, numbers: tuple[int, ...]) -> Batch:
    told = [*numbers, NOTHING][:2]
    return {
        "pictures": torch.from_numpy(picture.astype(np.float32)),
        "numbers": torch.tensor(told),
    }


def main() -> None:
    """Train, and say how well it reads."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_digit_reader", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        loop = LoopOptions(
            steps=given.steps, batch=32, learning_rate=2e-3, warmup=100, seed=given.seed
        )
        with progress_bar("Training", False, "{:.0f} steps".format) as show:
            found = train(DigitReading(given.seed), loop, given.folder, show, "cpu")
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {found['read']:.1f} % of held-out pictures are read wholly right")


if __name__ == "__main__":
    main()
