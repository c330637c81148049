#!/usr/bin/env bash
# Versions: opencv-python-headless 5.0.0.93, av 18.1.0 (makes the film), numpy 2.4.6, Python 3.11, Linux x86-64; seen
#   in November 2026.
#
# Seen: in an MP4 whose pictures are not evenly spaced, VideoCapture.set(CAP_PROP_POS_FRAMES, n) and set(CAP_PROP_POS_MSEC, t)
#   go to another picture: they reckon with the mean rate of the whole film. Here are 100 pictures at 25 a second, with a
#   pause of 2 s in the middle: asked for picture 50 it hands out 61; asked for what is shown at 1.32 s, picture
#   22, which was shown at 0.88 s; for 4 s, what was shown at 5.12 s. set() says True. Reading in order gives all pictures
#   and right times.
#
# Expected: the picture of that number, or the one shown at that time; the file has a time for each picture, and reading in
#   order shows that OpenCV knows it.
#
# Who is hurt: whoever cuts clips or draws sample pictures from phone videos, screen recordings and video calls, often of
#   variable rate, and trusts times from subtitles or an aligner: here, lips are paired with sound that was said a
#   second away. With a film of constant rate the same code is right, so tests on such films pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

MILLISECOND = Fraction(1, 1000)
TIMES_MS = [40 * number + (2000 if number >= 50 else 0) for number in range(100)]


def picture(number: int) -> np.ndarray:
    """A picture that carries its number as eight stripes, white for a one."""
    image = np.zeros((64, 128, 3), np.uint8)
    for bit in range(8):
        image[:, 16 * bit : 16 * bit + 16] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    return sum(1 << bit for bit in range(8) if image[20:44, 16 * bit + 4 : 16 * bit + 12].mean() > 127)


with av.open("film.mp4", "w") as film:
    stream = film.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
    stream.codec_context.time_base = MILLISECOND
    for number, time_ms in enumerate(TIMES_MS):
        frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
        frame.pts, frame.time_base = time_ms, MILLISECOND
        film.mux(stream.encode(frame))
    film.mux(stream.encode(None))

capture = cv2.VideoCapture("film.mp4")
in_order, times_ms = [], []
while (read := capture.read())[0]:
    in_order.append(number_of(read[1]))
    times_ms.append(round(capture.get(cv2.CAP_PROP_POS_MSEC)))


def seek(what: int, value: float) -> tuple[bool, int]:
    accepted = capture.set(what, value)
    return accepted, number_of(capture.read()[1])


ASKED = (0, 33, 50, 77)
by_number = {number: seek(cv2.CAP_PROP_POS_FRAMES, number) for number in ASKED}
by_time = {number: seek(cv2.CAP_PROP_POS_MSEC, TIMES_MS[number]) for number in ASKED}
print(
    f"read in order: {len(in_order)} pictures, numbers right {in_order == list(range(100))}, "
    f"times right {times_ms == TIMES_MS}"
)
for number, (accepted, got) in by_number.items():
    print(f"set POS_FRAMES {number}: {accepted}, picture {got}")
for number, (accepted, got) in by_time.items():
    print(
        f"set POS_MSEC {TIMES_MS[number]}, where picture {number} is shown: {accepted}, "
        f"picture {got}, shown at {TIMES_MS[got]} ms"
    )
wrong = [number for number, (_, got) in by_number.items() if got != number]
wrong_times = [number for number, (_, got) in by_time.items() if got != number]
holds = (
    in_order == list(range(100))
    and times_ms == TIMES_MS
    and len(wrong) >= 1
    and len(wrong_times) >= 2
    and all(accepted for accepted, _ in [*by_number.values(), *by_time.values()])
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
