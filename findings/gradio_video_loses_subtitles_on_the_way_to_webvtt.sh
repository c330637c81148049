#!/usr/bin/env bash
# Versions: gradio 6.31.0, webvtt-py 0.6.0, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: gr.Video(subtitles=...) writes WebVTT of a list of subtitles or of an SRT file, and some are lost on the way, without
#   a word. Of a list, each time is split into minutes and seconds before it is rounded, so that 59.9996 s, or 1,500 frames
#   of 0.04 s added up, becomes 00:00:60.000, which is no time in WebVTT: readers, webvtt-py here and Chromium's own, pass the
#   whole subtitle over. Of an SRT file, blocks are cut at two line ends and their second line is taken for the time: where
#   two blank lines stand between two subtitles, the number of the later one becomes "3 --> 3", and it is lost. All other times
#   of an SRT file stand twice in their line, "A --> B --> A --> B", which browsers forgive and pysubs2 does not.
#
# Expected: 00:01:00.000, and every subtitle that other readers of SRT find, each with its time once.
#
# Who is hurt: whoever shows what a speech recogniser wrote: words whose times are added up from frames end just before a full
#   minute now and then, and editors leave blank lines; one line is missing from the player, and nobody is told.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    gradio==6.31.0 webvtt-py==0.6.0 || cannot "the packages are not to be had"

mkdir gradio
export GRADIO_ANALYTICS_ENABLED=False GRADIO_TEMP_DIR="$folder/gradio" HF_HUB_OFFLINE=1
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import gradio
import webvtt

video = Path("clip.mp4")
video.write_bytes(b"")  # what it shows does not matter for its subtitles
component = gradio.Video()


def shown(subtitles: object) -> tuple[str, list[str]]:
    """Return what gradio writes of subtitles, and the texts that a reader of WebVTT finds in it."""
    given = gradio.Video(str(video), subtitles=subtitles).subtitles
    path = given["path"] if isinstance(given, dict) else given.path
    return Path(path).read_text(encoding="utf-8"), [caption.text for caption in webvtt.read(path)]


added_up = 0.0
for _ in range(1500):
    added_up += 0.04  # frames of 25 pictures a second
written, found = shown(
    [
        {"text": "first", "timestamp": [57.0, 58.0]},
        {"text": "second", "timestamp": [58.0, added_up]},
        {"text": "third", "timestamp": [61.0, 62.0]},
    ]
)
print(f"A list of three, of which the second ends at {added_up!r} s:", written, found, sep="\n")
srt = Path("said.srt")
blocks = [
    f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}\n"
    for n, text in enumerate(("first", "second", "third"), 1)
]
srt.write_text(f"{blocks[0]}\n{blocks[1]}\n\n{blocks[2]}", encoding="utf-8")
of_srt, found_of_srt = shown(str(srt))
print("An SRT file of three, with two blank lines before the third:", of_srt, found_of_srt, sep="\n")
holds = (
    "00:00:60.000" in written
    and found == ["first", "third"]
    and "3 --> 3" in of_srt
    and found_of_srt == ["first", "second"]
    and of_srt.splitlines()[2].count("-->") == 3
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
