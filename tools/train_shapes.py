"""Train the small encoder of pictures "shapes": `python -m tools.train_shapes DST [--steps 3000]`.

It stands where CLIP's ResNet stands in the published models, and is of that kind: a ResNet whose
grid of cells is read. It learns from rendered scenes of both worlds, without words, to say of the
cell where a thing's centre is what size, pattern, colour and shape it has. Pictures are drawn as
they are needed; a run that was killed goes on where it was.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from data_prep.questions.scenes.drawing import Picture, render_picture
from data_prep.questions.scenes.world import AXES, WORLDS
from modalities.tensor_file import write_tensors
from modalities.vision_language.grid_encoder import ClipPictures
from modalities.vision_language.grid_files import save_pictures
from tasks.cli.progress import progress_bar
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tools.exporting import write_model_card

SIDE, CELLS = 160, 10  # pixels, and cells of the grid, of each side
SIZES: dict[str, Any] = dict(
    embedding_size=32,
    hidden_sizes=[32, 64, 128],
    depths=[1, 2, 2],
    layer_type="basic",
    num_channels=3,
)
PICTURES = ClipPictures(SIDE, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
SEED = 77  # of pictures; those of questions have others
EPOCH, MEASURED = 40_000, 200  # pictures
NOTHING = -1  # in a cell
CARD = """---
license: cc0-1.0
---
# {name}

A ResNet of {millions:.1f} million parameters, weights in float16, that transformers'
`ResNetModel` reads and `load_grid_encoder("{name}")` gives as a grid of 10 x 10 cells, pooled to
6 x 6. `python -m tools.train_shapes` trained it on rendered scenes of both worlds of
data_prep/questions/scenes, without words: it says of the cell where a thing's centre is what size,
pattern, colour and shape it has. Of pictures that it had not seen it tells all four rightly for
{things:.1f} % of the things, and for {cells:.1f} % of the cells whether a centre is in them.

What it is not: an encoder of photographs. It has seen flat shapes on plain grounds, and nothing
else.
"""
VALUES = {
    axis: tuple(dict.fromkeys(v for world in WORLDS.values() for v in world.values[axis]))
    for axis in AXES
}


class ShapeNetwork(nn.Module):
    """A ResNet, and a linear layer on each cell that says what is there."""

    def __init__(self):
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        self.resnet = ResNetModel(ResNetConfig(**SIZES))
        outputs = 1 + sum(map(len, VALUES.values()))
        self.head = nn.Conv2d(SIZES["hidden_sizes"][-1], outputs, 1)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return "loss" for "pixels" [n, 3, SIDE, SIDE] and "labels" [n, cells, axes]."""
        told, labels = self.tell(batch["pixels"]), batch["labels"]
        there = labels[..., 0] != NOTHING
        found = binary_cross_entropy_with_logits(told["there"][..., 0], there.float())
        parts = [
            cross_entropy(told[axis][there], labels[there][:, number])
            for number, axis in enumerate(AXES)
        ]
        return {"loss": 3 * found + torch.stack(parts).sum()}

    def tell(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return logits of each cell, [n, cells, values], by axis, and of "there": is a thing."""
        maps = self.head(self.resnet(pixels).last_hidden_state).flatten(2).transpose(1, 2)
        there, *rest = maps.split([1, *map(len, VALUES.values())], -1)
        return {"there": there, **dict(zip(VALUES, rest, strict=True))}


class ShapeLearning:
    """The task; see `tasks.training.contract.Trainable`."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.module: nn.Module = ShapeNetwork()
        self.size = EPOCH

    def load(self, index: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Draw a picture and say what is where; even numbers are of the seen world."""
        return _example(index)

    def collate(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack pictures."""
        return {name: torch.stack([one[name] for one in examples]) for name in examples[0]}

    def measure(self) -> dict[str, float]:
        """Percent of things of which all is told rightly, and of cells that are right as such."""
        network: Any = self.module
        right, things, cells = 0, 0, 0.0
        for start in range(EPOCH, EPOCH + MEASURED, 20):
            batch = self.collate([_example(n) for n in range(start, start + 20)])
            device = next(network.parameters()).device
            with torch.no_grad():
                told = network.tell(batch["pixels"].to(device))
            labels = batch["labels"].to(device)
            there = labels[..., 0] != NOTHING
            said = torch.stack([told[axis].argmax(-1) for axis in AXES], -1)
            right += int((said[there] == labels[there]).all(-1).sum())
            things += int(there.sum())
            cells += float(((told["there"][..., 0] > 0) == there).float().mean())
        return {"things": 100 * right / things, "cells": 100 * cells / (MEASURED / 20)}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the ResNet as transformers reads it, in float16."""
        network: Any = self.module
        write_tensors(
            folder / "model.safetensors", network.resnet.state_dict(), {"format": "pt"}, half=True
        )
        network.resnet.config.save_pretrained(folder)
        save_pictures(PICTURES, folder)
        count = sum(parameter.numel() for parameter in network.resnet.parameters())
        told = {name: measured.get(name, float("nan")) for name in ("things", "cells")}
        write_model_card(folder, CARD.format(name=folder.name, millions=count / 1e6, **told))


def _example(number: int) -> dict[str, Tensor]:
    drawn = render_picture(SEED, number // 2, ("seen", "unseen")[number % 2], SIDE)
    pixels = PICTURES.prepare(drawn.image.astype(np.float32) / 255)
    return {"pixels": pixels, "labels": label(drawn)}


def label(drawn: Picture) -> Tensor:
    """Return what is where: [cells, axes], numbers of values, NOTHING where no centre is."""
    labels = torch.full((CELLS * CELLS, len(AXES)), NOTHING)
    for thing in drawn.scene.things:
        row, column = (min(CELLS - 1, int(place * CELLS)) for place in (thing.y, thing.x))
        values = [VALUES[axis].index(getattr(thing, axis)) for axis in AXES]
        labels[row * CELLS + column] = torch.tensor(values)
    return labels


def main() -> None:
    """Train, and say where the encoder is."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_shapes", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        options = LoopOptions(
            steps=given.steps,
            batch=32,
            learning_rate=2e-3,
            warmup=100,
            measure_every=500,
            checkpoint_every=100,
            seed=given.seed,
        )
        with progress_bar("Training", False, "{:.0f} steps".format) as show:
            found = train(ShapeLearning(given.seed), options, given.folder, show, "cpu")
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    told = ", ".join(f"{name} {value:.1f} %" for name, value in found.items() if name != "step")
    print(f"{given.folder}: {told}")


if __name__ == "__main__":
    main()
