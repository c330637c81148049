"""Train an adapter of conditions on a painter that is frozen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.decoupled_tokens import AUTOENCODER, DecoupledTokens
from fusion.conditions.injection import inject
from modalities.audio.attribute_scale import Bounds
from modalities.diffusion.measure.catalog import build_sizes
from modalities.diffusion.measure.times import Late
from tasks.audio_to_image.painting.condition_training.config import ConditionConfig
from tasks.audio_to_image.painting.condition_training.examples import bounds_of, find_rows
from tasks.audio_to_image.painting.conditions.card import (
    ATTRIBUTES,
    EDGES,
    KINDS,
    SIZE,
    ConditionCard,
)
from tasks.audio_to_image.painting.conditions.edges import find_edges
from tasks.audio_to_image.painting.conditions.files import save_condition
from tasks.audio_to_image.painting.config import read_size
from tasks.audio_to_image.painting.examples import part_rows
from tasks.audio_to_image.painting.hearing import Report
from tasks.audio_to_image.painting.model import Batch, Group, PaintingModel
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.painting.samples import save_samples

MEASURED_AT_ONCE = 16
LOOKS = 4  # times at which each picture of the validation is looked at
SAMPLES = "samples.png"
NAME = "condition"  # by which what stands on the denoiser is called


class ConditionModel(nn.Module):
    """A frozen painter with an adapter of conditions that learns.

    Args:
        painter: Its denoiser is frozen, as is what reads sounds.
        config: Kind, preset and options.
        attributes: How many the adapter is told.
    """

    def __init__(self, painter: Painter, config: ConditionConfig, attributes: int):
        super().__init__()
        self.config = config
        self.painting = PaintingModel(painter.denoiser, painter.adapter)
        self.painting.requires_grad_(False)
        preset = config.preset or KINDS[config.kind]
        built = build_preset(
            painter.denoiser.network, preset, _options(config, painter, attributes)
        )
        (self.part, self.injector), *others = built.items()
        if others:
            raise ValueError(
                f"The preset {preset!r} has {len(built)} parts; expected one of a single part for "
                f"{config.kind}."
            )
        self.injection = inject(painter.denoiser, {NAME: self.injector})

    def train(self, mode: bool = True) -> "ConditionModel":
        """Switch what learns; the painter stays in evaluation mode."""
        super().train(mode)
        self.painting.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean loss over examples, "loss", and of what it consists."""
        errors, extra = [], []
        for group in batch:
            with self.told(group):
                errors.append(self.painting.losses(group))
            extra.append(self._divergence(group))
        mean, divergence = torch.cat(errors).mean(), torch.cat(extra).mean()
        loss = mean + self.config.divergence * divergence
        return {"loss": loss, "divergence": divergence} if self.causes else {"loss": loss}

    @property
    def causes(self) -> bool:
        """Whether attributes have a hidden cause, of which a term of the loss is made."""
        injector = self.injector
        return isinstance(injector, DecoupledTokens) and injector.options.tokeniser == AUTOENCODER

    def _divergence(self, group: Group) -> Tensor:
        found = self.injector.divergence if isinstance(self.injector, DecoupledTokens) else None
        return group["times"].new_zeros(1).float() if found is None else found

    @contextmanager
    def told(self, group: Group) -> Iterator[None]:
        """Tell the adapter what pictures are like, in training also what they look like."""
        if "edges" in group:
            conditions = [Condition(NAME, "map", group["edges"])]
        elif "values" in group:
            conditions = [Condition(NAME, "vector", group["values"])]
            if self.training and self.causes:
                codec: Any = self.painting.denoiser.codec
                seen = codec.encode(group["pictures"].float() / 255)
                conditions.append(Condition(NAME, "latent", seen))
        else:
            conditions = []
        with self.injection.tell(*conditions):
            yield


def _options(
    config: ConditionConfig, painter: Painter, attributes: int
) -> dict[str, dict[str, Any]]:
    """Return options of a preset, by the name of its part."""
    given = dict(config.options)
    if config.kind == EDGES:
        return {"map": {"channels": 1, "pixels": painter.denoiser.codec.multiple} | given}
    if config.kind == ATTRIBUTES:
        return {"attributes": {"dim": attributes} | given}
    return {"size": given}


class ConditionTraining:
    """The task; see `tasks.training.contract.Trainable`.

    Args:
        config: What is trained, on which pictures.
        device: Where sounds are heard before the training: "auto", "cpu", "cuda" or "mps".
        listening: Called with the mixtures heard, and all.

    Raises:
        FileNotFoundError: Pictures, sounds or the painter are not there.
        ValueError: They cannot be used, or do not fit each other.
    """

    def __init__(
        self, config: ConditionConfig, device: str = "auto", listening: Report | None = None
    ):
        self.config = config
        self.painter = painter = Painter.load(config.painter, device, conditions=None)
        self.examples = find_rows(config, painter, listening)
        self.left_out = self.examples.left_out
        self.parts = part_rows(self.examples.rows, config.data)
        self.size = len(self.parts["train"])
        self.native = painter.size
        self.sizes = [read_size(size) for size in config.data.sizes]
        for size in self.sizes:
            painter.denoiser.check_size(*size)
        self.sampler = build_sizes(config.sampler, self.native, self.sizes) if self.sizes else None
        self.weights = painter.denoiser.identity
        values = self.examples.values
        taught = None if values is None else values[self.parts["train"]]
        self.bounds: tuple[Bounds, ...] = (
            () if taught is None else bounds_of(taught, config.attributes)
        )
        torch.manual_seed(config.loop.seed)
        self.model = ConditionModel(painter, config, len(self.bounds))
        self.module: nn.Module = self.model

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return a picture, with noise, a time and what it is like, drawn for it alone."""
        return self._example(self.parts["train"][index], random)

    def _example(self, row: int, random: np.random.Generator) -> dict[str, Any]:
        examples, denoiser = self.examples, self.painter.denoiser
        size = self._draw_size(random)
        picture = examples.picture(row, size)
        noise = random.standard_normal(denoiser.codec.shape(*size), dtype=np.float32)
        example = {
            "pictures": torch.from_numpy(picture),
            "noise": torch.from_numpy(noise),
            "times": self._time(random.random()),
            "embeddings": self._heard(row),
        }
        if self.config.kind == EDGES:
            example["edges"] = torch.from_numpy(find_edges(picture))[None]
        if examples.values is not None:
            pairs = zip(self.bounds, examples.values[row].tolist(), strict=True)
            example["values"] = torch.tensor([b.share(v) for b, v in pairs]).clamp(0, 1)
        return example

    def _draw_size(self, random: np.random.Generator) -> tuple[int, int]:
        if self.sampler is None:
            return self.native
        return self.sizes[random.choice(len(self.sizes), p=self.sampler.probabilities.numpy())]

    def _heard(self, row: int) -> Tensor:
        options = self.painter.adapter.options
        if self.examples.embeddings is None:
            return torch.zeros(options.sources, options.dim)
        return self.painter.adapter.fill(self.examples.embeddings[row : row + 1])[0]

    def _time(self, share: float) -> Tensor:
        level = Late(self.config.late).quantile(torch.tensor(share, dtype=torch.float64))
        return self.painter.denoiser.noise.times_at(level)

    def collate(self, examples: list[dict[str, Any]]) -> Batch:
        """Make a batch of what `load` returned, a group for each size of pictures."""
        groups: dict[tuple[int, ...], list[dict[str, Any]]] = {}
        for example in examples:
            groups.setdefault(tuple(example["pictures"].shape), []).append(example)
        return [
            {name: torch.stack([one[name] for one in group]) for name in group[0]}
            for group in groups.values()
        ]

    def measure(self) -> dict[str, float]:
        """Mean loss on the validation with and without the condition, with the same noise."""
        told: list[Tensor] = []
        bare: list[Tensor] = []
        for group in self._measured():
            with self.model.told(group):
                told.append(self.model.painting.losses(group))
            with self.model.injection.bare():
                bare.append(self.model.painting.losses(group))
        if not told:
            return {}
        names = ("validation_loss", "validation_loss_without")
        return {n: float(torch.cat(v).mean()) for n, v in zip(names, (told, bare), strict=True)}

    def _measured(self) -> Iterator[Group]:
        """Yield groups of validation examples, each picture at some times spread over all."""
        seen = [(row, look) for row in self.parts["validation"] for look in range(LOOKS)]
        for start in range(0, len(seen), MEASURED_AT_ONCE):
            examples = []
            for row, look in seen[start : start + MEASURED_AT_ONCE]:
                random = np.random.default_rng([self.config.data.seed, row, look])
                example = self._example(row, random)
                example["times"] = self._time((look + random.random()) / LOOKS)
                examples.append(example)
            device = self.painter.denoiser.device
            for group in self.collate(examples):
                yield {name: value.to(device) for name, value in group.items()}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write what was trained, and some pictures that were painted with it."""
        card = self._card(measured)
        save_condition(folder, {self.model.part: self.model.injector}, card)
        if self.config.shown:
            save_samples(*self._paint_some(), folder / SAMPLES)

    def _paint_some(self) -> tuple[Tensor, list[np.ndarray]]:
        """Paint pictures of the validation again, each told what it is like."""
        rows = self.parts["validation"] or self.parts["train"]
        count = min(self.config.shown, len(rows))
        shown = [rows[n * len(rows) // count] for n in range(count)]
        size = self.sizes[-1] if self.sizes else self.native
        truths = [self.examples.picture(row, size) for row in shown]
        painted = []
        for number, row in enumerate(shown):
            random = np.random.default_rng([self.config.loop.seed, row])
            example = self._example(row, random)
            group = self.collate([example])[0]
            with self.model.told({n: v.to(self.painter.denoiser.device) for n, v in group.items()}):
                heard = example["embeddings"][None]
                painted.append(self.painter.paint(heard, seed=number, size=size))
        return torch.cat(painted), truths

    def _card(self, measured: dict[str, float]) -> ConditionCard:
        config = self.config
        return ConditionCard(
            kind=config.kind,
            preset=config.preset or KINDS[config.kind],
            denoiser=self.painter.card.denoiser,
            weights=self.weights,
            size=() if config.kind == SIZE else self.native,
            sizes=tuple(self.sizes),
            attributes=self.bounds,
            data=f"{self.size} pictures of {config.data.folder}",
            licence=config.licence,
            command=f"mcgurk train, seed {config.loop.seed}",
            trained=sum(p.numel() for p in self.model.injector.parameters()),
            scores={k: v for k, v in measured.items() if k.startswith("valid") or k == "seconds"},
        )
