"""Train to paint: a denoiser on pictures alone, or sounds for one that is frozen."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
from modalities.diffusion.picture_hints import PictureHints
from modalities.diffusion.sampling import sample
from modalities.diffusion.small import SmallDenoiser, build_small
from modalities.diffusion.small_mmdit import SmallMmdit, build_small_mmdit
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.painting.config import ADAPTER, PaintingConfig, read_size
from tasks.audio_to_image.painting.examples import Examples, part_rows
from tasks.audio_to_image.painting.found_examples import find_examples
from tasks.audio_to_image.painting.hearing import Report
from tasks.audio_to_image.painting.model import Batch, Group, PaintingModel
from tasks.audio_to_image.painting.painter_files import save_painter
from tasks.audio_to_image.painting.rows import paint_rows
from tasks.audio_to_image.painting.samples import save_samples
from tasks.training.measures import MeasureOptions

MEASURED_AT_ONCE = 16
LOOKS = 4  # times at which each picture of the validation is looked at
SAMPLES = "samples.png"


class Painting:
    """The task; see `tasks.training.contract.Trainable`.

    Args:
        config: What is trained, on which pictures.
        device: Where mixtures are heard before the training, where that is asked for: "auto",
            "cpu", "cuda" or "mps".
        listening: Called with the mixtures heard, and all.

    Raises:
        FileNotFoundError: Pictures, embeddings or the denoiser are not there.
        ValueError: They cannot be used, or do not fit each other.
    """

    def __init__(
        self, config: PaintingConfig, device: str = "auto", listening: Report | None = None
    ):
        self.config = config
        with_sounds = config.stage == ADAPTER
        rows, embeddings, self.ear = find_examples(config, device, listening)
        parts = part_rows(rows, config.data)
        self.denoiser = _build_denoiser(config)
        self.parameters = sum(p.numel() for p in self.denoiser.parameters())
        self.weights = self.denoiser.identity if with_sounds else ""
        torch.manual_seed(config.loop.seed)
        self.adapter = AudioAdapter(self.denoiser, config.adapter) if with_sounds else None
        if self.adapter is not None and embeddings is not None:
            embeddings = self.adapter.fill(embeddings)
        self.model = PaintingModel(
            self.denoiser, self.adapter, self._build_hints(), config.measure or MeasureOptions()
        )
        self.module: nn.Module = self.model
        sizes = [read_size(size) for size in config.data.sizes] or [self.denoiser.side]
        for size in sizes:
            self.denoiser.check_size(*size)
        self.parts = {
            name: Examples(
                [rows[n] for n in numbers],
                None if embeddings is None else embeddings[numbers],
                sizes,
            )
            for name, numbers in parts.items()
        }
        self.size = len(self.parts["train"])

    def _build_hints(self) -> PictureHints | None:
        if not self.config.hints:
            return None
        channels = self.denoiser.codec.shape(*self.denoiser.side)[0]
        return PictureHints(channels, *self.denoiser.empty.shape)

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return a picture, with noise, a time and whether it is heard, drawn for it alone."""
        return self._example(self.parts["train"], index, random, training=True)

    def _example(
        self, part: Examples, index: int, random: np.random.Generator, training: bool
    ) -> dict[str, Any]:
        picture = part.picture(index)
        if training and self.config.data.flip and random.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
        shape = self.denoiser.codec.shape(*picture.shape[:2])
        example: dict[str, Any] = {
            "pictures": torch.from_numpy(picture),
            "noise": torch.from_numpy(random.standard_normal(shape, dtype=np.float32)),
            "times": self._time(random.random()),
        }
        if part.embeddings is not None:
            dropped = training and random.random() < self.config.drop
            heard = part.embeddings[index]
            if training and self.config.confused:
                heard = confuse(heard, part.embeddings, self.config.confused, random)
            example["embeddings"] = torch.zeros_like(heard) if dropped else heard
        if training and self.config.hints:
            example["hinted"] = torch.tensor(random.random() < self.config.hints)
        if training and self.denoiser.codec.spread:
            drawn = random.standard_normal(shape, dtype=np.float32)
            example["drawn"] = torch.from_numpy(drawn)
        return example

    def _time(self, share: float) -> Tensor:
        """Return the time, [], at a share of all that are drawn, 0 to below 1."""
        level = self.config.sampler.quantile(torch.tensor(share, dtype=torch.float64))
        return self.denoiser.noise.times_at(level)

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
        """Mean loss on the validation, with the same noise, and times spread as in training."""
        part = self.parts["validation"]
        if not len(part):
            return {}
        heard: list[Tensor] = []
        silent: list[Tensor] = []
        for group in self._measured(part):
            heard.append(self.model.losses(group))
            if self.adapter is not None:
                silent.append(self.model.losses(group, silent=True))
        found = {"validation_loss": float(torch.cat(heard).mean())}
        if silent:
            found["validation_loss_without_sounds"] = float(torch.cat(silent).mean())
        return found

    def _measured(self, part: Examples) -> list[Group]:
        """Return groups of validation examples, each picture at some times spread over all."""
        seen = [(n, look) for n in range(len(part)) for look in range(LOOKS)]
        groups: list[Group] = []
        for start in range(0, len(seen), MEASURED_AT_ONCE):
            examples = []
            for n, look in seen[start : start + MEASURED_AT_ONCE]:
                random = np.random.default_rng([self.config.data.seed, n, look])
                example = self._example(part, n, random, training=False)
                example["times"] = self._time((look + random.random()) / LOOKS)
                examples.append(example)
            groups += self.collate(examples)
        device = self.denoiser.device
        return [{name: value.to(device) for name, value in group.items()} for group in groups]

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the denoiser or the painter, and some pictures of it."""
        if self.adapter is None:
            assert isinstance(self.denoiser, SmallDenoiser | SmallMmdit)
            save_denoiser(self.denoiser, folder)
        else:
            card = self._card(measured)
            save_painter(folder, self.denoiser, self.adapter, card)
        if self.config.shown:
            save_samples(*self._paint_some(), folder / SAMPLES)

    def _paint_some(self) -> tuple[Tensor, list[np.ndarray]]:
        """Paint what the sheet shows; with sounds, the pictures that were meant as well."""
        if self.adapter is None:
            seeds = range(self.config.shown)
            return sample(self.denoiser, seeds, steps=self.config.steps).cpu(), []
        part = self.parts["validation"] if len(self.parts["validation"]) else self.parts["train"]
        count = min(self.config.shown, len(part))
        shown = [n * len(part) // count for n in range(count)]
        assert part.embeddings is not None
        painted = paint_rows(
            self.denoiser,
            self.adapter,
            part.embeddings[shown],
            self.config.loop.seed,
            self.config.steps,
            self.config.guidance,
        )
        return painted, [part.picture(n) for n in shown]

    def _card(self, measured: dict[str, float]) -> PainterCard:
        config = self.config
        assert self.adapter is not None
        return PainterCard(
            denoiser=config.denoiser,
            weights=self.weights,
            adapter=asdict(config.adapter),
            steps=config.steps,
            guidance=config.guidance,
            data=f"{self.size} pictures of {config.data.folder}",
            licence=config.licence,
            command=f"mcgurk train, seed {config.loop.seed}",
            trained=sum(p.numel() for p in self.adapter.parameters()),
            parameters=self.parameters,
            scores={k: v for k, v in measured.items() if k.startswith("valid") or k == "seconds"},
            separator=config.separator,
            audio_text=config.audio_text,
            ear=self.ear,
            heard=config.embeddings if self.ear else "",
            pictures=asdict(config.data),
        )


def confuse(heard: Tensor, others: Tensor, most: float, random: np.random.Generator) -> Tensor:
    """Add to each embedding some of another's, so that it still is the nearer to its own sound.

    Args:
        heard: Of length 1, or 0 where a source is silent and stays so, [sources, dim].
        others: Those of all examples, [examples, sources, dim].
        most: Up to how much is added, 0 to below 1.
        random: Draws how much, and of which.

    Returns:
        As long as before, [sources, dim].
    """
    sources = len(heard)
    rows, columns = (
        random.integers(len(others), size=sources),
        random.integers(sources, size=sources),
    )
    shares = torch.from_numpy(random.uniform(0, most, (sources, 1)).astype(np.float32))
    moved = heard + shares * others[rows, columns]
    return torch.where(heard.any(-1, keepdim=True), normalize(moved, dim=-1), heard)


def _build_denoiser(config: PaintingConfig) -> Denoiser:
    if config.stage == ADAPTER:
        return load_denoiser(config.denoiser)
    if config.mmdit is not None:
        return build_small_mmdit(config.mmdit, config.loop.seed)
    return build_small(config.small, config.loop.seed)
