"""A small FLUX that paints shapes by words, trained here and then frozen.

`python -m tools.conditions_editing` trains it where there is no file, and says how good it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.paths import FlowPath
from modalities.diffusion.measure.times import LogitNormal
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer
from modalities.network_file import load_network, save_network
from tools.conditions_judges import load_judge
from tools.conditions_pictures import SIDE, draw_shapes
from tools.conditions_training import FOLDER, Learnt, Lesson, learn
from tools.digit_lessons import seeded

PATCH, STEPS = 2, 12
PATH, TIME = FlowPath(to_source=True), LogitNormal()
LESSON = Lesson(steps=2500, rate=2e-3, warmup=100, batch=32)
DRAWN, SEED = 6000, 0


@dataclass(frozen=True)
class PainterOptions:
    """How the small FLUX is built.

    Attributes:
        vocabulary: How many words there are.
        token_dim: Width of a word's token.
        layers: Blocks of each of FLUX's two kinds.
        heads: Heads of 16 numbers.
    """

    vocabulary: int = 10
    token_dim: int = 32
    layers: int = 2
    heads: int = 4


class FluxPainter(nn.Module):
    """A small FLUX on pixels, and what each word is to it.

    Args:
        options: Sizes.
    """

    def __init__(self, options: PainterOptions):
        super().__init__()
        self.options = options
        sizes = SmallTransformerOptions(
            channels=3,
            patch=PATCH,
            layers=options.layers,
            single_layers=options.layers,
            heads=options.heads,
            token_dim=options.token_dim,
            pooled_dim=options.token_dim,
        )
        self.flux: Any = build_small_transformer(sizes).train()
        self.words = nn.Embedding(options.vocabulary, options.token_dim)

    def forward(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """Tell the velocity to noise, [rows, 3, height, width].

        Args:
            noisy: [rows, 3, height, width].
            times: 0 to 1 of each row, [rows].
            words: int64, [rows, words].
        """
        tokens = self.words(words)
        height, width = (side // PATCH for side in noisy.shape[2:])
        axes = [torch.arange(float(side)) for side in (height, width)]
        found = self.flux(
            hidden_states=functional.pixel_unshuffle(noisy, PATCH).flatten(2).mT,
            encoder_hidden_states=tokens,
            pooled_projections=tokens.mean(1),
            timestep=times,
            img_ids=torch.cartesian_prod(torch.zeros(1), *axes),
            txt_ids=torch.zeros(tokens.shape[1], 3),
        ).sample
        return functional.pixel_shuffle(found.mT.unflatten(2, (height, width)), PATCH)


def load_painter(folder: Path = FOLDER / "bases") -> FluxPainter:
    """Return the frozen FLUX, which is trained where there is no file of it.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / "flux_shapes.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_network(train_painter()[0], path, half=False)
    return load_network(FluxPainter, PainterOptions, path).requires_grad_(False).eval()


def train_painter(lesson: Lesson = LESSON, drawn: int = DRAWN) -> tuple[FluxPainter, Learnt]:
    """Train the FLUX to paint shapes by flow matching.

    Args:
        lesson: How long and how fast.
        drawn: Pictures that it learns from.
    """
    painter: FluxPainter = seeded(SEED, lambda: FluxPainter(PainterOptions()))
    pictures = draw_shapes("train", drawn, SEED)

    def losses(generator: Generator) -> Any:
        some = pictures.take(torch.randint(drawn, (lesson.batch,), generator=generator))
        return loss(painter, some.values, PATH, time=TIME, cond=some.words, generator=generator)

    learnt = learn([painter], losses, lesson, SEED)
    return painter.requires_grad_(False).eval(), learnt


@torch.no_grad()
def paint_flow(
    painter: FluxPainter,
    words: Tensor,
    seed: int = 0,
    injection: Injection | None = None,
    conditions: Sequence[Condition] = (),
    steps: int = STEPS,
) -> Tensor:
    """Paint by Euler's steps, -1 to 1, [rows, 3, height, width].

    Args:
        painter: In evaluation mode.
        words: int64, [rows, words].
        seed: Fixes the noise.
        injection: What stands on the FLUX.
        conditions: What it is told.
        steps: How often the FLUX looks.
    """
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(words), 3, SIDE, SIDE, generator=generator)

    def run(values: Tensor) -> Tensor:
        for step in range(steps):
            time = torch.full((len(words),), 1 - step / steps)
            values = values - painter(values, time, words) / steps
        return values

    if injection is None:
        return run(values)
    with injection.tell(*conditions):
        return run(values)


def main() -> None:
    """Train the FLUX, and say how good it is."""
    torch.set_num_threads(1)
    painter, test = load_painter(), draw_shapes("test", 300, 1)
    told = load_judge("shapes").score(paint_flow(painter, test.words), test.words)
    print(f"{sum(p.numel() for p in painter.parameters()):,} weights; percent as told: {told}")


if __name__ == "__main__":
    main()
