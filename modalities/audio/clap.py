"""CLAP's audio tower behind the contract of audio encoders."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modalities.audio.audio_encoder import AudioEncoder
from modalities.audio.clap_log_mel import CLAP_RATE_HZ, FRAMES, ClapLogMel
from modalities.audio.resample import resample
from modalities.encoder import Features
from modalities.pretrained import find_folder, load_extractor, load_model
from modalities.rates import RATE_HZ

if TYPE_CHECKING:
    from transformers import ClapAudioModel

CLAPS = {"clap-htsat-unfused": "laion/clap-htsat-unfused"}
TYPES = ("clap", "clap_audio_model")


class ClapAudioEncoder(AudioEncoder):
    """From log-mel to the last map of HTSAT.

    Sound comes in at 16 kHz, as everywhere, and is brought to CLAP's 48 kHz inside: what lies
    above 8 kHz, which CLAP has heard in training, is missing.

    Args:
        model: Used as it is, not copied.
        name: What was asked for, a name of `CLAPS`, folder or hub id; error messages say it.
        log_mel: Its front end; None for that of the trained models.

    Raises:
        ValueError: A model that fuses several views of a long clip.

    Source:
        transformers' ClapAudioModel.
    """

    max_s = 10.0

    def __init__(
        self, model: "ClapAudioModel", name: str = "clap", log_mel: ClapLogMel | None = None
    ):
        super().__init__()
        if model.config.enable_fusion:
            raise ValueError(
                f"{name} has enable_fusion on, for clips over 10 s; expected a CLAP without it. "
                f"Take one such as {', '.join(CLAPS)}."
            )
        self.model, self.name = model, name
        self.log_mel = log_mel or ClapLogMel(model.config.num_mel_bins)
        self.dim = self.final_norm.normalized_shape[0]
        network = model.audio_encoder
        self.bands = network.input_resolutions[-1][0] // network.freq_ratio
        self.freeze()

    @property
    def final_norm(self) -> nn.LayerNorm:
        """What follows the last stage."""
        return self.model.audio_encoder.norm

    def front_end(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-mel of repeated clips, [batch, 1, 1001, mel_bins], and its mask."""
        sound = resample(waveform, RATE_HZ, CLAP_RATE_HZ)
        mel, mask = self.log_mel(sound, lengths * (CLAP_RATE_HZ // RATE_HZ))
        return mel[:, None], mask

    def states(self, inputs: Tensor, mask: Tensor) -> Features:
        """Encode up to the last stage.

        Args:
            inputs: [batch, 1, 1001, mel_bins] in dB.
            mask: [batch, 1001], bool, True where sound is.

        Returns:
            [batch, bands * times, dim], in order of frequency, then time; the mask is True where
            sound is.

        Raises:
            ValueError: Inputs of another shape.
        """
        self._check_inputs(inputs, mask)
        network = self.model.audio_encoder
        mel = network.batch_norm(inputs.transpose(1, 3)).transpose(1, 3)
        hidden = network.patch_embed(network.reshape_mel2img(mel))
        for stage, size in zip(network.layers, network.input_resolutions, strict=True):
            hidden = stage(hidden, size)[0]
        hidden = self._unfold(hidden)  # [batch, bands, times, dim]
        bands, times = hidden.shape[1:3]
        heard = torch.arange(times, device=mask.device) * FRAMES // times
        return Features(hidden.flatten(1, 2), mask[:, heard].repeat(1, bands), 0.0)

    def _unfold(self, hidden: Tensor) -> Tensor:
        """Put the stretches of time, which lie below each other in the picture, in a row."""
        network = self.model.audio_encoder
        height, width = network.input_resolutions[-1]
        stretches = network.freq_ratio
        grid = hidden.view(len(hidden), stretches, height // stretches, width, self.dim)
        return grid.transpose(1, 2).flatten(2, 3)

    def _check_inputs(self, inputs: Tensor, mask: Tensor) -> None:
        shape = (1, FRAMES, self.log_mel.filters.shape[1])
        if inputs.shape[1:] != shape or mask.shape != (len(inputs), FRAMES):
            raise ValueError(
                f"Log-mel has shape {tuple(inputs.shape)} and mask {tuple(mask.shape)}; "
                f"{self.name} expects [batch, {', '.join(map(str, shape))}] and [batch, {FRAMES}]."
            )


def load_clap_audio(name: str | Path = "clap-htsat-unfused") -> ClapAudioEncoder:
    """Load the audio tower of a CLAP.

    Args:
        name: A folder that transformers saved, of a whole CLAP or its audio tower; else a name
            of `CLAPS`; else a hub id.

    Raises:
        ValueError: No such model, damaged, one that fuses, or not to be had without network.
    """
    from transformers import ClapAudioModel, ClapFeatureExtractor

    folder = find_folder(name, CLAPS)
    model = load_model(ClapAudioModel, folder, TYPES, key_mapping={r"^audio_model\.": ""})
    log_mel = None
    if extractor := load_extractor(ClapFeatureExtractor, folder):
        low_hz, high_hz = extractor.frequency_min, extractor.frequency_max
        log_mel = ClapLogMel(model.config.num_mel_bins, low_hz, high_hz)
    return ClapAudioEncoder(model, str(name), log_mel)


def random_clap(seed: int = 0, **config: Any) -> ClapAudioEncoder:
    """Build an audio tower with random weights.

    Args:
        seed: Fixes all weights; torch's own generator is left as it was.
        config: Sizes of transformers' ClapAudioConfig that differ from the true model's.

    Raises:
        ValueError: Fusion is asked for.
    """
    from transformers import ClapAudioConfig, ClapAudioModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ClapAudioModel(ClapAudioConfig(**config))
    return ClapAudioEncoder(model, "clap-random")
