"""Both branches of a CLAP: sound and text in one space."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from modalities.audio.audio_clips import embed_clips
from modalities.audio.clap import CLAPS
from modalities.audio.clap_log_mel import CLAP_RATE_HZ, CLIP_SAMPLES, ClapLogMel
from modalities.encoder import FrozenEncoder
from modalities.hub import fetch, reason_of
from modalities.pretrained import find_folder, load_extractor, load_model
from modalities.printable import check_texts
from modalities.tensor_file import write_tensors
from modalities.tensor_hash import hash_frozen

if TYPE_CHECKING:
    from transformers import ClapModel, PreTrainedTokenizerBase

LONGEST_TEXT = 77  # tokens that CLAP was trained on, the two ends among them
TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


class ClapAudioText(FrozenEncoder):
    """A frozen CLAP that embeds sound, with gradients for it, and text.

    Args:
        model: Used as it is, not copied.
        tokenizer: RoBERTa's; None fetches that of the published model at the first text.
        name: What was asked for; error messages say it.
        log_mel: Its front end; None for that of the trained models.

    Attributes:
        name: As it was given.
        rate_hz: 48000, what sound has to be at.
        dim: Features of an embedding, 512 for the trained models.

    Raises:
        ValueError: A model that fuses several views of a long clip.

    Source:
        Wu et al. (2023, arXiv 2211.06687); transformers' ClapModel.
    """

    rate_hz = CLAP_RATE_HZ

    def __init__(
        self,
        model: "ClapModel",
        tokenizer: "PreTrainedTokenizerBase | None" = None,
        name: str = "clap",
        log_mel: ClapLogMel | None = None,
    ):
        super().__init__()
        config: Any = model.config
        if config.audio_config.enable_fusion:
            raise ValueError(
                f"{name} has enable_fusion on, for clips over 10 s; expected a CLAP without it. "
                f"Take one such as {', '.join(CLAPS)}."
            )
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.log_mel = log_mel or ClapLogMel(config.audio_config.num_mel_bins)
        self.dim: int = config.projection_dim
        self.freeze()

    @property
    def identity(self) -> str:
        """A hash of the frozen weights and of the bands of the front end."""
        return self._identity

    @cached_property
    def _identity(self) -> str:
        bands = dict(self.log_mel.named_buffers())
        told = repr((hash_frozen(self.model.state_dict()), hash_frozen(bands)))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def embed_audio(self, waves: Tensor) -> Tensor:
        """Embed sound of any length, all rows as one batch.

        Up to 10 s are repeated as often as they go whole into 10 s, as CLAP was trained; of longer
        sound the mean direction over clips of 10 s that cover it is taken.

        Args:
            waves: [rows, samples] at 48 kHz, from -1 to 1.

        Returns:
            [rows, dim], each of length 1; gradients reach the waves.

        Raises:
            ValueError: Another shape, or no sound.
        """
        return embed_clips(waves, CLIP_SAMPLES, self._embed)

    def _embed(self, clips: Tensor) -> Tensor:
        mel = self.log_mel.decibels(clips)[:, None]  # [clips, 1, 1001, mel_bins]
        pooled = self.model.audio_model(input_features=mel).pooler_output
        return self.model.audio_projection(pooled)

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts; what is longer than 77 tokens is cut at its end.

        Args:
            texts: One or more.

        Returns:
            [texts, dim], each of length 1, without gradients.

        Raises:
            ValueError: There is none, or a tokenizer is needed and not to be had.
        """
        check_texts(texts, self.name)
        if self.tokenizer is None:
            self.tokenizer = _fetch_tokenizer(self.name)
        tokens = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=LONGEST_TEXT,
            return_tensors="pt",
        ).to(self.model.text_projection.linear1.weight.device)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        pooled = self.model.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return normalize(self.model.text_projection(pooled), dim=-1)


def load_clap_audio_text(name: str | Path = "clap-htsat-unfused") -> ClapAudioText:
    """Load both branches of a CLAP.

    Args:
        name: A folder that transformers saved; else a name of `CLAPS`; else a hub id.

    Raises:
        ValueError: No such model, damaged, one that fuses, or not to be had without network.
    """
    from transformers import ClapFeatureExtractor, ClapModel

    folder = find_folder(name, CLAPS)
    model = load_model(ClapModel, folder, ("clap",))
    log_mel = None
    if extractor := load_extractor(ClapFeatureExtractor, folder):
        config: Any = model.config
        bins = config.audio_config.num_mel_bins
        log_mel = ClapLogMel(bins, extractor.frequency_min, extractor.frequency_max)
    return ClapAudioText(model, find_tokenizer(folder), str(name), log_mel)


def save_clap_audio_text(clap: ClapAudioText, folder: str | Path) -> None:
    """Write a CLAP so that `load_clap_audio_text` and transformers read it.

    Args:
        clap: Its model without adapters; its tokenizer is written where it has one.
        folder: Made where it is not there.

    Raises:
        OSError: The folder cannot be written.
    """
    from transformers import ClapFeatureExtractor

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", clap.model.state_dict(), {"format": "pt"})
    config: Any = clap.model.config
    config.save_pretrained(folder)
    front = ClapFeatureExtractor(
        feature_size=config.audio_config.num_mel_bins,
        frequency_min=clap.log_mel.low_hz,  # type: ignore[arg-type]
        frequency_max=clap.log_mel.high_hz,  # type: ignore[arg-type]
        truncation="rand_trunc",
    )
    front.save_pretrained(folder)
    if clap.tokenizer is not None:
        clap.tokenizer.save_pretrained(folder)


def random_clap_audio_text(
    seed: int = 0,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    audio: dict[str, Any] | None = None,
    text: dict[str, Any] | None = None,
    dim: int = 512,
) -> ClapAudioText:
    """Build a CLAP with random weights.

    Args:
        seed: Fixes all weights; torch's own generator is left as it was.
        tokenizer: One whose words are no more than the text branch has.
        audio: Sizes of transformers' ClapAudioConfig that differ from the true model's.
        text: Sizes of transformers' ClapTextConfig that differ from the true model's.
        dim: Features of an embedding.

    Raises:
        ValueError: Fusion is asked for.
    """
    from transformers import ClapConfig, ClapModel

    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=dim)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ClapModel(config)
    return ClapAudioText(model, tokenizer, "clap-random")


def find_tokenizer(folder: Path) -> "PreTrainedTokenizerBase | None":
    """Read the tokenizer that lies in a folder; None where none does.

    Raises:
        ValueError: It is damaged.
    """
    from transformers import RobertaTokenizer

    # Without these transformers makes an empty tokenizer, to which all texts are one.
    if not any(all((folder / file).is_file() for file in some) for some in TOKENIZER_FILES):
        return None
    try:
        return RobertaTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"{folder} has no tokenizer that transformers can read ({reason_of(error)}). Save or "
            "download it again."
        ) from error


def _fetch_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    repository = CLAPS["clap-htsat-unfused"]
    hint = f" with the files {' and '.join(TOKENIZER_FILES[1])} of its tokenizer, for {name}"
    folder = fetch(repository, "clap-htsat-unfused", hint, ["*.json", "*.txt"])
    found = find_tokenizer(folder)
    if found is None:
        raise ValueError(f"{folder} has no tokenizer; expected {repository}'s. Download it again.")
    return found
