#!/usr/bin/env bash
# Versions: faster-whisper 1.2.1, av 18.1.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: faster_whisper.decode_audio, through which WhisperModel.transcribe reads any file, puts the decoded pieces end to end
#   and does not look at their times. A WebM whose sound pauses (nothing sent while muted) or starts late comes out
#   shorter by that, and whatever is said afterwards lies earlier: a beep at 4 s in the file, together with the picture of 4 s,
#   is at 2 s in the samples, after 2 s without packets or a start at 2 s. No warning.
#
# Expected: that a second of the samples is a second of the file, as its pictures and its packets have it; times
#   of words are read as seconds of the file, and subtitles are made of them.
#
# Who is hurt: whoever transcribes browser recordings, video calls and streams with muted or lost stretches, or files whose
#   sound starts later than the picture: subtitles come too early, and lips are cut out beside other words. It adds up
#   with each gap, so the start of a file looks right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    faster-whisper==1.2.1 av==18.1.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
from fractions import Fraction

import av
import numpy as np
from faster_whisper import decode_audio

RATE, LENGTH_S, BEEP_S, FRAME = 48_000, 6, 4, 960
sound = np.zeros(RATE * LENGTH_S, np.float32)
beep = np.arange(RATE // 10) / RATE
sound[BEEP_S * RATE :][: len(beep)] = 0.8 * np.sin(2 * np.pi * 1000 * beep)


def write(name: str, silent_from_s: float, silent_to_s: float) -> None:
    """Film with a white picture where the beep is; no sound is written between two times."""
    with av.open(name, "w", format="webm") as film:
        video = film.add_stream("libvpx", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = film.add_stream("libopus", rate=RATE, layout="mono")
        packets = []
        for number in range(25 * LENGTH_S):
            shade = 255 if number == 25 * BEEP_S else 0
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += video.encode(frame)
        for start in range(0, len(sound), FRAME):
            if silent_from_s <= start / RATE < silent_to_s:
                continue
            samples = (sound[start : start + FRAME] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            packets += audio.encode(frame)
        packets += video.encode(None) + audio.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            film.mux(packet)


def white_s(name: str) -> float:
    with av.open(name) as film:
        return next(f.time for f in film.decode(video=0) if f.to_ndarray(format="gray").mean() > 128)


def beep_s(name: str) -> float:
    """Time in the file of the first loud sample, from the times that the file gives."""
    with av.open(name) as film:
        for frame in film.decode(audio=0):
            loud = np.abs(frame.to_ndarray()[0]) > 0.3
            if loud.any():
                return frame.time + int(loud.argmax()) / frame.sample_rate
    raise ValueError(f"No sound over 0.3 in {name}.")


seen = {}
for case, gap in {"whole": (0, 0), "pause": (1, 3), "late start": (0, 2)}.items():
    write("film.webm", *gap)
    samples = decode_audio("film.webm")
    heard = int((np.abs(samples) > 0.3).argmax()) / 16_000
    seen[case] = (white_s("film.webm"), beep_s("film.webm"), heard)
    print(
        f"{case}: white picture at {seen[case][0]:.2f} s, beep at {seen[case][1]:.2f} s in the file, "
        f"at {heard:.2f} s of {len(samples) / 16_000:.2f} s decoded"
    )
holds = all(abs(white - BEEP_S) < 0.05 and abs(there - BEEP_S) < 0.05 for white, there, _ in seen.values())
holds = holds and abs(seen["whole"][2] - 4) < 0.05
holds = holds and all(abs(seen[case][2] - 2) < 0.05 for case in ("pause", "late start"))
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
