"""The contract between an audio encoder and whatever classifies its tokens."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from modalities.encoder import Features, FrozenEncoder
from modalities.rates import RATE_HZ


class AudioEncoder(FrozenEncoder):
    """A frozen encoder of clips of sound, from the waveform on.

    A subclass gives the attributes, `final_norm`, `front_end` and `states`.

    Attributes:
        name: What was asked for.
        dim: Features of each token, as 768.
        max_s: The longest window, in seconds; infinite where only memory ends it.
        special_tokens: So many first tokens are no patch of sound.
        bands: Patches over frequency; tokens are in order of frequency, then time.
        min_samples: The shortest clip in a window, in samples at 16 kHz.
        frequency_axis: Which axis of the inputs is frequency: -1, or -2 where time comes last.
    """

    name: str
    dim: int
    max_s: float
    special_tokens: int = 0
    bands: int = 1
    min_samples: int = 1
    frequency_axis: int = -1

    @property
    def final_norm(self) -> nn.LayerNorm:
        """What ends the encoder, after `states`."""
        raise NotImplementedError

    @torch.no_grad()
    def prepare(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `states` takes, on the encoder's device and without gradient.

        Args:
            waveform: Windows of one length at 16 kHz, [batch, samples]; what lies beyond the
                clip in a window is taken for silence.
            lengths: [batch], samples of each clip.

        Returns:
            The inputs, [batch, ...], and their mask, [batch, frames], bool, True where sound is.

        Raises:
            ValueError: A clip is too short, a window too long, or the shapes do not fit.
        """
        self._check_clips(waveform, lengths)
        device = next(self.parameters()).device
        lengths = lengths.to(device)
        waveform = waveform.to(device, torch.float32)
        with torch.autocast(device.type, enabled=False):
            return self.front_end(waveform * mark(lengths, waveform.shape[1]), lengths)

    def front_end(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Do the work of `prepare` on windows that are checked, and 0 beyond their clips."""
        raise NotImplementedError

    def states(self, inputs: Tensor, mask: Tensor) -> Features:
        """Encode up to the last layer.

        Args:
            inputs: From `prepare`.
            mask: From `prepare`.

        Returns:
            [batch, tokens, dim] before `final_norm`; the mask is True for special tokens, and
            for those that hear any sound.

        Raises:
            ValueError: Inputs of another shape.
        """
        raise NotImplementedError

    def forward(self, inputs: Tensor, mask: Tensor) -> Features:
        """Encode: `final_norm` of `states`; arguments and errors as there."""
        features = self.states(inputs, mask)
        return replace(features, values=self.final_norm(features.values))

    def _check_clips(self, waveform: Tensor, lengths: Tensor) -> None:
        if waveform.ndim != 2 or lengths.shape != waveform.shape[:1] or not len(lengths):
            raise ValueError(
                f"Waveform has shape {tuple(waveform.shape)} and lengths {tuple(lengths.shape)}; "
                "expected [batch, samples] and [batch], with at least one clip."
            )
        shortest, longest = int(lengths.min()), int(lengths.max())
        if shortest < self.min_samples or longest > waveform.shape[1]:
            raise ValueError(
                f"Clips have {shortest} to {longest} samples in {waveform.shape[1]}; {self.name} "
                f"expects at least {self.min_samples} and no more than there are. Pad with zeros."
            )
        if waveform.shape[1] > self.max_s * RATE_HZ:
            raise ValueError(
                f"A window lasts {waveform.shape[1] / RATE_HZ:g} s; {self.name} takes up to "
                f"{self.max_s:g} s. Cut it."
            )


def mark(lengths: Tensor, width: int) -> Tensor:
    """Return [batch, width], bool, True in the first `lengths` [batch] places of each row."""
    return torch.arange(width, device=lengths.device) < lengths[:, None]
