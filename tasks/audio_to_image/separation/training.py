"""Train a separator."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from modalities.separation.network import SeparationNetwork
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.clips import Clips
from tasks.audio_to_image.separation.config import SeparationConfig
from tasks.audio_to_image.separation.found_clips import find_clips
from tasks.audio_to_image.separation.measuring import measure_separation
from tasks.audio_to_image.separation.model import Batch, SeparationModel
from tasks.audio_to_image.separation.ranking import embed_sounds, weigh
from tasks.audio_to_image.separation.separator_files import copy_weights, save_separator

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText


class Separation:
    """The task; see `tasks.training.contract.Trainable`.

    Args:
        config: Network, sounds, what is mixed of them, and how it is taught.
        audio_text: The model of sound and text; None loads that of the configuration.

    Raises:
        FileNotFoundError: Sounds are not there.
        ValueError: Sounds or the model of sound and text cannot be used.
    """

    def __init__(self, config: SeparationConfig, audio_text: "AudioText | None" = None):
        self.config = config
        options = config.network
        as_they_are = replace(config.mixtures, speed=1.0)
        trained, measured = (
            Clips(clips, mixtures, options.rate_hz, options.samples)
            for clips, mixtures in zip(
                find_clips(config.data), (config.mixtures, as_they_are), strict=True
            )
        )
        self.trained, self.measured = trained, measured
        self.left_out = trained.check(config.data) + measured.check(config.data)
        trained.check_apart(config.mixtures.most * config.mixtures.clips)
        measured.check_apart(max(config.mixtures.measured))
        self.size = len(trained)
        self.labels = trained.labels
        self.audio_text = audio_text or _load_audio_text(config.audio_text)
        torch.manual_seed(config.loop.seed)
        loop = config.loop.in_steps(self.size)
        network = SeparationNetwork(options)
        if config.start:
            copy_weights(config.start, network)
        self.model = SeparationModel(
            network,
            config.loss,
            self.audio_text,
            self._embed_labels(),
            loop.steps * loop.accumulation,
            config.significance,
        )
        self.module: nn.Module = self.model

    def _embed_labels(self) -> Tensor | None:
        if self.audio_text is None:
            return None
        prompts = [self.config.prompt.replace("{label}", label) for label in self.labels]
        return self.audio_text.embed_text(prompts)

    def load(self, index: int, random: np.random.Generator) -> Batch:
        """Return the references of a mixture with a clip in it, and its labels."""
        options = self.config.mixtures
        count = options.draw_count(random)
        found, labels = self.trained.draw(count, random, index, options.clips)
        references = np.zeros((options.most, found.shape[1]), np.float32)
        references[:count] = found
        numbers = [self.labels.index(label) for label in dict.fromkeys(labels)]
        room = options.most * options.clips * self.trained.most_labels
        numbers += [-1] * (room - len(numbers))
        return {"references": torch.from_numpy(references), "labels": torch.tensor(numbers)}

    def collate(self, examples: Sequence[Batch]) -> Batch:
        """Stack what `load` returned."""
        return {name: torch.stack([e[name] for e in examples]) for name in examples[0]}

    def measure(self) -> dict[str, float]:
        """Improvements of SI-SDR on mixtures of held-out sounds, the same each time."""
        options, found = self.config.mixtures, {}
        for count in options.measured:
            mixtures = (
                self.measured.draw(count, np.random.default_rng([count, number]))[0]
                for number in range(options.count)
            )
            rows = measure_separation(self._separate, mixtures, self.config.network)
            found |= {f"{name}_{count}": value for name, value in rows.items()}
        return found

    @torch.no_grad()
    def _separate(self, mixture: Tensor) -> tuple[np.ndarray, np.ndarray | None]:
        device = next(self.model.parameters()).device
        sources = self.model.network(mixture.to(device)[None])[0]
        if self.audio_text is None:
            return sources.cpu().numpy(), None
        waves = torch.cat([sources, mixture.to(sources)[None]])
        sounds = embed_sounds(self.audio_text, waves, self.config.network.rate_hz)
        likeness, energy = sounds[:-1] @ sounds[-1], sources.square().sum(1)
        found = weigh(likeness, energy, self.config.significance)
        return sources.cpu().numpy(), found.cpu().numpy()

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the separator."""
        config, audio_text = self.config, self.audio_text
        steps = measured.get("step", config.loop.steps)
        began = f", begun with {config.start}" if config.start else ""
        folders = ", ".join(f"{entry.dataset} {entry.folder}" for entry in config.data.values())
        card = SeparatorCard(
            audio_text=config.audio_text or (audio_text.name if audio_text else ""),
            identity=audio_text.identity if audio_text else "",
            dim=audio_text.dim if audio_text else 0,
            significance=config.significance,
            prompt=config.prompt,
            labels=tuple(self.labels),
            network=asdict(config.network),
            loss=asdict(config.loss),
            mixtures=asdict(config.mixtures),
            data=f"{self.size} sounds of {folders}",
            licence=config.licence,
            command=f"mcgurk train, {steps:.0f} steps, seed {config.loop.seed}{began}",
            parameters=sum(p.numel() for p in self.model.parameters() if p.requires_grad),
            scores={k: v for k, v in measured.items() if "sisdri" in k or k.startswith("rank_")},
            left_out=tuple(self.left_out),
        )
        beside = audio_text if config.keep_audio_text else None
        save_separator(folder, self.model.network, card, beside)


def _load_audio_text(name: str) -> "AudioText | None":
    if not name:
        return None
    from modalities.audio_text.models import load_audio_text

    return load_audio_text(name)
