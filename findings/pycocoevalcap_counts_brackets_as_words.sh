#!/usr/bin/env bash
# Versions: pycocoevalcap 1.2 (Stanford CoreNLP 3.4.1 inside), numpy 2.4.6, OpenJDK 17, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: PTBTokenizer takes punctuation out of captions by a list in which brackets stand as "-LRB-" and "-RRB-", as the Java program
#   writes them; it is asked for lower case, though, and writes "-lrb-". So brackets of all kinds stay and count as words for
#   BLEU, CIDEr, METEOR and ROUGE. A caption that says what its reference says, without its brackets, loses more
#   than half of its CIDEr; commas, full stops and quotes cost nothing. Two unlike captions share "-lrb-" and "-rrb-".
#
# Expected: brackets out, as the list means them to be.
#
# Who is hurt: whoever scores captions with asides: subtitles for the deaf, sounds ("a crowd (cheering)"), texts of the web, and
#   models that write none. Sets without brackets, as COCO's own, are as they should be, which is why nobody saw it.
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

venv/bin/python - <<'PYTHON'
import sys

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PUNCTUATIONS, PTBTokenizer

PLAIN = ["a crowd cheering in a hall", "a dog barks at a passing car", "rain falls on a tin roof"]
MARKED = {
    "brackets": ["a crowd (cheering) in a hall", "a dog [barks] at a passing car", "rain {falls} on a tin roof"],
    "commas and a stop": ["a crowd, cheering, in a hall.", "a dog barks, at a passing car.", "rain falls, on a tin roof."],
    "quotes": ['a crowd "cheering" in a hall', 'a dog "barks" at a passing car', 'rain "falls" on a tin roof'],
}


def tokenize(captions):
    return PTBTokenizer().tokenize({number: [{"caption": text}] for number, text in enumerate(captions)})


plain = tokenize(PLAIN)
best = Cider().compute_score(plain, plain)[0]
print(f"its list: {[mark for mark in PUNCTUATIONS if 'B-' in mark]}; CIDEr of captions equal to their references {best:.2f}")
holds = "-LRB-" in PUNCTUATIONS
for name, captions in MARKED.items():
    words = tokenize(captions)
    score = Cider().compute_score(words, plain)[0]
    print(f"references with {name}: {[text for texts in words.values() for text in texts]}, CIDEr {score:.2f}")
    holds &= score < 0.5 * best if name == "brackets" else abs(score - best) < 1e-9
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
