"""Take any mixture apart with a trained separator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from data_prep.media import check_waveform
from modalities.audio.numpy_resample import ArrayResampler
from modalities.empty_name import refuse_empty_name
from modalities.separation.network import SeparationNetwork
from modalities.separation.stream import SourceStream
from tasks.audio_to_image.separation.card import SeparatorCard, find_folder
from tasks.audio_to_image.separation.ranking import Ranker, Ranking, name_sounds
from tasks.audio_to_image.separation.separator_files import load_ranking_model, load_separator
from tasks.devices import find_device

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText

OVERLAP = 8  # windows share this part of their length, one in so many


@dataclass(frozen=True)
class Separated:
    """A mixture taken apart.

    Attributes:
        sources: float32 [sources, samples], the most significant first; their sum is the mixture.
        rate_hz: Samples per second.
        scores: How significant each source is; see `Ranking`.
        shares: Part of the energy of all sources, 0 to 1 for each.
        embeddings: float32 [sources, dim], or None without a model of sound and text.
    """

    sources: np.ndarray
    rate_hz: int
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    embeddings: np.ndarray | None


class Separator:
    """A trained separator.

    Args:
        network: Takes windows apart.
        card: What is known about it.
        audio_text: Ranks the sources; None ranks them by energy.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: There is no such device.
    """

    def __init__(
        self,
        network: SeparationNetwork,
        card: SeparatorCard,
        audio_text: "AudioText | None" = None,
        device: str = "auto",
    ):
        self.device = find_device(device)
        self.network = network.to(self.device).eval()
        self.card, self.audio_text = card, audio_text
        if isinstance(audio_text, nn.Module):
            audio_text.to(self.device)
        self.rate_hz, self.sources = network.options.rate_hz, network.options.sources

    @classmethod
    def load(
        cls,
        name: str | Path,
        device: str = "auto",
        audio_text: "AudioText | str | Path | None" = None,
    ) -> Self:
        """Load a separator.

        Args:
            name: A folder that `mcgurk train` wrote; else the name of one that comes with mcgurk.
            device: "auto", "cpu", "cuda" or "mps".
            audio_text: Another name or place of the model that ranks the sources, or itself; "" to
                rank them by energy.

        Raises:
            FileNotFoundError: It is not there, or not whole.
            ValueError: It is damaged, or was trained with another model; no such model or device.
        """
        refuse_empty_name(name, "separator")
        folder = find_folder(name)
        network, card = load_separator(folder)
        return cls(network, card, load_ranking_model(folder, card, audio_text), device)

    def separate(self, waveform: ArrayLike, rate_hz: int) -> Separated:
        """Take a mixture apart, of any length.

        Args:
            waveform: [samples], [samples, channels] or [channels, samples]: floats in [-1, 1],
                int16 or int32. Several channels are mixed to one.
            rate_hz: Samples per second, any.

        Returns:
            The sources at the network's rate, in order of their significance.

        Raises:
            ValueError: Another shape or type; no samples; NaN or infinite samples.
        """
        mono = torch.from_numpy(check_waveform(waveform, rate_hz))
        stream = self.open_stream(rate_hz)
        pieces = [stream.push(block) for block in mono.split(rate_hz)]
        pieces.append(stream.flush())
        ranking = stream.ranking()
        sources = torch.cat(pieces, 1)[list(ranking.order)]
        embeddings = None if ranking.embeddings is None else ranking.embeddings.numpy()
        return Separated(sources.numpy(), self.rate_hz, ranking.scores, ranking.shares, embeddings)

    def open_stream(self, rate_hz: int) -> "SeparationStream":
        """Take a sound apart that comes in blocks, in memory that does not grow with its length.

        Args:
            rate_hz: Samples per second of the blocks.

        Raises:
            ValueError: The rate is not positive.
        """
        return SeparationStream(self, rate_hz)

    def name_sources(
        self, embeddings: np.ndarray, labels: Sequence[str] = (), prompt: str = ""
    ) -> list[tuple[str, float]]:
        """Say what each source is like most.

        Args:
            embeddings: [sources, dim], as `Separated` has them.
            labels: What sources may be called; none for what was heard in training.
            prompt: How a label is told, with "{label}" in it; "" as in training.

        Returns:
            A label and its probability for each source; ("silence", 1) for a silent one.

        Raises:
            ValueError: There is no model of sound and text, or there are no labels.
        """
        if self.audio_text is None:
            raise ValueError(
                "Sources have no names without a model of sound and text; load the separator with "
                "one."
            )
        known = labels or self.card.labels
        found = torch.from_numpy(embeddings)
        return name_sounds(self.audio_text, found, known, prompt or self.card.prompt)


class SeparationStream:
    """A sound that is taken apart while it comes; see `Separator.open_stream`.

    Args:
        separator: Does it.
        rate_hz: Samples per second of the blocks.

    Raises:
        ValueError: The rate is not positive.
    """

    def __init__(self, separator: Separator, rate_hz: int):
        self.separator = separator
        options = separator.network.options
        self.resampler = ArrayResampler(rate_hz, options.rate_hz)
        self.ranker = Ranker(
            options.sources,
            options.rate_hz,
            separator.audio_text,
            separator.card.significance,
        )
        self.windows = SourceStream(self._window, options.samples, options.samples // OVERLAP)

    @torch.inference_mode()
    def push(self, block: Tensor) -> Tensor:
        """Take [samples] of one channel; return what is final, [sources, samples, any number].

        Sources come as the network puts them out: `Ranking.order` brings them into their order.
        """
        return self._hear(self.windows.push(torch.from_numpy(self.resampler.push(block.numpy()))))

    @torch.inference_mode()
    def flush(self) -> Tensor:
        """Return the rest, [sources, samples], when the sound has ended."""
        pieces = self.windows.push(torch.from_numpy(self.resampler.flush()))
        return self._hear([*pieces, *self.windows.flush()])

    def ranking(self) -> Ranking:
        """Return the order of the sources, by all that was returned."""
        return self.ranker.result()

    def _window(self, mixture: Tensor) -> Tensor:
        device = self.separator.device
        return self.separator.network(mixture.to(device)[None])[0].cpu()

    def _hear(self, pieces: list[Tensor]) -> Tensor:
        for piece in pieces:
            self.ranker.add(piece.to(self.separator.device))
        return torch.cat(pieces, 1) if pieces else torch.zeros(self.separator.sources, 0)
