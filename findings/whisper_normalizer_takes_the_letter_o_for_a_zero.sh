#!/usr/bin/env bash
# Versions: whisper-normalizer 0.1.15, jiwer 4.0.0, Python 3.11, Linux x86-64; seen in November 2026. The normaliser of
#   transformers 5.23.0 gives the same for these texts.
#
# Seen: EnglishTextNormalizer, by which Whisper and most of its kin are scored, reads "o" and "oh" as a zero and joins it with the
#   number before or after it. "Five o'clock" becomes "50 clock", so that a model that hears "fifty clock" is right, and one that
#   writes "five" alone has two errors of two instead of one. GRID's "at o two" becomes "at 02", one word, its "at l
#   two" two: a wrong letter is 40 % of the sentence there and 17 % in the sentences of all other letters.
#
# Expected: that normalising makes two spellings of one thing alike, and keeps apart what sounds different.
#
# Who is hurt: whoever reports word error rates with it where letters are spelled (GRID's commands, call signs, licence plates) or
#   where people say the time. The rates stay plausible; they are not those of the words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check whisper-normalizer==0.1.15 jiwer==4.0.0 ||
    cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

PAIRS = (
    ("we meet at five o'clock", "we meet at fifty clock"),
    ("we meet at five o'clock", "we meet at five"),
    ("bin blue at o two now", "bin blue at l two now"),
    ("bin blue at e two now", "bin blue at l two now"),
)
normalise = EnglishTextNormalizer()
rates = []
for said, heard in PAIRS:
    rates.append((jiwer.wer(said, heard), jiwer.wer(normalise(said), normalise(heard))))
    print(f"{said!r} heard as {heard!r}: {rates[-1][0]:.0%} of the words wrong")
    print(f"    normalised {normalise(said)!r}, {normalise(heard)!r}: {rates[-1][1]:.0%}")
joined = [letter for letter in "abcdefghijklmnopqrstuvxyz" if len(normalise(f"at {letter} two now").split()) != 4]
print(f"GRID's letters that are no longer a word of their own before a digit: {joined}")
(_, fifty), (alone_as_said, alone), (_, letter_o), (_, letter_e) = rates
holds = fifty == 0 and alone == 2 * alone_as_said and letter_o == 0.4 and letter_e == 1 / 6 and joined == ["o"]
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
