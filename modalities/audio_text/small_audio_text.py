"""A small audio-text embedding of our own: a convolutional encoder of sound, a table of texts."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from modalities.audio.audio_clips import embed_clips
from modalities.audio_text.tabled import TabledAudioText, check_table_texts
from modalities.network_file import load_network, save_network
from modalities.rates import RATE_HZ
from modalities.tensor_hash import hash_weights

FILE = "audio_text.safetensors"
WINDOW_S = 0.032  # of a spectrum; rounded up to a power of two samples, half of it a step
RANGE_DB = 80.0  # below a clip's loudest value all is alike
QUIET_DB = -30.0  # of the loudest value, below which a clip stays quiet instead of being raised
GROUPS = 8  # of channels that are normalised together


@dataclass(frozen=True)
class SmallAudioTextOptions:
    """Sizes of a small audio-text embedding, and the texts that it knows.

    Attributes:
        texts: What can be said of a sound, one of each or more, as "bell", "siren", "noise".
        dim: Features of an embedding.
        rate_hz: Samples per second of the sound that it takes.
        clip_s: Seconds that are encoded at once: shorter sound is repeated, longer is cut.
        mel_bins: Bands of the spectrogram.
        widths: Channels after each convolution, multiples of 8; all but the first halve bands
            and frames.

    Raises:
        ValueError: No text, one twice, or sizes of which no network can be made.
    """

    texts: tuple[str, ...]
    dim: int = 128
    rate_hz: int = RATE_HZ
    clip_s: float = 2.0
    mel_bins: int = 64
    widths: tuple[int, ...] = (32, 64, 96, 128)

    def __post_init__(self):
        check_table_texts(self.texts)
        if self.dim < 1 or self.rate_hz < 1000 or self.clip_s * self.rate_hz < self.window:
            raise ValueError(
                f"dim {self.dim}, rate_hz {self.rate_hz} and clip_s {self.clip_s}; expected 1, "
                f"1000 and {WINDOW_S} or more."
            )
        halved = 2 ** (len(self.widths) - 1) if self.widths else 0
        if not halved or self.mel_bins % halved or any(w < 1 or w % GROUPS for w in self.widths):
            raise ValueError(
                f"mel_bins {self.mel_bins} and widths {self.widths}; expected widths that are "
                f"multiples of {GROUPS}, and bands that all but the first can halve."
            )

    @property
    def window(self) -> int:
        """Samples of a spectrum, a power of two."""
        return 1 << (round(WINDOW_S * self.rate_hz) - 1).bit_length()

    @property
    def clip_samples(self) -> int:
        """Samples of what is encoded at once."""
        return round(self.clip_s * self.rate_hz)


class RelativeLogMel(nn.Module):
    """Log-mel spectrogram of clips against their own loudest value, so that level counts little.

    Args:
        options: Its rate, bands and window.
    """

    filters: Tensor
    window: Tensor

    def __init__(self, options: SmallAudioTextOptions):
        from transformers.audio_utils import mel_filter_bank

        super().__init__()
        filters = mel_filter_bank(
            num_frequency_bins=options.window // 2 + 1,
            num_mel_filters=options.mel_bins,
            min_frequency=0.0,
            max_frequency=options.rate_hz / 2,
            sampling_rate=options.rate_hz,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(options.window), persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Compute spectrograms, [clips, samples] -> [clips, mel_bins, frames], 0 to 1.

        0 is 80 dB below the clip's loudest value, and all of a clip that is silent.
        """
        size = len(self.window)
        padded = pad(clips, (size // 2, size // 2))
        pieces = padded.unfold(-1, size, size // 2)  # [clips, frames, window]
        spectra = torch.fft.rfft(pieces * self.window)
        power = spectra.real.square() + spectra.imag.square()
        lowest = 10 ** ((QUIET_DB - RANGE_DB) / 10)
        decibels = 10 * (power @ self.filters).clamp(min=lowest).log10()
        loudest = decibels.amax((1, 2), keepdim=True).clamp(min=QUIET_DB)
        return ((decibels - loudest) / RANGE_DB + 1).clamp(min=0).transpose(1, 2)


class SoundNetwork(nn.Module):
    """What is trained of a small audio-text embedding: clips to vectors.

    Args:
        options: Its sizes.
    """

    def __init__(self, options: SmallAudioTextOptions):
        super().__init__()
        self.log_mel = RelativeLogMel(options)
        ins = (1, *options.widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width_in, width, 3, 2 if place else 1, 1)
            for place, (width_in, width) in enumerate(zip(ins, options.widths, strict=True))
        )
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, width) for width in options.widths)
        bands = options.mel_bins // 2 ** (len(ins) - 1)
        self.out = nn.Linear(2 * bands * options.widths[-1], options.dim)

    def forward(self, clips: Tensor) -> Tensor:
        """Encode, [clips, samples] -> [clips, dim], of any length."""
        hidden = self.log_mel(clips)[:, None]  # [clips, 1, mel_bins, frames]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = gelu(norm(convolution(hidden)))
        columns = hidden.flatten(1, 2)  # [clips, channels * bands, frames]
        return self.out(torch.cat([columns.mean(-1), columns.amax(-1)], -1))


class SmallAudioText(TabledAudioText):
    """A small frozen audio-text embedding, where a CLAP is not to be had or too large.

    Its `network` alone learns; sounds are brought to the vectors of a table of texts, which stays
    as it is.

    Args:
        options: Its sizes and texts.
        table: Vectors of the texts, [texts, dim]; None takes directions that are as far from
            each other as they can be, the same for the same number of texts.
        name: What was asked for; error messages say it.

    Attributes:
        name: As it was given.
        rate_hz: Samples per second of the sound that it takes.
        dim: Features of an embedding.
        network: The encoder of sound; `requires_grad_(True)` on it lets it learn.

    Raises:
        ValueError: A table of another shape.
    """

    def __init__(
        self, options: SmallAudioTextOptions, table: Tensor | None = None, name: str = "small"
    ):
        super().__init__(options.texts, options.dim, table, name)
        self.options, self.rate_hz = options, options.rate_hz
        self.network = SoundNetwork(options)
        self.freeze()

    @property
    def identity(self) -> str:
        """A hash of the weights as they are now, the sizes, and the texts with their vectors."""
        told = repr((self.options, hash_weights(self)))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def embed_audio(self, waves: Tensor) -> Tensor:
        """Embed sound of any length, all rows as one batch.

        Args:
            waves: [rows, samples] at `rate_hz`, from -1 to 1.

        Returns:
            [rows, dim], each of length 1; gradients reach the waves.

        Raises:
            ValueError: Another shape, or no sound.
        """
        return embed_clips(waves, self.options.clip_samples, self.network)


def build_small_audio_text(
    vectors: Mapping[str, Tensor] | Sequence[str],
    seed: int = 0,
    **sizes: int | float | tuple[int, ...],
) -> SmallAudioText:
    """Build a small audio-text embedding whose network knows nothing yet.

    Args:
        vectors: Texts with their vectors, [dim] each, from a model of sentences; or texts alone,
            which get directions of their own.
        seed: Fixes the weights; torch's own generator is left as it was.
        sizes: Fields of `SmallAudioTextOptions` besides the texts; with vectors, dim is theirs.

    Raises:
        ValueError: Texts or sizes that do not fit.
    """
    texts, table = tuple(vectors), None
    if isinstance(vectors, Mapping) and texts:
        table = torch.stack([vectors[text] for text in texts])
        sizes["dim"] = table.shape[1]
    options = SmallAudioTextOptions(texts, **sizes)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallAudioText(options, table)


def load_small_audio_text(folder: str | Path) -> SmallAudioText:
    """Read what `save_small_audio_text` wrote.

    Raises:
        FileNotFoundError: The folder has no such file.
        ValueError: It is damaged.
    """
    model = load_network(SmallAudioText, SmallAudioTextOptions, Path(folder) / FILE)
    model.name = str(folder)
    return model


def save_small_audio_text(model: SmallAudioText, folder: str | Path, *, half: bool = True) -> None:
    """Write a small audio-text embedding as one file in a folder.

    Args:
        model: To write.
        folder: Made where it is not there.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    save_network(model, Path(folder) / FILE, half)
