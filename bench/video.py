"""What watching the video costs."""

import tempfile
from argparse import Namespace
from pathlib import Path

from bench.compare import Row, compare
from bench.media import write_clip
from tasks.avsr import AVSROptions, AVSRPipeline


def rows(given: Namespace) -> list[Row]:
    """Compare the same file with and without its video."""
    watching = AVSRPipeline(device="cpu")
    listening = AVSRPipeline(device="cpu", options=AVSROptions(video=False))
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, 640, 360)
        return [
            compare(
                "8.8 s of 640x360 video, 25 frames/s",
                "the same without its video",
                lambda: watching.transcribe(clip),
                lambda: listening.transcribe(clip),
                "<= 1.35",
            )
        ]
