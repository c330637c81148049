"""Whisper's encoder behind the contract of audio encoders."""

from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import pad

from modalities.audio.audio_encoder import AudioEncoder, mark
from modalities.audio.log_mel import LogMel
from modalities.encoder import Features
from modalities.rates import MEL_HOP_SAMPLES, RATE_HZ, SAMPLES_PER_STATE
from modalities.speech.whisper import Whisper, load_whisper
from modalities.speech.whisper_encoder import WhisperEncoder


class WhisperAudioEncoder(AudioEncoder):
    """From log-mel to states, 50 per second, in windows of any length up to 30 s.

    Args:
        whisper: Its encoder is used as it is, not copied.
    """

    frequency_axis = -2

    def __init__(self, whisper: Whisper):
        super().__init__()
        self.name = whisper.name
        self.encoder = WhisperEncoder(whisper)
        self.log_mel = LogMel(whisper.mel_bins)
        self.dim = self.final_norm.normalized_shape[0]
        self.max_s = self.encoder.max_frames * MEL_HOP_SAMPLES / RATE_HZ
        self.freeze()

    @property
    def final_norm(self) -> nn.LayerNorm:
        """What follows the last layer."""
        return self.encoder.final_norm

    def front_end(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-mel of whole states, [batch, mel_bins, frames], and its mask."""
        mel = self.log_mel(pad(waveform, (0, -waveform.shape[1] % SAMPLES_PER_STATE)))
        return mel, mark((lengths + MEL_HOP_SAMPLES - 1) // MEL_HOP_SAMPLES, mel.shape[2])

    def states(self, inputs: Tensor, mask: Tensor) -> Features:
        """Encode up to the last layer.

        Args:
            inputs: [batch, mel_bins, frames], 100 per second, an even number up to 30 s.
            mask: [batch, frames], bool, True where sound is.

        Returns:
            [batch, frames / 2, dim] with a mask of that length.

        Raises:
            ValueError: Wrong number of bins or frames.
        """
        return self.encoder.states(inputs, mask)


def load_whisper_audio_encoder(name: str | Path) -> WhisperAudioEncoder:
    """Load the encoder of a Whisper; arguments and errors as in `load_whisper`."""
    return WhisperAudioEncoder(load_whisper(name))
