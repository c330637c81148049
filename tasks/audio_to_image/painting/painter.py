"""Pictures of sounds in two verbs: fit, paint."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from torch import Tensor

from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.denoiser import Denoiser
from modalities.empty_name import refuse_empty_name
from tasks.audio_to_image.painting.card import CARD, PainterCard, find_shipped, list_shipped
from tasks.audio_to_image.painting.painter_files import load_painter
from tasks.audio_to_image.painting.rows import Progress as Steps
from tasks.audio_to_image.painting.rows import paint_rows
from tasks.devices import find_device

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.config import PaintingConfig
    from tasks.training.loop import Progress


class Painter:
    """Paints what embeddings of sounds tell.

    Args:
        denoiser: Frozen.
        adapter: Trained on it.
        card: About it.
        device: "auto", "cpu", "cuda" or "mps"; None leaves it where it is.

    Raises:
        ValueError: There is no such device.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        adapter: AudioAdapter,
        card: PainterCard,
        device: str | None = "auto",
    ):
        self.denoiser, self.adapter, self.card = denoiser, adapter, card
        if device is not None:
            self.denoiser.to(find_device(device))
            self.adapter.to(find_device(device))

    @classmethod
    def load(cls, name: str | Path, device: str = "auto", denoiser: str | None = None) -> Self:
        """Load a painter.

        Args:
            name: A folder that `mcgurk train` wrote; else the name of one that comes with mcgurk.
            device: "auto", "cpu", "cuda" or "mps".
            denoiser: Another name or place of the frozen denoiser that it was trained on.

        Raises:
            FileNotFoundError: A folder is not whole.
            ValueError: No such painter, damaged, or no such device.
        """
        refuse_empty_name(name, "painter")
        folder = find_shipped(name) or Path(name).expanduser()
        if not folder.is_dir():
            shipped = ", ".join(list_shipped())
            raise ValueError(
                f"No painter {str(name)!r}; expected a folder with a {CARD}, as `mcgurk train` "
                f"writes it{', or one of ' + shipped if shipped else ''}."
            )
        return cls(*load_painter(folder, denoiser), device)

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

        train(Painting(config), config.loop, folder, progress, device, asdict(config))
        return cls.load(folder, device)

    def paint(
        self,
        embeddings: Tensor,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] | None = None,
        progress: Steps | None = None,
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
            size: Height and width in pixels; None for the denoiser's own.
            progress: Called with steps done, and all, over all rows.

        Returns:
            0..1, [rows, height, width, 3], on the CPU.

        Raises:
            ValueError: Embeddings of another form, or a number or size that cannot be.
        """
        return paint_rows(
            self.denoiser,
            self.adapter,
            embeddings,
            seed,
            self.card.steps if steps is None else steps,
            self.card.guidance if guidance is None else guidance,
            size,
            progress,
        )
