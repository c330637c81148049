"""Does the text, the set or the level that is heard depend on the volume?

All clips of speech, plain, and ten clips of GRID with the shipped sets, at nine gains each. What
differs from the clip as it is, is printed.

    python -m bench.volume
"""

import argparse
from pathlib import Path

import numpy as np

from data_prep.media import read_audio, stream_video
from tasks.avsr import AVSRPipeline
from tasks.avsr.outputs.transcript import Transcript

ROOT = Path(__file__).resolve().parents[1]
GAINS_DB = (-50, -40, -30, -20, -10, -5, 5, 10, 20)


def _heard(found: Transcript) -> tuple:
    return found.text, tuple(s.adapter_set for s in found.segments)


def main() -> None:
    """Print what differs, and how many did not."""
    parser = argparse.ArgumentParser(prog="python -m bench.volume", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    data = parser.parse_args().data
    plain, sets = AVSRPipeline(), AVSRPipeline(adapter_sets="grid")
    clips: list[tuple[AVSRPipeline, Path, np.ndarray | None]] = [
        (plain, path, None) for path in sorted((data / "speech").iterdir())
    ]
    for path in sorted((data / "grid/s1").glob("*.mp4"))[::80][:10]:
        clips.append((sets, path, np.stack([frame.rgb() for frame in stream_video(path)])))
    same = levels = 0
    for pipeline, path, video in clips:
        sound = read_audio(path)
        expected = pipeline.transcribe(sound, video)
        for gain_db in GAINS_DB:
            found = pipeline.transcribe(sound * np.float32(10 ** (gain_db / 20)), video)
            same += _heard(found) == _heard(expected)
            pairs = zip(found.segments, expected.segments, strict=False)
            levels += all(abs((a.snr_db or 0) - (b.snr_db or 0)) < 0.2 for a, b in pairs)
            if _heard(found) != _heard(expected):
                print(f"{path.name} at {gain_db} dB: {_heard(found)}, not {_heard(expected)}")
    total = len(clips) * len(GAINS_DB)
    print(f"{same} of {total} with the same text and sets, {levels} with the same level to 0.2 dB")


if __name__ == "__main__":
    main()
