"""What shows pictures, videos or sounds to a language model, by name."""

from collections.abc import Sequence
from typing import Protocol, Self

from torch import Tensor, device

from tasks.training.loop import Progress
from tasks.vision_language.card import FRAMES, SOUND

FRAME_DIM, FRAME_TOKENS = 512, 64


class Looking(Protocol):
    """Turns files into features."""

    @property
    def dim(self) -> int:
        """Length of a feature vector."""
        ...

    @property
    def tokens(self) -> int:
        """Feature vectors of a file."""
        ...

    @property
    def identity(self) -> str:
        """What tells it from all others."""
        ...

    def to(self, where: "str | device") -> Self:
        """Encode on a device from now on; what is returned stays on the CPU."""
        ...

    def of(self, paths: Sequence[str]) -> Tensor:
        """Return what files show, [files, tokens, dim].

        Raises:
            OSError: A file cannot be read.
            ValueError: It is something else.
        """
        ...

    def fill(self, paths: Sequence[str], progress: Progress | None = None) -> None:
        """Keep what files show, so that `of` need not compute it; of many files this is quicker."""
        ...

    def flush(self) -> None:
        """Write what is kept to disk, where it is kept there."""
        ...


class Frames:
    """Features of videos that were extracted elsewhere, as the VALUE data sets come."""

    dim, tokens, identity = FRAME_DIM, FRAME_TOKENS, FRAMES

    def to(self, where: "str | device") -> Self:
        """Do nothing: nothing is encoded."""
        return self

    def of(self, paths: Sequence[str]) -> Tensor:
        """Return features, [files, tokens, dim]; shorter videos have zeros at their end.

        Raises:
            OSError: A file cannot be read.
            ValueError: It is something else, or has features of another length.
        """
        import torch

        from modalities.vision_language.frames import load_frames

        found = [load_frames(path, self.tokens)[0] for path in paths]
        for path, values in zip(paths, found, strict=True):
            if values.shape[1] != self.dim:
                raise ValueError(
                    f"{path} has features of length {values.shape[1]}; expected {self.dim}, as "
                    "CLIP's ViT-B/32 has. Extract them anew."
                )
        return torch.stack(found)

    def fill(self, paths: Sequence[str], progress: Progress | None = None) -> None:
        """Do nothing: files are read when they are asked for."""

    def flush(self) -> None:
        """Do nothing."""


def open_eyes(name: str, folder: str = "", most_bytes: int | None = None) -> Looking:
    """Load what sees, on the CPU.

    Args:
        name: "frames"; "sound:NAME" with a name that `load_sound_grid` takes, as
            "sound:whisper-tiny.en"; else as `load_grid_encoder` takes it.
        folder: Where features are kept; "" keeps them in memory.
        most_bytes: Bytes of memory for them at most; None keeps all.

    Raises:
        ValueError: No such encoder, or it is not to be had here.
    """
    if name == FRAMES:
        return Frames()
    from modalities.vision_language.grid_files import load_grid_encoder
    from modalities.vision_language.sound_grid import load_sound_grid
    from tasks.vision_language.images import ImageFeatures

    if name.startswith(SOUND):
        return ImageFeatures(load_sound_grid(name.removeprefix(SOUND)), folder, most_bytes)
    return ImageFeatures(load_grid_encoder(name), folder, most_bytes)
