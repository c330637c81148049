"""Which sources matter in a mixture, gathered piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fusion.contract.options import check_choice
from modalities.audio.resample import resample
from tasks.audio_to_image.separation.losses import CERTAINTY, SILENT

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText

UNHEARD = 1e-6  # of the mixture's energy: a source below is silent
# Of the energy of all sources, 20 dB below them: what is below is mostly what a separator leaves in
# a source that the mixture has not got, and sounds like whatever it is left over from.
FAINT = 0.01
LIKENESS, LOUD_LIKENESS, LOUDNESS = "likeness", "loud_likeness", "loudness"
SIGNIFICANCES = (LIKENESS, LOUD_LIKENESS, LOUDNESS)


@dataclass(frozen=True)
class Ranking:
    """Sources in order, the most significant first.

    Attributes:
        order: Their numbers as the network puts them out.
        scores: How significant each is in the mixture, as `weigh` says it, -1 where it is silent;
            its share where no model of sound and text is there to say.
        shares: Part of the energy of all sources, 0 to 1; they sum to 1, or are 0 in silence.
        embeddings: Of the sources, [sources, dim], of length 1, or 0 where one is silent; None
            without such a model.
    """

    order: tuple[int, ...]
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    embeddings: Tensor | None = None


class Ranker:
    """Ranks sources by how like their mixture they sound, or how loud they are, or both.

    Louder pieces of the mixture count more, by their energy; memory does not grow with their
    number.

    Args:
        sources: How many there are.
        rate_hz: Samples per second of the pieces.
        audio_text: Embeds sounds; None ranks by energy.
        significance: One of `SIGNIFICANCES`; see `weigh`.
    """

    def __init__(
        self,
        sources: int,
        rate_hz: int,
        audio_text: "AudioText | None" = None,
        significance: str = LIKENESS,
    ):
        self.rate_hz, self.audio_text, self.significance = rate_hz, audio_text, significance
        dim = audio_text.dim if audio_text else 0
        self.energy = torch.zeros(sources)
        self.loudness = 0.0  # energy of the mixture
        self.likeness = torch.zeros(sources)  # summed with the energy of the mixture
        self.embeddings = torch.zeros(sources, dim)  # summed with the energy of the source

    def add(self, sources: Tensor) -> None:
        """Hear a piece, [sources, samples]; their sum is the mixture."""
        mixture = sources.sum(0, keepdim=True)
        loudness = float(mixture.square().sum())
        if not loudness > SILENT * sources.shape[1]:
            return
        energy = sources.square().sum(1).cpu()
        self.energy, self.loudness = self.energy + energy, self.loudness + loudness
        if self.audio_text is None:
            return
        heard = energy > UNHEARD * loudness
        if self.significance == LOUDNESS:  # of which likeness is no part
            found = embed_sounds(self.audio_text, sources, self.rate_hz).cpu()
        else:
            waves = torch.cat([sources, mixture])
            *rows, whole = embed_sounds(self.audio_text, waves, self.rate_hz).cpu()
            found = torch.stack(rows)
            self.likeness += loudness * torch.where(heard, found @ whole, -1.0)
        self.embeddings += torch.where(heard, energy, 0.0)[:, None] * found

    def result(self) -> Ranking:
        """Return the order of what was heard so far."""
        shares = self.energy / max(float(self.energy.sum()), torch.finfo(torch.float32).tiny)
        scores, embeddings = shares, None
        if self.audio_text is not None:
            silence = torch.full_like(shares, -1.0)
            scores = self.likeness / self.loudness if self.loudness else silence
            scores = weigh(scores, self.energy, self.significance)
            scores = torch.where(self.energy > UNHEARD * self.loudness, scores, -1.0)
            embeddings = normalize(self.embeddings, dim=1)
        places = range(len(shares))
        order = sorted(places, key=lambda n: (float(scores[n]), float(shares[n])), reverse=True)
        return Ranking(
            tuple(order),
            tuple(float(scores[n]) for n in order),
            tuple(float(shares[n]) for n in order),
            None if embeddings is None else embeddings[order],
        )


def weigh(likeness: Tensor, energy: Tensor, significance: str) -> Tensor:
    """Return how significant sources are.

    Args:
        likeness: How like their mixture each is, a cosine, [..., sources].
        energy: Sums of squares of the sources, [..., sources].
        significance: "likeness", as published, takes the cosines as they are; "loud_likeness"
            multiplies those above 0 by the amplitude: the root of a source's part of the energy of
            all. The cosines of two sounds of a mixture are close, and which is the greater often
            says less of their levels than of what they are. "loudness" is the amplitude alone,
            where likeness says nothing, as that of two spoken words.

    Returns:
        [..., sources], -1 to 1, with gradients for both.

    Raises:
        ValueError: Another significance.
    """
    check_choice("significance", significance, SIGNIFICANCES)
    if significance == LIKENESS:
        return likeness
    tiny = torch.finfo(energy.dtype).tiny
    share = energy / energy.sum(-1, keepdim=True).clamp_min(tiny)
    amplitude = (share + SILENT).sqrt()
    if significance == LOUDNESS:
        return amplitude
    return torch.where(likeness > 0, likeness * amplitude, likeness)


def embed_sounds(audio_text: "AudioText", waves: Tensor, rate_hz: int) -> Tensor:
    """Embed sounds of any rate as one batch, with gradients for them.

    Args:
        audio_text: Embeds them.
        waves: [rows, samples].
        rate_hz: Samples per second.

    Returns:
        [rows, dim], of length 1.
    """
    return audio_text.embed_audio(resample(waves, rate_hz, audio_text.rate_hz))


def name_sounds(
    audio_text: "AudioText", embeddings: Tensor, labels: Sequence[str], prompt: str
) -> list[tuple[str, float]]:
    """Say what each of some sounds is like most.

    Args:
        audio_text: Embeds the labels.
        embeddings: One for each sound, [rows, dim]; of length 1, or 0 for silence.
        labels: What they may be called, one or more; one that is there twice counts once.
        prompt: How a label is told, with "{label}" in it.

    Returns:
        A label and its probability among the labels for each sound; ("silence", 1) for silence.

    Raises:
        ValueError: No labels.
    """
    if not labels:
        raise ValueError("labels is empty; expected one or more names of sounds.")
    labels = list(dict.fromkeys(labels))
    texts = audio_text.embed_text([prompt.replace("{label}", label) for label in labels])
    chances = (CERTAINTY * embeddings @ texts.cpu().T).softmax(1)  # [rows, labels]
    heard = embeddings.any(1).tolist()
    best = chances.max(1)
    return [
        (labels[int(place)], float(chance)) if known else ("silence", 1.0)
        for known, chance, place in zip(heard, best.values, best.indices, strict=True)
    ]
