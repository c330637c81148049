"""What a frozen encoder makes of files, a fixed number of tokens each: computed once and kept."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from data_prep.masks.images import read_image
from data_prep.masks.metaimage import SUFFIX
from data_prep.media.audio import read_audio
from modalities.file_hash import hash_file
from modalities.tensor_hash import hash_tensors
from tasks.training.kept_features import KeptFeatures

if TYPE_CHECKING:
    from modalities.vision_language.grid_encoder import GridEncoder
    from modalities.vision_language.sound_grid import SoundGrid

BATCH = 16  # files that are encoded together
READING = 1  # counted up when files of any kind are read in another way: features are made anew
Progress = Callable[[float, float | None], None]


def read_picture(path: str) -> Any:
    """Read a picture by the rules of `read_image`, [height, width, 3] from 0 to 1."""
    return read_image(path).values


READERS: dict[str, Callable[[str], Any]] = {"picture": read_picture, "sound": read_audio}


class ImageFeatures:
    """Features of images or sounds by their paths; NLVR2's two images are asked for one by one.

    They are kept by what is in a file, not by its name: a file that has changed is another one, and
    a folder that has moved is the same. Several programs and threads may use a folder at once.

    Args:
        encoder: Frozen; it runs on the CPU until `to` moves it.
        folder: Where features are kept, for this encoder alone; "" keeps them in memory.
        most_bytes: Bytes of memory for them at most, see `KeptFeatures`.

    Raises:
        ValueError: The folder keeps features of another encoder, or a file in it is damaged.
        OSError: It cannot be written.
    """

    def __init__(
        self,
        encoder: "GridEncoder | SoundGrid",
        folder: str | Path = "",
        most_bytes: int | None = None,
    ):
        self.encoder = encoder
        self.to("cpu")
        identity = dict(
            extractor=encoder.identity, tokens=encoder.tokens, dim=encoder.dim, reading=READING
        )
        place = Path(folder).expanduser() if str(folder) else None
        self._kept = KeptFeatures(place, identity, encoder.name, most_bytes)
        self._keys: dict[tuple[str, int, int], str] = {}  # of headers, by path, time and size

    @property
    def tokens(self) -> int:
        """Tokens of each image."""
        return self.encoder.tokens

    @property
    def dim(self) -> int:
        """Features of each token."""
        return self.encoder.dim

    @property
    def identity(self) -> str:
        """All that decides what is made of a file."""
        return self.encoder.identity

    def to(self, where: str | torch.device) -> Self:
        """Encode on a device from now on; what is returned stays on the CPU."""
        self._where = torch.device(where)
        self.encoder.to(self._where)
        return self

    def of(self, paths: Sequence[str]) -> Tensor:
        """Return features of images, computed where they are not kept yet.

        Args:
            paths: Files, any of them more than once.

        Returns:
            [len(paths), tokens, dim], float32, on the CPU.

        Raises:
            FileNotFoundError: A file is not there.
            ValueError: One cannot be read as an image.
        """
        keys = [self._key(path) for path in paths]
        for _ in self._make(dict(zip(keys, paths, strict=True))):
            pass
        if not keys:
            return torch.empty(0, self.tokens, self.dim)
        pairs = zip(keys, paths, strict=True)
        return torch.stack(
            [self._kept.of(k, partial(self._make_one, p))["features"] for k, p in pairs]
        )

    def fill(self, paths: Iterable[str], progress: Progress | None = None) -> None:
        """Compute what is not kept yet, and write it; a run that was interrupted goes on there.

        Args:
            paths: Files, any of them more than once.
            progress: Called with the images done, and all.

        Raises:
            FileNotFoundError: A file is not there; what was computed before is kept.
            ValueError: One cannot be read as an image; likewise.
            OSError: There is no room.
        """
        wanted = {self._key(path): path for path in paths}
        done = sum(key in self._kept for key in wanted)
        try:
            for made in self._make(wanted):
                done += made
                if progress:
                    progress(done, len(wanted))
        finally:
            self._kept.flush()
        if progress:
            progress(len(wanted), len(wanted))

    def flush(self) -> None:
        """Write what waits for its file; without a folder, nothing.

        Raises:
            OSError: There is no room.
        """
        self._kept.flush()

    def _key(self, path: str) -> str:
        if not Path(path).is_file():  # a folder is none either
            raise FileNotFoundError(f"There is no file {path}; expected a {self.encoder.takes}.")
        if Path(path).suffix.lower() != SUFFIX:
            return hash_file(path)
        found = Path(path).stat()  # of a header, whose values lie in another file
        name = str(path), found.st_mtime_ns, found.st_size
        if name not in self._keys:
            self._keys[name] = hash_tensors({"prepared": self._prepare(path)})
        return self._keys[name]

    def _prepare(self, path: str) -> Tensor:
        return self.encoder.prepare(READERS[self.encoder.takes](path))

    def _make(self, paths: dict[str, str]) -> Iterator[int]:
        """Compute and keep what is missing, batch by batch, and tell how many each had.

        Args:
            paths: By key.
        """
        missing = [key for key in paths if key not in self._kept]
        for start in range(0, len(missing), BATCH):
            keys = missing[start : start + BATCH]
            for key, values in zip(keys, self._encode([paths[k] for k in keys]), strict=True):
                self._kept.add(key, {"features": values})
            yield len(keys)

    def _make_one(self, path: str) -> dict[str, Tensor]:
        """Compute what was forgotten since, as the rest of one call was too much to keep."""
        return {"features": self._encode([path])[0]}

    @torch.no_grad()
    def _encode(self, paths: Sequence[str]) -> list[Tensor]:
        """Encode files, those of one shape together; each [tokens, dim]."""
        prepared = [self._prepare(path) for path in paths]
        found: list[Tensor] = [torch.empty(0)] * len(prepared)
        for shape in {values.shape for values in prepared}:
            places = [n for n, values in enumerate(prepared) if values.shape == shape]
            batch = torch.stack([prepared[place] for place in places]).to(self._where)
            for place, values in zip(places, self.encoder(batch).float().cpu(), strict=True):
                found[place] = values
        return found
