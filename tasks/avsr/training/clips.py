"""Prepared clips in memory, by split."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.samples import Sample, load_sample
from data_prep.clips.splits import choose_clips, read_split
from tasks.avsr.training.config import DataOptions


def find_clips(options: DataOptions, part: str) -> list[Clip]:
    """Return the clips of a split, in the order of the manifest.

    Raises:
        FileNotFoundError: No manifest, or no such JSON.
        ValueError: No such split, or no clip in it.
    """
    folder = Path(options.folder)
    if not options.folder or not folder.is_dir():
        raise FileNotFoundError(
            f"data.folder is {options.folder!r}; expected a folder that mcgurk prepare wrote."
        )
    clips = list(read_manifest(folder / "manifest.jsonl"))
    if options.split:
        clips = choose_clips(clips, read_split(options.split, part))
    return clips[: options.limit or None]


def load_clips(clips: Iterable[Clip], folder: str | Path) -> list[Sample]:
    """Read clips into memory: 0.9 MB for three seconds, sound and mouth.

    Raises:
        FileNotFoundError: A file is not where it was.
    """
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda clip: _load(clip, str(folder)), clips))


@lru_cache(maxsize=4096)
def _load(clip: Clip, folder: str) -> Sample:
    return load_sample(clip, folder)
