#!/usr/bin/env bash
# Versions: moviepy 2.2.1 (its reader of subtitles alone), srt 3.5.3 to compare, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: SubtitlesClip and file_to_subtitles take a caption when they meet the empty line after it. A SubRip file that ends with
#   its last line of text, with or without a line break, loses its last caption. Two empty lines between captions make one
#   more entry, with None for its times.
#
# Expected: all captions. Empty lines part captions; players, editors and other readers take the end of the file for one, and
#   many writers put none there, as anything that joins captions by an empty line.
#
# Who is hurt: whoever burns transcripts into films: the last words of a speaker never appear. The rest is right, so
#   nobody looks at the end.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check moviepy==2.2.1 srt==3.5.3 ||
    cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import srt
from moviepy.video.tools.subtitles import file_to_subtitles

CAPTIONS = ("bin blue at f two now", "lay red by q one please", "set white in z five soon")
written = "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}" for n, text in enumerate(CAPTIONS, 1))
counts = {}
for name, end in (("no line break", ""), ("one line break", "\n"), ("an empty line", "\n\n")):
    Path("said.srt").write_text(written + end)
    moviepy = [text for _, text in file_to_subtitles("said.srt")]
    other = [caption.content for caption in srt.parse(written + end)]
    counts[name] = (len(moviepy), len(other))
    print(f"{name} at the end: moviepy reads {len(moviepy)} captions, the last {moviepy[-1]!r}; srt reads {len(other)}")
Path("said.srt").write_text(written.replace("\n\n", "\n\n\n") + "\n\n")
timeless = [times for times, _ in file_to_subtitles("said.srt")].count(None)
print(f"two empty lines between captions: {timeless} entries without times")
holds = counts == {"no line break": (2, 3), "one line break": (2, 3), "an empty line": (3, 3)} and timeless == 2
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
