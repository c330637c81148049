#!/usr/bin/env bash
# Versions: salesforce-lavis 1.0.2 (its vqa_tools alone), Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: LAVIS scores VQA by its copy of the challenge's script, of an older form. It always normalises the model's answer:
#   punctuation goes, articles go, "two" becomes "2". What people said loses its punctuation only where the ten differ, and
#   never its articles and number words. So an answer that is letter by letter what all ten people gave scores 0 where it has
#   a hyphen, an article or a number word ("t-shirt", "the beatles", "two"); "t-shirt" scores 100 as soon as one of the ten
#   said something else. The challenge's present script normalises both sides, where people differ.
#
# Expected: 100 % for what everybody said; both sides normalised alike.
#
# Who is hurt: whoever compares VQA accuracies of LAVIS's models or of own models scored by it with those of others: the
#   questions on which people agree most count as wrong, and a model that writes "two" can never be right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps salesforce-lavis==1.0.2 ||
    cannot "salesforce-lavis is not to be had"

venv/bin/python - <<'PYTHON' || failed=1
import contextlib
import importlib.util
import io
import sys
import sysconfig
from pathlib import Path

# The package around it wants a GPU stack; the scorer wants Python alone.
path = Path(sysconfig.get_paths()["purelib"]) / "lavis/common/vqa_tools/vqa_eval.py"
spec = importlib.util.spec_from_file_location("vqa_eval", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


class Rows:
    """What the scorer reads of annotations and results."""

    def __init__(self, rows):
        self.qa = rows

    def getQuesIds(self):
        return list(self.qa)


def score(said, people):
    kinds = {"question_type": "what", "answer_type": "other"}
    answers = [{"answer": text, "answer_id": n} for n, text in enumerate(people, 1)]
    truth, results = Rows({1: {**kinds, "answers": answers}}), Rows({1: {"answer": said}})
    scorer = module.VQAEval(truth, results, n=2)
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate([1])
    return scorer.accuracy["overall"]


plain = score("dog", ["dog"] * 10)
print(f"'dog' where all ten said 'dog': {plain:.0f}")
holds = plain == 100
for text in ("t-shirt", "the beatles", "two"):
    agreed, all_but_one = score(text, [text] * 10), score(text, [text] * 9 + ["dog"])
    print(f"{text!r} where all ten said {text!r}: {agreed:.0f}; where nine did: {all_but_one:.0f}")
    holds &= agreed == 0 and (all_but_one == 100) == (text == "t-shirt")
sys.exit(0 if holds else 1)
PYTHON
if [ -n "${failed:-}" ]; then
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
