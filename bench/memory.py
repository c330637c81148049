"""Peak memory of a long input against a short one."""

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.compare import Row
from bench.joined import SAID, join
from bench.media import DEMO, write_clip
from bench.peak import run_for_peak
from data_prep.media import read_audio
from data_prep.media.wav import WavFile
from modalities.rates import RATE_HZ

MINUTES = (1, 60)
DEMO_S = 8.72
CODE = """
import sys
from tasks.avsr import AVSRPipeline
AVSRPipeline(device="cpu").transcribe(sys.argv[1])
"""


def rows(given: Namespace) -> list[Row]:
    """Transcribe 1 and 60 minutes, each in its own process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [_sound(folder, given.data), _video(folder)]


def _sound(folder: Path, data: Path) -> Row:
    peaks = []
    for minutes in MINUTES:
        path = folder / f"{minutes}.wav"
        file = WavFile(path, RATE_HZ)
        for sound in speech(data):
            if file.samples >= minutes * 60 * RATE_HZ:
                break
            file.write(sound)
        file.close()
        peaks.append(run_for_peak(CODE, str(path)))
    return _row("speech", *peaks)


def speech(data: Path) -> Iterator[np.ndarray]:
    """Give waveforms without end: four recordings in all orders, or the demo clip alone.

    What is repeated at once looks to a decoder as if it went round in circles: each window is then
    written again, which costs more memory than other speech does.
    """
    known = all((data / name).is_file() for name in SAID)
    while True:
        yield from (sound for _, sound in join(data)) if known else [read_audio(DEMO)]


def _video(folder: Path) -> Row:
    peaks = []
    for minutes in MINUTES:
        path = folder / f"{minutes}.mp4"
        write_clip(path, 640, 360, round(minutes * 60 / DEMO_S))
        peaks.append(run_for_peak(CODE, str(path)))
    return _row("640x360 video", *peaks)


def _row(what: str, short: float, long: float) -> Row:
    target = f"at most 50 MB more; here {long - short:.0f}"
    what = f"peak memory, 60 minutes of {what}"
    return Row(what, "1 minute of it", long, short, "MB", long / short, target)
