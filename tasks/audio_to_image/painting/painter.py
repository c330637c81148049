"""Pictures of sounds in three verbs: fit, hear, paint."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from data_prep.media import check_waveform
from modalities.audio.resample import resample
from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.sampling import check_sampling
from modalities.empty_name import refuse_empty_name
from modalities.rates import RATE_HZ
from tasks.audio_to_image.painting.card import CARD, PainterCard, find_folder, list_shipped
from tasks.audio_to_image.painting.conditions.measured import Told, take_conditions
from tasks.audio_to_image.painting.config import read_size
from tasks.audio_to_image.painting.heard import Heard, HeardSource, Report, hear_blocks, hear_file
from tasks.audio_to_image.painting.painter_files import load_painter, load_painters_ear
from tasks.audio_to_image.painting.rows import Progress as Steps
from tasks.audio_to_image.painting.rows import paint_rows
from tasks.devices import find_device

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.conditions.asked import Asked
    from tasks.audio_to_image.painting.conditions.standing import StandingConditions
    from tasks.audio_to_image.painting.config import PaintingConfig
    from tasks.audio_to_image.painting.ear import Ear
    from tasks.training.loop import Progress


@dataclass(frozen=True)
class Painted:
    """Pictures of one sound.

    Attributes:
        pictures: 0..1, [pictures, height, width, 3].
        heard: What was heard.
        sources: How many of it were painted, those of the highest rank.
        seed: What fixed the first picture's noise; each next has the next one.
        steps: How often the denoiser looked.
        guidance: How far it went beyond what is painted without sounds.
        attributes: What adapters of attributes were told, by name, 0 to 1.
    """

    pictures: Tensor
    heard: Heard
    sources: int
    seed: int
    steps: int
    guidance: float
    attributes: Mapping[str, float] = field(default_factory=dict)

    def shows(self, source: HeardSource) -> bool:
        """Say whether a source was painted: it is of the highest rank, and not silent."""
        return source.rank <= self.sources and bool(self.heard.embeddings[source.rank - 1].any())


class Painter:
    """Paints what sounds, or embeddings of them, tell.

    Args:
        denoiser: Frozen.
        adapter: Trained on it.
        card: About it.
        device: "auto", "cpu", "cuda" or "mps"; None leaves it where it is.
        open_ear: Loads what hears sounds, when the first is heard; None where none is.
        open_conditions: Puts on the denoiser what else it can be told, when that is first told;
            None for nothing.

    Raises:
        ValueError: There is no such device.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        adapter: AudioAdapter,
        card: PainterCard,
        device: str | None = "auto",
        open_ear: "Callable[[], Ear] | None" = None,
        open_conditions: "Callable[[Denoiser], StandingConditions] | None" = None,
    ):
        self.denoiser, self.adapter, self.card = denoiser, adapter, card
        self._open_ear, self._open_conditions = open_ear, open_conditions
        if device is not None:
            self.denoiser.to(find_device(device))
            self.adapter.to(find_device(device))

    @classmethod
    def load(
        cls,
        name: str | Path,
        device: str = "auto",
        denoiser: str | None = None,
        separator: str | Path | None = None,
        audio_text: str | Path | None = None,
        conditions: Sequence[str | Path] | None = (),
    ) -> Self:
        """Load a painter; what it hears sounds with is loaded when the first is heard.

        Args:
            name: A folder that `mcgurk train` wrote; else the name of one that comes with mcgurk.
            device: "auto", "cpu", "cuda" or "mps".
            denoiser: Another name or place of the frozen denoiser that it was trained on.
            separator: Another name or place of the separator that it was trained with.
            audio_text: Another name or place of the model of sound and text.
            conditions: Folders of adapters of conditions beside those in the painter's folder; None
                for no adapter at all.

        Raises:
            FileNotFoundError: A folder is not whole.
            ValueError: No such painter, damaged, or no such device.
        """
        refuse_empty_name(name, "painter")
        folder = find_folder(name)
        if not folder.is_dir():
            shipped = ", ".join(list_shipped())
            raise ValueError(
                f"No painter {str(name)!r}; expected a folder with a {CARD}, as `mcgurk train` "
                f"writes it{', or one of ' + shipped if shipped else ''}."
            )
        parts = load_painter(folder, denoiser)
        open_ear = partial(load_painters_ear, folder, parts[-1], device, separator, audio_text)
        stand = None if conditions is None else partial(_stand, folder, conditions)
        return cls(*parts, device, open_ear, stand)

    @classmethod
    def fit(
        cls,
        config: "PaintingConfig",
        folder: str | Path,
        progress: "Progress | None" = None,
        device: str = "auto",
    ) -> Self:
        """Train the adapter, or go on with a training that was interrupted, and load the result.

        Args:
            config: What to train, with stage "adapter".
            folder: For checkpoints, curves and the painter.
            progress: Called with the steps done, and all.
            device: "auto", "cpu", "cuda" or "mps".

        Raises:
            FileNotFoundError: Pictures or the denoiser are not there.
            ValueError: They cannot be used.
        """
        from tasks.audio_to_image.painting.training import Painting
        from tasks.training.loop import train

        train(Painting(config, device), config.loop, folder, progress, device, asdict(config))
        return cls.load(folder, device)

    def paint(
        self,
        embeddings: Tensor,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] | None = None,
        progress: Steps | None = None,
        edges: np.ndarray | None = None,
        attributes: Mapping[str, float] | None = None,
    ) -> Tensor:
        """Paint a picture for each row of embeddings.

        Args:
            embeddings: A row's sounds, [rows, sources, dim], the most significant first, as many
                sources as in training or fewer; zeros where there is none.
            seed: What fixes the first row's noise; each next row has the next one, so that a
                picture does not depend on how many are painted.
            steps: How often the denoiser looks; None for the card's number.
            guidance: How far to go beyond what is painted without sounds; 1 for none, at half the
                cost; None for the card's number.
            size: Height and width in pixels; None for `size`.
            progress: Called with steps done, and all, over all rows.
            edges: Those that all pictures follow, 1 on them and 0 elsewhere, [height, width], as
                `read_edges` reads them; None for any.
            attributes: What all pictures are like, by the names that an adapter knows, 0 to 1;
                None for anything.

        Returns:
            0..1, [rows, height, width, 3], on the CPU.

        Raises:
            ValueError: Embeddings of another form, or a number or size that cannot be; edges or
                attributes that no adapter can be told.
        """
        with self._told(size or self.size, edges, attributes or {}):
            return paint_rows(
                self.denoiser,
                self.adapter,
                embeddings,
                seed,
                self.card.steps if steps is None else steps,
                self.card.guidance if guidance is None else guidance,
                size or self.size,
                progress,
            )

    def _told(
        self, size: tuple[int, int], edges: np.ndarray | None, attributes: Mapping[str, float]
    ) -> AbstractContextManager[None]:
        """Tell adapters of conditions, where there is something to tell."""
        if self._open_conditions is None or not (
            edges is not None or attributes or tuple(size) != self.denoiser.side
        ):
            return nullcontext()
        return self.conditions.tell(size, edges, attributes)

    @cached_property
    def conditions(self) -> "StandingConditions":
        """What can be told beside sounds.

        Raises:
            FileNotFoundError: A folder of an adapter is not there, or not whole.
            ValueError: One is damaged, or for another denoiser, or two can be told the same.
        """
        if self._open_conditions is None:
            raise ValueError("This painter is told sounds alone; load it from its folder.")
        return self._open_conditions(self.denoiser)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what is painted where nobody says another: the one that was learnt.

        Of a painter that learnt several it is the denoiser's own.
        """
        learnt = self.card.pictures.get("sizes", ())
        return read_size(learnt[0]) if len(learnt) == 1 else self.denoiser.side

    @cached_property
    def ear(self) -> "Ear":
        """What hears sounds.

        Raises:
            FileNotFoundError: It is not there, or not whole.
            ValueError: It is damaged, or not that of the training, or there is none.
        """
        if self._open_ear is None:
            raise ValueError("This painter hears nothing; load it from its folder to let it hear.")
        return self._open_ear()

    def hear(self, waveform: ArrayLike, rate_hz: int) -> Heard:
        """Hear a sound, as sounds of the training were heard.

        Args:
            waveform: [samples], [samples, channels] or [channels, samples]: floats in [-1, 1],
                int16 or int32. Several channels are mixed to one.
            rate_hz: Samples per second, any.

        Returns:
            What was heard; `embeddings[None]` is what `paint` takes.

        Raises:
            FileNotFoundError: What hears sounds is not there.
            ValueError: Another shape or type; no samples; NaN or infinite samples.
        """
        mono = torch.from_numpy(check_waveform(waveform, rate_hz))
        return hear_blocks(self.ear, [resample(mono, rate_hz, RATE_HZ).numpy()])

    def paint_file(
        self,
        source: str | Path,
        count: int = 1,
        sources: int | None = None,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] | None = None,
        audio_track: int | None = None,
        listening: Report | None = None,
        progress: Steps | None = None,
        asked: "Asked | None" = None,
    ) -> Painted:
        """Paint a media file of any length.

        Args:
            source: Any media file with sound.
            count: How many pictures, 1 or more.
            sources: How many of its sounds, those of the highest rank; None for as many as the
                painter was trained with.
            seed: What fixes the first picture's noise; each next picture has the next one.
            steps: How often the denoiser looks; None for the card's number.
            guidance: How far to go beyond what is painted without sounds, 0 or more; 1 for none,
                at half the cost; None for the card's number.
            size: Height and width in pixels; None for `size`.
            audio_track: Index of one of several sound tracks; None for the main one.
            listening: Called with the seconds heard, and all, None where that is not known.
            progress: Called with steps done, and all, over all pictures.
            asked: What pictures are to be like beside what is heard; its size goes before `size`.

        Raises:
            FileNotFoundError: The file, a picture, or what hears it, is not there.
            ValueError: It has no sound that can be decoded; a number that cannot be; something is
                asked that no adapter can be told, or that the sound does not have.
        """
        steps = self.card.steps if steps is None else steps
        guidance = self.card.guidance if guidance is None else guidance
        check_sampling(steps, guidance)
        most = self.adapter.options.sources
        if count < 1 or not 1 <= (most if sources is None else sources) <= most:
            raise ValueError(
                f"count is {count} and sources {sources}; expected 1 picture or more, of 1 to "
                f"{most} sources, as the painter was trained."
            )
        told = Told(None, {}, size, ())
        if asked:
            told = take_conditions(
                self.conditions.cards, asked, size or self.size, source, audio_track
            )
        heard = hear_file(self.ear, source, audio_track, listening)
        heard = replace(heard, notes=(*heard.notes, *told.notes))
        loudest = heard.embeddings[: sources or most]
        rows = loudest.expand(count, -1, -1)
        pictures = self.paint(
            rows, seed, steps, guidance, told.size, progress, told.edges, told.attributes
        )
        return Painted(pictures, heard, len(loudest), seed, steps, guidance, told.attributes)


def _stand(folder: Path, more: Sequence[str | Path], denoiser: Denoiser) -> "StandingConditions":
    from tasks.audio_to_image.painting.conditions.card import find_conditions
    from tasks.audio_to_image.painting.conditions.standing import StandingConditions

    return StandingConditions(denoiser, find_conditions(folder, more))
