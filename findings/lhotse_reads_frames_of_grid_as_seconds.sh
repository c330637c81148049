#!/usr/bin/env bash
# Versions: lhotse 1.33.0, torch 2.13.0 (CPU), av 18.1.0 (makes the film), imageio-ffmpeg 0.6.0 (brings the FFmpeg by which lhotse
#   reads it), soundfile 0.14.0, numpy 2.4.6, urllib3 2.8.0 (which lhotse imports and does not ask for), Python 3.11, Linux
#   x86-64; seen in November 2026.
#
# Seen: prepare_grid, the recipe for the GRID corpus, gives word times that are 25 times too large. The corpus counts in 25 000ths of
#   a second, 1000 a picture, and the recipe divides by 1000: what it calls seconds are pictures. In a film of 3 s "bin"
#   begins at 23.75 s instead of 0.95 s. The check of the manifests that the recipe itself runs lets it pass, and nothing
#   is said. Of the sentence only the text, which has no times, is right.
#
# Expected: seconds, which is what lhotse's alignments are in; and that a word which begins 20 s after its recording ends is told.
#
# Who is hurt: whoever takes GRID's words by lhotse, to cut single words, to train on time stamps or to score them. Seven of the
#   eight entries of a sentence begin after the end of its film.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    lhotse==1.33.0 urllib3==2.8.0 torch==2.13.0 av==18.1.0 imageio-ffmpeg==0.6.0 soundfile==0.14.0 numpy==2.4.6 ||
    cannot "the packages are not to be had"
mkdir bin
ln -s "$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" bin/ffmpeg ||
    cannot "there is no FFmpeg for this machine"

PATH="$folder/bin:$PATH" venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys
from pathlib import Path

import av
import numpy as np
from lhotse.recipes import prepare_grid

PICTURES, RATE_HZ = 75, 44_100
WORDS = ("sil", "bin", "blue", "at", "f", "two", "now", "sil")
EDGES = (0, 23750, 29500, 34000, 35500, 41000, 47250, 53000, 74500)  # as GRID has them, up to the last picture but one


def write_film(path: Path) -> None:
    """Like GRID's: MPEG-1 of 75 pictures at 25 a second, with sound."""
    with av.open(str(path), "w", format="mpeg") as film:
        pictures = film.add_stream("mpeg1video", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 360, 288, "yuv420p"
        sound = film.add_stream("mp2", rate=RATE_HZ, layout="mono")
        for number in range(PICTURES):
            picture = av.VideoFrame.from_ndarray(np.full((288, 360, 3), 3 * number, np.uint8), format="rgb24")
            picture.pts = number
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode())
        time = np.arange(PICTURES * RATE_HZ // 25) / RATE_HZ
        samples = av.AudioFrame.from_ndarray((3000 * np.sin(2765 * time)).astype(np.int16)[None], "s16", "mono")
        samples.sample_rate, samples.pts = RATE_HZ, 0
        film.mux(sound.encode(samples))
        film.mux(sound.encode())


for name in ("corpus/s1", "corpus/alignments/s1", "corpus/audio_25k"):
    Path(name).mkdir(parents=True)
write_film(Path("corpus/s1/bbaf2n.mpg"))
lines = [f"{start} {end} {word}\n" for start, end, word in zip(EDGES, EDGES[1:], WORDS)]
Path("corpus/alignments/s1/bbaf2n.align").write_text("".join(lines))
manifests = prepare_grid("corpus")
(recording,), (sentence,) = manifests["recordings"], manifests["supervisions"]
print(f"a film of {recording.duration:.2f} s, {sentence.text!r}")
outside, factors = 0, set()
for (start, end), item in zip(zip(EDGES, EDGES[1:]), sentence.alignment["word"]):
    print(f"    {item.symbol}: from {item.start:.2f} s to {item.end:.2f} s; right is {start / 25_000:.2f} to {end / 25_000:.2f}")
    outside += item.start >= recording.duration
    factors.add(round(item.end / (end / 25_000), 6))
print(f"begin after the film's end: {outside} of {len(WORDS)}; too large by {factors}")
sys.exit(0 if outside == 7 and factors == {25.0} and 2.9 < recording.duration < 3.1 else 1)
PYTHON
echo "What was said about it: $(grep -i -c -E 'warn|align|exceed' said.txt || true) lines with warn, align or exceed"
if [ -n "${failed:-}" ] || grep -q -i -E 'warn|align|exceed' said.txt; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
