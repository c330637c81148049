"""What is heard of a sound before it is painted: its sources, or all of it as one."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from modalities.rates import RATE_HZ
from modalities.tensor_hash import hash_weights
from tasks.audio_to_image.separation.losses import SILENT
from tasks.audio_to_image.separation.ranking import FAINT, Ranking, embed_sounds
from tasks.devices import find_device

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText
    from tasks.audio_to_image.separation.separator import Separator

WINDOW_S = 10  # that are embedded together where nothing is taken apart, as long as CLAP's clips


class Ear:
    """Makes embeddings of sounds of any length, in memory that does not grow with it.

    Args:
        separator: Takes sounds apart, and embeds what it finds with its own model of sound and
            text; None where sounds are heard as a whole.
        audio_text: Embeds sounds as a whole; None with a separator.

    Raises:
        ValueError: Both are given, or none, or a separator that ranks by energy alone.
    """

    def __init__(self, separator: "Separator | None", audio_text: "AudioText | None"):
        if (separator is None) == (audio_text is None):
            told = "neither" if separator is None else "both"
            raise ValueError(
                f"A separator and a model of sound and text: {told} given; expected one of them. A "
                "separator embeds what it finds with its own model; leave it out to hear mixtures "
                "as a whole."
            )
        model = separator.audio_text if separator else audio_text
        if model is None:
            raise ValueError(
                "The separator ranks by energy alone, and embeds nothing; expected one with a "
                "model of sound and text. Load it with one, or train it with audio_text."
            )
        self.separator, self.audio_text = separator, model
        self.dim = model.dim
        what = "sources" if separator else "mixtures as a whole"
        self.name = f"{what}, embedded by {model.name}"

    @cached_property
    def identity(self) -> str:
        """What tells it from all others: another identity, other embeddings."""
        model = self.audio_text.identity
        if self.separator is None:
            return f"whole of {WINDOW_S} s by {model}"
        network = hash_weights(self.separator.network)
        return f"sources of {network} from {FAINT:g} of the energy by {model}"

    @torch.inference_mode()
    def listen(self, blocks: Iterable[np.ndarray]) -> Ranking:
        """Hear a sound.

        Args:
            blocks: float32 [samples] each, 16 kHz, of any length.

        Returns:
            What was heard, with embeddings [sources, dim]: of length 1, 0 where one is silent, or
            so faint (`FAINT`) that it is taken for silence; of a sound as a whole one source, whose
            score is 1.
        """
        if self.separator is None:
            return self._listen_whole(blocks)
        stream = self.separator.open_stream(RATE_HZ)
        for block in blocks:
            stream.push(torch.from_numpy(block))
        stream.flush()
        return silence_faint(stream.ranking())

    def _listen_whole(self, blocks: Iterable[np.ndarray]) -> Ranking:
        """Return the mean of what windows sound like, each as much as it is loud."""
        total = torch.zeros(1, self.dim)
        for window in _windows(blocks, WINDOW_S * RATE_HZ):
            loudness = float(window.square().sum())
            if loudness > SILENT * len(window):
                wave = window[None].to(_device_of(self.audio_text))
                total += loudness * embed_sounds(self.audio_text, wave, RATE_HZ).cpu()
        heard = bool(total.any())
        embeddings = normalize(total, dim=1)
        return Ranking((0,), (1.0 if heard else -1.0,), (float(heard),), embeddings)


def silence_faint(ranking: Ranking) -> Ranking:
    """Return a ranking with faint sources as silent ones, behind all others.

    Their embeddings are as long as any other, and would be painted.

    Args:
        ranking: With embeddings.
    """
    assert ranking.embeddings is not None
    heard = [share >= FAINT for share in ranking.shares]
    places = sorted(range(len(heard)), key=lambda place: not heard[place])  # keeps the order
    mask = torch.tensor(heard, device=ranking.embeddings.device)[:, None]
    return Ranking(
        tuple(ranking.order[place] for place in places),
        tuple(ranking.scores[place] if heard[place] else -1.0 for place in places),
        tuple(ranking.shares[place] for place in places),
        torch.where(mask, ranking.embeddings, 0.0)[places],
    )


def load_ear(
    separator: str | Path, audio_text: str | Path = "", device: str | torch.device = "auto"
) -> Ear:
    """Load what hears sounds.

    Args:
        separator: A folder that training wrote, or the name of one that comes with mcgurk; "" to
            hear sounds as a whole.
        audio_text: A model of sound and text, as `load_audio_text` takes it; "" for the separator's
            own.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        FileNotFoundError: One is not there, or not whole.
        ValueError: Neither is named, one is damaged, or they do not fit each other.
    """
    if separator:
        from tasks.audio_to_image.separation.separator import Separator

        return Ear(Separator.load(separator, str(device), audio_text or None), None)
    from modalities.audio_text.models import load_audio_text

    model = load_audio_text(audio_text)
    if isinstance(model, nn.Module):
        model.to(find_device(str(device)))
    return Ear(None, model)


def _windows(blocks: Iterable[np.ndarray], samples: int) -> Iterable[Tensor]:
    """Yield windows of so many samples, and what is left, where it is not empty."""
    kept = np.zeros(0, np.float32)
    for block in blocks:
        kept = np.concatenate([kept, block])
        while len(kept) >= samples:
            yield torch.from_numpy(kept[:samples])
            kept = kept[samples:]
    if len(kept):
        yield torch.from_numpy(kept)


def _device_of(model: "AudioText") -> torch.device:
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if weight is None else weight.device
