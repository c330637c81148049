#!/usr/bin/env bash
# Versions: museval 0.4.1 (musdb 0.4.3, stempeg 0.2.6), scipy 1.17.1, numpy 2.4.6, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: museval's SDR, SIR, ISR and SAR of a second in which the estimate is nothing but zeros are nan, and a track's score is the
#   median (or the mean) of its seconds without nan. A separator that does well in half of a track and puts out zeros in the
#   rest scores 20.0 dB, as much as one that does well all along; one that puts out a mixture in that half scores 11.4 dB. So
#   a gate after any separator, which mutes it wherever it is unsure, raises its score. The same seconds are left out of the
#   scores of all other sources. The nan stand in the written JSON; nothing is said.
#
# Expected: that seconds are left out where the true source is silent, as the measure is not defined there. Where the source
#   sounds and the estimate does not, all of it is missing: the worst score, not none.
#
# Who is hurt: whoever ranks separation of music by this measure, the SiSEC and MUSDB18 one: models that end in a ReLU mask, a
#   gate or a voice activity detector, which put out exact zeros, against those that always put out something. Zeros over
#   the whole track raise an error, so one trusts that silence is seen to. Known since 2019, issue 4 of sigsep/bsseval.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    museval==0.4.1 musdb==0.4.3 stempeg==0.2.6 scipy==1.17.1 numpy==2.4.6 || cannot "the packages are not to be had"

# Its readers of stems ask on import whether these are there; nothing here runs them.
printf '#!/bin/sh\n' | tee venv/bin/ffmpeg > venv/bin/ffprobe
chmod +x venv/bin/ffmpeg venv/bin/ffprobe
PATH="$folder/venv/bin:$PATH" venv/bin/python -W ignore - <<'PYTHON'
import sys

import museval
import numpy as np

RATE, SECONDS = 16_000, 20
random = np.random.default_rng(0)
time = np.arange(RATE * SECONDS) / RATE


def sound(tone_hz: float) -> np.ndarray:
    """A tone that swells, with a little noise; [samples, 1]."""
    swelling = np.sin(2 * np.pi * tone_hz * time) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * time))
    return (swelling + 0.05 * random.standard_normal(len(time)))[:, None]


voice, band = sound(300), sound(777)
good, unseparated = voice + 0.1 * band, 0.6 * (voice + band)
half = RATE * SECONDS // 2
estimates = {
    "well separated": good,
    "the second half unseparated": np.concatenate([good[:half], unseparated[half:]]),
    "the second half zeros": np.concatenate([good[:half], np.zeros_like(good[half:])]),
}
scores, left_out = {}, {}
for name, estimate in estimates.items():
    both = np.stack([estimate, band + 0.1 * voice])
    measures = museval.evaluate(np.stack([voice, band]), both, win=RATE, hop=RATE)
    track = museval.TrackStore(track_name=name)
    for number, source in enumerate(("voice", "band")):
        named = {measure: values[number] for measure, values in zip(("SDR", "ISR", "SIR", "SAR"), measures)}
        track.add_target(source, named)
    sdr = [float(second["metrics"]["SDR"]) for second in track.scores["targets"][0]["frames"]]
    scores[name], left_out[name] = track.frames_agg(sdr), int(np.isnan(measures[0]).sum(axis=1)[1])
    print(f"{name}: SDR of the voice {scores[name]:.1f} dB; {int(np.isnan(sdr).sum())} of {SECONDS} seconds left out", end="")
    print(f", of the band, whose estimate is the same, {left_out[name]}")
good_score, mixed_score, muted_score = scores.values()
holds = abs(muted_score - good_score) < 0.1 and mixed_score < good_score - 8 and list(left_out.values()) == [0, 0, 10]
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
