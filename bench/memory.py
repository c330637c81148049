"""Peak memory of a long input against a short one."""

import tempfile
from argparse import Namespace
from pathlib import Path

from bench.compare import Row
from bench.media import write_clip
from bench.peak import run_for_peak

CODE = """
import sys
from tasks.avsr import AVSRPipeline
AVSRPipeline(device="cpu").transcribe(sys.argv[1])
"""


def rows(given: Namespace) -> list[Row]:
    """Transcribe the demo clip in a row for 1 and for 60 minutes, each in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for repeat in (7, 413):
            clip = Path(folder) / f"{repeat}.mp4"
            write_clip(clip, 640, 360, repeat)
            peaks.append(run_for_peak(CODE, str(clip)))
    short, long = peaks
    return [
        Row(
            "peak memory, 60 minutes of 640x360 video",
            "1 minute of it",
            long,
            short,
            "MB",
            long / short,
            f"at most 300 MB more; here {long - short:.0f}",
        )
    ]
