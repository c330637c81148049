"""Clips that the benches make from the demo clip."""

from fractions import Fraction
from pathlib import Path

import av

from data_prep.media import read_audio, stream_video
from modalities.rates import RATE_HZ, SAMPLES_PER_PICTURE, VIDEO_RATE_HZ

DEMO = Path(__file__).resolve().parents[1] / "tests/assets/white_house_address.mp4"


def write_clip(path: Path, width: int, height: int, repeat: int = 1) -> None:
    """Write the demo clip at 25 frames per second and another size, several times in a row.

    Args:
        path: The .mp4 to write.
        width: Pixels of a row, an even number: colours are stored by pairs.
        height: Pixels of a column, an even number.
        repeat: How often the demo clip comes in it, 1 or more.
    """
    pictures = [frame.rgb() for frame in stream_video(DEMO)]
    sound = read_audio(DEMO)[: len(pictures) * SAMPLES_PER_PICTURE]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=VIDEO_RATE_HZ, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for turn in range(repeat):
            for index, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(width=width, height=height, format="yuv420p")
                frame.pts = turn * len(pictures) + index
                frame.time_base = Fraction(1, VIDEO_RATE_HZ)
                container.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE_HZ, turn * len(sound)
            block.time_base = Fraction(1, RATE_HZ)
            container.mux(audio.encode(block))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
