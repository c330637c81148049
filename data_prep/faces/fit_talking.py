"""Fit the map from mouth to sound that the talking score uses, from clips of one talker each.

    python -m data_prep.faces.fit_talking OUT.safetensors CLIP...

What ships was fitted on the 730 training clips of GRID's talker 1.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data_prep.faces.finder import FaceFinder
from data_prep.faces.talking import describe_mouth, fit_mapping, hear, normalize_sound
from data_prep.media import read_audio, stream_video
from modalities.rates import SAMPLES_PER_PICTURE
from modalities.whole_file import replace_when_whole

SOURCE = "GRID corpus, talker 1 (Cooke, Barker, Cunningham, Shao 2006), CC BY 4.0"


def describe_clip(path: str | Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Features of mouth and sound of a clip in which one face talks all the time.

    Args:
        path: A video with sound.

    Returns:
        [frames, 660] and [frames, 8]; None where a face is not there in every frame.
    """
    frames = list(stream_video(path))
    finder = FaceFinder()
    chunks = finder.push(frames, None) + finder.flush()  # without sound the largest face is taken
    if len(chunks) != 1 or not chunks[0].mask.all():
        return None
    waveform = read_audio(path)[: len(frames) * SAMPLES_PER_PICTURE]
    waveform = np.pad(waveform, (0, len(frames) * SAMPLES_PER_PICTURE - len(waveform)))
    repeated = np.array([frame.repeated for frame in frames], bool)
    return describe_mouth(chunks[0].crops, repeated), normalize_sound(hear(waveform))


def fit_clips(paths: Iterable[str | Path]) -> tuple[np.ndarray, int]:
    """Fit the map on clips.

    Args:
        paths: Videos with sound, one talker each.

    Returns:
        float32 [660, 8], and the number of clips that served.

    Raises:
        ValueError: No clip shows a face all the time.
    """
    described = [clip for path in paths if (clip := describe_clip(path)) is not None]
    if not described:
        raise ValueError("No clip shows one face in every frame; expected at least one that does.")
    mapping = fit_mapping([mouth for mouth, _ in described], [sound for _, sound in described])
    return mapping, len(described)


def save_mapping(path: str | Path, mapping: np.ndarray, clips: int) -> None:
    """Write the map and where it comes from as safetensors."""
    from safetensors.numpy import save_file

    metadata = {"data": SOURCE, "clips": str(clips)}
    with replace_when_whole(path) as partial:
        save_file({"mouth_to_sound": mapping}, partial, metadata=metadata)


if __name__ == "__main__":
    save_mapping(sys.argv[1], *fit_clips(sys.argv[2:]))
