"""Prepared clips as WebDataset shards: tar files that training reads from front to back."""

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.names import key_of
from data_prep.clips.samples import Sample, read_crops, read_sound
from data_prep.media.wav import decode_wav, encode_wav
from modalities.outputs import check_output_folder
from modalities.rates import CROP_SIDE
from modalities.whole_file import replace_when_whole

CLIPS_PER_SHARD = 500
PATTERN = "clips-{:05d}.tar"


def write_shards(
    folder: str | Path,
    output: str | Path,
    clips_per_shard: int = CLIPS_PER_SHARD,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Pack the clips of a manifest: of each the sound, the mouth video and what is known.

    A clip's key is that of `data_prep.clips.names.key_of`, which `id_of` turns back into its id.
    Shards that are there are kept, so that an interrupted call goes on.

    Args:
        folder: With manifest.jsonl, as `prepare` wrote it.
        output: Folder of the shards.
        clips_per_shard: How many go into one.
        progress: Called with the shards done, and all.

    Returns:
        The shards.

    Raises:
        FileNotFoundError: There is no manifest, or a file is not where it was.
        ValueError: `clips_per_shard` is below 1, two clips have one id, or a file is damaged.
        OSError: A shard cannot be written.
    """
    if clips_per_shard < 1:
        raise ValueError(f"clips_per_shard is {clips_per_shard}; expected 1 or more.")
    folder, output = Path(folder), Path(output)
    clips = list(read_manifest(folder / "manifest.jsonl"))
    if len({clip.id for clip in clips}) < len(clips):
        raise ValueError(f"{folder} has two clips of one id; expected ids that are unique.")
    groups = [clips[n : n + clips_per_shard] for n in range(0, len(clips), clips_per_shard)]
    check_output_folder(output)
    shards = []
    for number, group in enumerate(groups):
        shard = output / PATTERN.format(number)
        if not shard.exists():
            _write_shard(shard, group, folder)
        shards.append(shard)
        if progress:
            progress(number + 1, len(groups))
    return shards


def _write_shard(shard: Path, clips: Sequence[Clip], folder: Path) -> None:
    from webdataset.writer import TarWriter

    with (
        replace_when_whole(shard) as partial,
        TarWriter(str(partial), mtime=0.0) as tar,
    ):
        for clip in clips:
            record: dict[str, Any] = {
                "__key__": key_of(clip.id),
                "json": json.loads(clip.to_json()),
                "wav": encode_wav(read_sound(clip, folder)),
            }
            if clip.mouth:
                record["mp4"] = (folder / clip.mouth).read_bytes()
            tar.write(record)


def read_shards(shards: Sequence[str | Path]) -> Iterator[Sample]:
    """Read clips from shards, one after the other.

    Args:
        shards: Paths, of earlier versions too.

    Raises:
        FileNotFoundError: A shard is not there.
        ValueError: One is no shard, or damaged.
    """
    for shard in shards:
        if not Path(shard).is_file():
            raise FileNotFoundError(f"There is no {shard}; expected a shard of `write_shards`.")
    for shard in shards:
        for record in _read_records(shard):
            clip = Clip.from_json(record["json"].decode())
            mouth = record.get("mp4")
            crops = _crops_of(mouth) if mouth else np.zeros((0, CROP_SIDE, CROP_SIDE), np.uint8)
            yield Sample(clip, decode_wav(record["wav"]), crops)


def _read_records(shard: str | Path) -> Iterator[dict[str, bytes]]:
    from webdataset.compat import WebDataset

    try:
        for record in WebDataset([str(shard)], shardshuffle=False, empty_check=False):
            if not {"json", "wav"} <= record.keys():
                raise ValueError(f"{record['__key__']} lacks .json or .wav")
            yield record
    except (ValueError, tarfile.TarError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise ValueError(
            f"{shard} cannot be read as a shard of `write_shards` ({reason}). Where clips have one "
            "key, as 'a.b' and 'a_b' had in earlier versions, or it is damaged, remove it and "
            "write it anew."
        ) from error


def _crops_of(video: bytes) -> np.ndarray:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(video)
        file.flush()
        return read_crops(file.name)
