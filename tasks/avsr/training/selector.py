"""Train the classifier of noise scenarios: which noise, and how loud."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from modalities.audio.log_mel import LogMel
from modalities.network_file import save_network
from modalities.rates import MEL_HOP_SAMPLES, PIECE_MEL_FRAMES, PIECE_SAMPLES
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import SelectorConfig
from tasks.avsr.training.noise_maker import NoiseMaker, Noisy

CLEAN_DB = 25.0  # what clean sound counts as
LEVELS_DB = (-10.0, -5.0, 0.0, 5.0, 10.0)


class SelectorTraining:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Clips, noise, sizes of the network, and how it is trained.

    Raises:
        FileNotFoundError: Data are not there.
    """

    def __init__(self, config: SelectorConfig):
        self.config = config
        data = config.data
        self.training = load_clips(find_clips(data, data.train), data.folder)
        self.validation = load_clips(find_clips(data, data.validation), data.folder)
        self.noise = NoiseMaker(config.noise, [sample.waveform for sample in self.training])
        torch.manual_seed(config.loop.seed)
        options = {**vars(config.selector), "categories": tuple(config.noise.categories)}
        self.network = ScenarioClassifier(ScenarioOptions(**options))
        self.module: nn.Module = _Learner(self.network)
        self.log_mel = LogMel(config.selector.mel_bins)
        self.size = len(self.training)

    def load(self, index: int, random: np.random.Generator) -> Noisy:
        """Return a noisy clip that begins a little later or earlier, louder or softer."""
        speech = self.training[index].waveform
        moved = np.zeros(PIECE_SAMPLES, np.float32)
        part = speech[int(random.integers(0, 8000)) :][:PIECE_SAMPLES]
        moved[: len(part)] = part
        noisy = self.noise.add(moved[: max(len(part), 24_000)], index, random)
        gain = float(10 ** random.uniform(-1, 0.2))
        return Noisy(noisy.waveform * gain, noisy.speech, noisy.category, noisy.snr_db)

    def collate(self, examples: Sequence[Noisy]) -> dict[str, Tensor]:
        """Compute log-mels, the mask of what is real, and the answers."""
        names = self.network.options.categories
        lengths = [len(e.waveform) for e in examples]
        padded = [np.pad(e.waveform, (0, PIECE_SAMPLES - len(e.waveform))) for e in examples]
        frames = torch.tensor(lengths) // MEL_HOP_SAMPLES
        return {
            "mel": self.log_mel(torch.from_numpy(np.stack(padded))),
            "mask": torch.arange(PIECE_MEL_FRAMES) < frames[:, None],
            "category": torch.tensor(
                [names.index(e.category) if e.category else -100 for e in examples]
            ),
            "snr_db": torch.tensor([CLEAN_DB if e.snr_db is None else e.snr_db for e in examples]),
        }

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Share of right categories and levels on validation clips, and error of the level."""
        names = self.network.options.categories
        chosen = self.validation[: self.config.validation_clips or None]
        found: dict[str, list[float]] = {"category_accuracy": [], "level_error_db": []}
        for category in names:
            for level in LEVELS_DB:
                noisy = [
                    self.noise.at(s.waveform[:PIECE_SAMPLES], category, level, [9, n])
                    for n, s in enumerate(chosen)
                ]
                batch = self.collate(noisy)
                logits, snr_db = self.network(batch["mel"], batch["mask"])
                right = (logits.argmax(1) == names.index(category)).float()
                if level <= 0:
                    found["category_accuracy"] += (100 * right).tolist()
                found["level_error_db"] += (snr_db - level).abs().tolist()
        return {name: float(np.mean(values)) for name, values in found.items()}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write selector.safetensors."""
        save_network(self.network, folder / "selector.safetensors")


class _Learner(nn.Module):
    def __init__(self, network: ScenarioClassifier):
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits, snr_db = self.network(batch["mel"], batch["mask"])
        category = functional.cross_entropy(
            logits, batch["category"], ignore_index=-100, label_smoothing=0.05
        )
        level = functional.smooth_l1_loss(snr_db / 10, batch["snr_db"] / 10, beta=0.2)
        return {"loss": category + 2 * level, "category": category, "level": level}
