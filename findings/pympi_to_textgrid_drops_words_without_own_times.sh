#!/usr/bin/env bash
# Versions: pympi-ling 1.71, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: Eaf.to_textgrid of an ELAN file leaves out each word one of whose edges has no time of its own. In a tier of the
#   kind "time subdivision" only the first edge and the last have one; so of the three words of an utterance none arrives. The
#   tier is there and is empty. No exception, no warning.
#
# Expected: ELAN's format says that an edge without a time lies between its neighbours; ELAN shows such words evenly spread
#   over the utterance. Either that, or a word that some annotations have no times.
#
# Who is hurt: whoever takes field recordings, sign language, gesture or multimodal interaction, which are annotated in ELAN,
#   to Praat's TextGrid for alignment or for training: utterances are there, their words are silence.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pympi-ling==1.71 || cannot "the packages are not to be had"

venv/bin/python -W error - <<'PYTHON'
import sys
from pathlib import Path

from pympi.Elan import Eaf


def aligned(name: str, start: str, end: str, value: str) -> str:
    """An annotation between two time slots."""
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


Path("talk.eaf").write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-11-01T12:00:00+00:00" FORMAT="3.0" VERSION="3.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="ts2"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/>
<TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
</TIME_ORDER>
<TIER TIER_ID="utterance" LINGUISTIC_TYPE_REF="top">{aligned("a1", "ts1", "ts4", "bin blue now")}</TIER>
<TIER TIER_ID="word" LINGUISTIC_TYPE_REF="divided" PARENT_REF="utterance">
{aligned("a2", "ts1", "ts2", "bin")}
{aligned("a3", "ts2", "ts3", "blue")}
{aligned("a4", "ts3", "ts4", "now")}
</TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="top" GRAPHIC_REFERENCES="false" TIME_ALIGNABLE="true"/>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="divided" GRAPHIC_REFERENCES="false" TIME_ALIGNABLE="true"
 CONSTRAINTS="Time_Subdivision"/>
<CONSTRAINT STEREOTYPE="Time_Subdivision" DESCRIPTION="Divides the time of its parent without gaps"/>
</ANNOTATION_DOCUMENT>
""")
elan = Eaf("talk.eaf")
annotated = [value for _, _, value in elan.get_annotation_data_for_tier("word")]
grid = elan.to_textgrid()
utterances = [text for _, _, text in grid.get_tier("utterance").get_intervals()]
words = [text for _, _, text in grid.get_tier("word").get_intervals()]
print(f"ELAN: words {annotated}")
print(f"TextGrid: utterances {utterances}, words {words}")
holds = annotated == ["bin", "blue", "now"] and utterances == ["bin blue now"] and words == []
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
