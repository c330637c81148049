"""Peak memory of a long input against a short one."""

import tempfile
from argparse import Namespace
from pathlib import Path

from bench.compare import Row
from bench.media import write_clip, write_sound
from bench.peak import run_for_peak

REPEATS = {1: 7, 60: 413}  # of the demo clip, for so many minutes
CODE = """
import sys
from tasks.avsr import AVSRPipeline
AVSRPipeline(device="cpu").transcribe(sys.argv[1])
"""


def rows(given: Namespace) -> list[Row]:
    """Transcribe the demo clip in a row for 1 and for 60 minutes, each in its own process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [_sound(folder), _video(folder)]


def _sound(folder: Path) -> Row:
    peaks = []
    for minutes, repeat in REPEATS.items():
        path = folder / f"{minutes}.wav"
        write_sound(path, repeat)
        peaks.append(run_for_peak(CODE, str(path)))
    return _row("speech", *peaks)


def _video(folder: Path) -> Row:
    peaks = []
    for minutes, repeat in REPEATS.items():
        path = folder / f"{minutes}.mp4"
        write_clip(path, 640, 360, repeat)
        peaks.append(run_for_peak(CODE, str(path)))
    return _row("640x360 video", *peaks)


def _row(what: str, short: float, long: float) -> Row:
    target = f"at most 50 MB more; here {long - short:.0f}"
    what = f"peak memory, 60 minutes of {what}"
    return Row(what, "1 minute of it", long, short, "MB", long / short, target)
