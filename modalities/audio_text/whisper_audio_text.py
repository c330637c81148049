"""Spoken words and their texts in one space, by what a frozen Whisper is about to write."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, pad

from modalities.audio.audio_clips import embed_clips
from modalities.audio.log_mel import LogMel
from modalities.audio_text.tabled import TabledAudioText, check_table_texts
from modalities.encoder import FrozenEncoder
from modalities.network_file import load_network, save_network
from modalities.rates import RATE_HZ, SAMPLES_PER_STATE, WHISPER_WINDOW_S
from modalities.speech.whisper import Whisper, load_whisper
from modalities.speech.whisper_encoder import WhisperEncoder
from modalities.tensor_hash import hash_frozen, hash_tensors

FILE = "whisper_audio_text.safetensors"


@dataclass(frozen=True)
class WhisperAudioTextOptions:
    """What is heard of spoken words, and the texts that are known.

    Attributes:
        texts: What can be said, one word of each or more, as "zero", "one", "noise".
        dim: Features of an embedding.
        whisper: Name or folder of the Whisper.
        clip_s: Seconds that are heard at once: shorter sound is followed by silence, longer is cut.
        before_s: Seconds of silence before each clip: Whisper has learnt from whole sentences.
        after_s: Seconds of silence behind it.

    Raises:
        ValueError: No text, one twice, no dim, or a window of no length or above 30 s.
    """

    texts: tuple[str, ...]
    dim: int = 64
    whisper: str = "whisper-tiny.en"
    clip_s: float = 1.0
    before_s: float = 0.2
    after_s: float = 2.0

    def __post_init__(self):
        check_table_texts(self.texts)
        times = (self.clip_s, self.before_s, self.after_s)
        if self.dim < 1 or min(times) < 0 or not self.clip_s * RATE_HZ >= SAMPLES_PER_STATE:
            raise ValueError(
                f"dim {self.dim} and clip_s, before_s and after_s {times}; expected 1 or more, "
                f"{SAMPLES_PER_STATE / RATE_HZ:g} s or more to be heard, and 0 or more around it."
            )
        if not sum(times) <= WHISPER_WINDOW_S:
            raise ValueError(
                f"clip_s, before_s and after_s are {times}, {sum(times):g} s together; expected "
                f"{WHISPER_WINDOW_S:g} at most, which is all that Whisper hears at once."
            )


class WhisperListener(FrozenEncoder):
    """The state that a Whisper's decoder writes its first word from.

    Args:
        whisper: Used as it is, not copied.
        options: How clips are laid into windows.
    """

    prompt: Tensor

    def __init__(self, whisper: Whisper, options: WhisperAudioTextOptions):
        super().__init__()
        self.options = options
        self.encoder = WhisperEncoder(whisper)
        self.decoder = whisper.model.model.decoder
        self.log_mel = LogMel(whisper.mel_bins)
        self.dim: int = whisper.model.config.d_model
        self.register_buffer("prompt", torch.tensor([find_prompt(whisper)]), persistent=False)
        self.freeze()

    def forward(self, clips: Tensor) -> Tensor:
        """Hear [clips, samples] at 16 kHz, each as an utterance of its own: [clips, dim]."""
        sides = (round(side * RATE_HZ) for side in (self.options.before_s, self.options.after_s))
        windows = pad(clips, tuple(sides))
        windows = pad(windows, (0, -windows.shape[1] % SAMPLES_PER_STATE))
        with torch.autocast(clips.device.type, enabled=False):
            mel = self.log_mel(windows.float())
        heard = self.encoder(mel).values
        said = self.decoder(
            input_ids=self.prompt.expand(len(clips), -1), encoder_hidden_states=heard
        )
        return said.last_hidden_state[:, -1].float()


class WhisperAudioText(TabledAudioText):
    """A model of spoken words on a frozen Whisper, of which a small `network` alone learns.

    A Whisper knows words from far more speakers than a small training has; which of the table's
    texts goes with what it is about to write is learnt.

    Args:
        options: Its Whisper, windows and texts.
        table: Vectors of the texts, [texts, dim]; None takes directions of their own.
        whisper: None loads that of the options.
        name: What was asked for; error messages say it.

    Attributes:
        name: As it was given.
        rate_hz: 16000.
        dim: Features of an embedding.
        network: From the states of Whisper to embeddings; `requires_grad_(True)` lets it learn.

    Raises:
        ValueError: A table of another shape; as `load_whisper`.
    """

    rate_hz = RATE_HZ
    elsewhere = ("listener.",)  # whose weights a file does not hold

    def __init__(
        self,
        options: WhisperAudioTextOptions,
        table: Tensor | None = None,
        whisper: Whisper | None = None,
        name: str = "whisper",
    ):
        super().__init__(options.texts, options.dim, table, name)
        self.options = options
        self.listener = WhisperListener(whisper or load_whisper(options.whisper), options)
        self.network = nn.Linear(self.listener.dim, options.dim)
        self.freeze()

    @property
    def identity(self) -> str:
        """A hash of the weights as they are now, the options and the texts with their vectors."""
        learnt = hash_tensors({"table": self.table, **self.network.state_dict()})
        told = repr((self.options, hash_frozen(self.listener.state_dict()), learnt))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def embed_audio(self, waves: Tensor) -> Tensor:
        """Embed sound of any length, all rows as one batch.

        Args:
            waves: [rows, samples] at 16 kHz, from -1 to 1.

        Returns:
            [rows, dim], each of length 1; gradients reach the waves.

        Raises:
            ValueError: Another shape, or no sound.
        """
        length = round(self.options.clip_s * RATE_HZ)
        if waves.ndim == 2 and 0 < waves.shape[1] < length:
            waves = pad(waves, (0, length - waves.shape[1]))  # a word is not said twice
        return embed_clips(waves, length, self._embed)

    def _embed(self, clips: Tensor) -> Tensor:
        said = self.listener(clips)
        return self.network(layer_norm(said, said.shape[-1:]))


def find_prompt(whisper: Whisper) -> list[int]:
    """Return the tokens after which a Whisper writes English without times."""
    settings = whisper.model.generation_config
    language = [
        (getattr(settings, table, None) or {}).get(name)
        for table, name in (("lang_to_id", "<|en|>"), ("task_to_id", "transcribe"))
    ]
    tokens = (whisper.model.config.decoder_start_token_id, *language)
    last: int = settings.no_timestamps_token_id  # type: ignore[attr-defined]
    return [*(token for token in tokens if token is not None), last]


def build_whisper_audio_text(
    texts: Sequence[str],
    seed: int = 0,
    loaded: Whisper | None = None,
    **sizes: int | float | str,
) -> WhisperAudioText:
    """Build a model of spoken words whose network knows nothing yet.

    Args:
        texts: That it will know.
        seed: Fixes the network; torch's own generator is left as it was.
        loaded: The Whisper; None loads the one that is named.
        sizes: Fields of `WhisperAudioTextOptions` besides the texts.

    Raises:
        ValueError: Texts or sizes that do not fit; as `load_whisper`.
    """
    options = WhisperAudioTextOptions(tuple(texts), **sizes)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WhisperAudioText(options, whisper=loaded)


def load_whisper_audio_text(folder: str | Path) -> WhisperAudioText:
    """Read what `save_whisper_audio_text` wrote; its Whisper is loaded by its name.

    Raises:
        FileNotFoundError: The folder has no such file.
        ValueError: It is damaged, or its Whisper is not to be had.
    """
    model = load_network(WhisperAudioText, WhisperAudioTextOptions, Path(folder) / FILE)
    model.name = str(folder)
    return model


def save_whisper_audio_text(model: WhisperAudioText, folder: str | Path) -> None:
    """Write the network, the table and the options in float16; Whisper is named, not copied.

    Raises:
        OSError: The folder cannot be written.
    """
    save_network(model, Path(folder) / FILE)
