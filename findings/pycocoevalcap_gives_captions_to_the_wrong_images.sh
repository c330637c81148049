#!/usr/bin/env bash
# Versions: pycocoevalcap 1.2 (Stanford CoreNLP 3.4.1 inside), numpy 2.4.6, OpenJDK 17, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: PTBTokenizer.tokenize writes all captions into one file, a line each, and hands the lines of the Java program back to the
#   images in their order. "\n" within a caption becomes a space first, other line ends do not. A caption with "\r" or with
#   U+2028, as texts from web pages have them, becomes two lines: its image keeps the first half, and every later image
#   gets the caption of the one before it. The last caption is lost. No error, no warning; CIDEr of captions that equal their
#   references falls from the highest there is to that of strangers.
#
# Expected: each image its own caption, as the guard against "\n" promises; or an error, as the counts of lines differ.
#
# Who is hurt: whoever scores captions of the web or of a model with BLEU, CIDEr, METEOR or SPICE by this package or one that
#   has it inside: one such character among thousands spoils the scores of all images after it.
#
# It needs Java (`java` on the path).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
command -v java > java.txt || cannot "there is no Java"
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check numpy==2.4.6 || cannot "numpy is not to be had"
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pycocoevalcap==1.2 ||
    cannot "pycocoevalcap is not to be had"

venv/bin/python - <<'PYTHON' || failed=1
import sys

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

SAID = ["a man{}rides a horse", "two dogs play with a ball", "a red bus stops here", "three birds sit on a wire"]


def tokenize(mark):
    captions = {n: [{"caption": text.format(mark)}] for n, text in enumerate(SAID)}
    return PTBTokenizer().tokenize(captions)


clean = tokenize(" ")
assert clean == {n: [text.format(" ")] for n, text in enumerate(SAID)}, clean
holds = tokenize("\n") == clean
print(f"'\\n' in the first caption: all as with a space: {holds}")
for mark in ("\r", "\u2028"):
    found = tokenize(mark)
    moved = [n for n in range(2, len(SAID)) if found.get(n) == clean[n - 1]]
    lost = clean[3] not in found.values()
    score = Cider().compute_score(clean, found)[0] if found.keys() == clean.keys() else None
    own = Cider().compute_score(clean, clean)[0]
    print(f"{mark!r}: {found}")
    print(f"    images with the caption of the one before: {moved}; the last caption is lost: {lost}")
    print(f"    CIDEr of captions equal to their references: {score:.2f}, of the clean ones {own:.2f}")
    holds &= moved == [2, 3] and lost and score < own / 2
sys.exit(0 if holds else 1)
PYTHON
if [ -n "${failed:-}" ]; then
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
