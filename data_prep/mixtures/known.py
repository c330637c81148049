"""Mixtures whose sources are known, and their files."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MixedSound, Source
from modalities.whole_file import replace_when_whole

SOUNDS, SOURCES, IMAGES, ICONS = "sounds", "sources", "images", "icons"  # folders of files


@dataclass(frozen=True)
class KnownMixture:
    """Sounds at once; `waveform` is the sum of the sources.

    Attributes:
        waveform: float32 [samples], 16 kHz, in [-1, 1].
        sources: What of it is each sound, the loudest first, float32 [samples] each.
        labels: What each source is, none twice, in the order of the sources.
        levels_db: Power of each source in decibels relative to the first, which has 0.
        picture: A picture of all, uint8 [height, width, 3], RGB; None without.
        icons: A picture of each source, uint8 [height, width, 3], RGB; none without.
    """

    waveform: np.ndarray
    sources: tuple[np.ndarray, ...]
    labels: tuple[str, ...]
    levels_db: tuple[float, ...]
    picture: np.ndarray | None = None
    icons: tuple[np.ndarray, ...] = ()

    @property
    def shares(self) -> tuple[float, ...]:
        """Each source's part of the sources' power, 0 to 1; they sum to 1."""
        powers = 10 ** (np.array(self.levels_db) / 10)
        return tuple(map(float, powers / powers.sum()))


def write_known(folder: Path, key: str, fold: str, mixture: KnownMixture) -> MixedSound:
    """Write the files of a mixture: 16-bit .wav and .png.

    Args:
        folder: To write to, below sounds/, sources/, images/ and icons/.
        key: Name of its files, and its id; sources are numbered from 1.
        fold: A name of `manifest.FOLDS`, or "".
        mixture: What is written.

    Returns:
        Its row, with paths relative to the folder.

    Raises:
        OSError: A file cannot be written.
    """
    media, picture = f"{SOUNDS}/{key}.wav", f"{IMAGES}/{key}.png"
    _write(folder / media, encode_wav(mixture.waveform))
    if mixture.picture is not None:
        _write(folder / picture, _encode_png(mixture.picture))
    parts = zip(mixture.labels, mixture.levels_db, mixture.shares, strict=True)
    sources = []
    for number, (label, level_db, share) in enumerate(parts, 1):
        part = f"{SOURCES}/{key}_{number}.wav"
        icon = f"{ICONS}/{key}_{number}.png" if mixture.icons else ""
        _write(folder / part, encode_wav(mixture.sources[number - 1]))
        if icon:
            _write(folder / icon, _encode_png(mixture.icons[number - 1]))
        sources.append(Source(part, label, level_db, share, icon))
    shown = "" if mixture.picture is None else picture
    return MixedSound(key, media, mixture.labels, fold, picture=shown, sources=tuple(sources))


def _write(path: Path, data: bytes) -> None:
    with replace_when_whole(path) as partial:
        partial.write_bytes(data)


def _encode_png(image: np.ndarray) -> bytes:
    whole, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert whole
    return encoded.tobytes()
