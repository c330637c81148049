"""The Audio Spectrogram Transformer behind the contract of audio encoders."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from modalities.audio.audio_encoder import AudioEncoder, mark
from modalities.audio.filterbank import FRAME_SAMPLES, Filterbank
from modalities.encoder import Features
from modalities.pretrained import find_folder, load_extractor, load_model
from modalities.rates import MEL_HOP_SAMPLES

if TYPE_CHECKING:
    from transformers import ASTModel

ASTS = {"ast-audioset": "MIT/ast-finetuned-audioset-10-10-0.4593"}
RANDOM = "ast-random"
MEAN, DEVIATION = -4.2677393, 4.5689974  # of AudioSet's log filterbank
Positions = Literal["cut", "interpolate"]


class AstEncoder(AudioEncoder):
    """From log filterbank to patches, the class and distillation tokens in front.

    Patches are in order of frequency, then time; none is masked in attention, as in training.

    Args:
        model: Used as it is, not copied.
        name: What was asked for, a name of `ASTS`, folder or hub id; error messages say it.
        positions: What to do where the table of positions has another length: "cut" its middle
            for shorter inputs and interpolate for longer ones, or always "interpolate".
        mean: What is subtracted from the log filterbank: its mean over the training data, in
            natural logarithm.
        deviation: Standard deviation of the log filterbank over the training data, above 0; the
            result is divided by twice of it.

    Raises:
        ValueError: No such way with positions.

    Source:
        transformers' ASTModel and ASTFeatureExtractor; YuanGongND/ast, ast_models.py.
    """

    max_s = math.inf  # only memory ends it
    special_tokens = 2
    min_samples = FRAME_SAMPLES

    def __init__(
        self,
        model: "ASTModel",
        name: str = "ast",
        positions: Positions = "cut",
        mean: float = MEAN,
        deviation: float = DEVIATION,
    ):
        super().__init__()
        config = model.config
        self.model, self.name = model, name
        self.positions: Positions = positions
        self.mean, self.unit = mean, 2 * deviation
        self.dim = config.hidden_size
        self.filterbank = Filterbank(config.num_mel_bins)
        self.bands = self._count_bands()
        if positions not in get_args(Positions):
            known = ", ".join(get_args(Positions))
            raise ValueError(f"Positions are {positions!r}; expected one of {known}.")
        self.freeze()

    @property
    def final_norm(self) -> nn.LayerNorm:
        """What follows the last layer."""
        return self.model.layernorm

    def front_end(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normalised log filterbank, [batch, samples / 160, mel_bins], and its mask.

        Frames that the clip does not fill are 0 before the normalisation.
        """
        mel = self.filterbank(waveform)
        frames = waveform.shape[1] // MEL_HOP_SAMPLES
        mask = mark(1 + (lengths - FRAME_SAMPLES) // MEL_HOP_SAMPLES, frames)
        mel = pad(mel, (0, 0, 0, frames - mel.shape[1])) * mask[..., None]
        return (mel - self.mean) / self.unit, mask

    def states(self, inputs: Tensor, mask: Tensor) -> Features:
        """Encode up to the last layer.

        Args:
            inputs: [batch, frames, mel_bins], 100 frames per second, as many as one patch or more.
            mask: [batch, frames], bool, True where sound is.

        Returns:
            [batch, 2 + patches, dim]; the mask is True where a patch hears any sound.

        Raises:
            ValueError: Inputs of another shape.
        """
        self._check_inputs(inputs, mask)
        hidden = self._embed(inputs)
        for layer in self.model.layers:
            hidden = layer(hidden, None)
        return Features(hidden, self._mask_tokens(mask), 0.0)

    def _embed(self, inputs: Tensor) -> Tensor:
        parts, batch = self.model.embeddings, len(inputs)
        specials = torch.cat([parts.cls_token, parts.distillation_token], 1).expand(batch, -1, -1)
        hidden = torch.cat([specials, parts.patch_embeddings(inputs)], 1)
        times = self._count_times(inputs.shape[1])
        return hidden + fit_positions(
            parts.position_embeddings, self._count_bands(), times, self.positions
        )

    def _mask_tokens(self, mask: Tensor) -> Tensor:
        times = mask[:, :: self.model.config.time_stride][:, : self._count_times(mask.shape[1])]
        return pad(times.repeat(1, self._count_bands()), (self.special_tokens, 0), value=True)

    def _count_times(self, frames: int) -> int:
        projection = self.model.embeddings.patch_embeddings.projection
        return (frames - projection.kernel_size[1]) // projection.stride[1] + 1

    def _count_bands(self) -> int:
        projection = self.model.embeddings.patch_embeddings.projection
        return (self.filterbank.mel_bins - projection.kernel_size[0]) // projection.stride[0] + 1

    def _check_inputs(self, inputs: Tensor, mask: Tensor) -> None:
        bins = self.filterbank.mel_bins
        good = inputs.ndim == 3 and inputs.shape[2] == bins
        if not good or mask.shape != inputs.shape[:2] or self._count_times(inputs.shape[1]) < 1:
            raise ValueError(
                f"Filterbank has shape {tuple(inputs.shape)} and mask {tuple(mask.shape)}; "
                f"{self.name} expects [batch, frames, {bins}] and [batch, frames], with a whole "
                "patch of frames or more."
            )


def fit_positions(table: Tensor, bands: int, times: int, positions: Positions) -> Tensor:
    """Fit a table of positions to an input; special tokens keep theirs.

    Args:
        table: [1, 2 + bands * its times, dim].
        bands: Patches over frequency.
        times: Patches over time that are wanted.
        positions: "cut" or "interpolate": what to do where the table has another length, see
            `AstEncoder`.

    Returns:
        [1, 2 + bands * times, dim].
    """
    specials, patches = table[:, :2], table[:, 2:]
    grid = patches.unflatten(1, (bands, -1))  # [1, bands, its times, dim]
    known = grid.shape[2]
    if times == known:
        return table
    if times < known and positions == "cut":
        start = known // 2 - times // 2
        grid = grid[:, :, start : start + times]
    else:
        grid = interpolate(grid.movedim(3, 1), (bands, times), mode="bilinear").movedim(1, 3)
    return torch.cat([specials, grid.flatten(1, 2)], 1)


def load_ast(name: str | Path = "ast-audioset", positions: Positions = "cut") -> AstEncoder:
    """Load an AST; that of "ast-random" has its shape, and weights that know nothing.

    Args:
        name: A folder that transformers saved, under old or new names of weights; else a name
            of `ASTS` or "ast-random"; else a hub id.
        positions: "cut" or "interpolate": what to do where the table has another length, see
            `AstEncoder`.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
    """
    if str(name) == RANDOM and not Path(name).is_dir():
        return random_ast(positions=positions)
    from transformers import ASTFeatureExtractor, ASTModel

    folder = find_folder(name, {**ASTS, RANDOM: ""})
    model = load_model(ASTModel, folder, ("audio-spectrogram-transformer",))
    extractor = load_extractor(ASTFeatureExtractor, folder) or ASTFeatureExtractor()
    return AstEncoder(model, str(name), positions, extractor.mean, extractor.std)


def random_ast(seed: int = 0, positions: Positions = "cut", **config: Any) -> AstEncoder:
    """Build an AST with random weights, positions and special tokens among them.

    Args:
        seed: Fixes all weights; torch's own generator is left as it was.
        positions: "cut" or "interpolate": what to do where the table has another length, see
            `AstEncoder`.
        config: Sizes of transformers' ASTConfig that differ from the true model's.
    """
    from transformers import ASTConfig, ASTModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ASTModel(ASTConfig(**config))
        parts = model.embeddings
        for table in (parts.cls_token, parts.distillation_token, parts.position_embeddings):
            nn.init.normal_(table, std=0.02)  # transformers leaves them 0
    return AstEncoder(model, RANDOM, positions)
