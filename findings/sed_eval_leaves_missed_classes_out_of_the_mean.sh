#!/usr/bin/env bash
# Versions: sed_eval 0.2.1, dcase_util 0.2.20, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: A class whose events are all missed, and of which the system reports nothing, has an F-score of nan, as its precision is
#   0/0; results_class_wise_average_metrics leaves nan out. A detector that knows one of ten sounds and never says any other
#   has a macro-averaged F-score of 100 %. One event reported at a wrong time for each other class, which is hardly worse,
#   takes it down to 10 %. Of segments and of events alike. That the recall of these classes is 0 and their error rate 1 is in
#   the same results.
#
# Expected: that an F-score is 0 where nothing was found of what is there: 2 TP / (2 TP + FP + FN) has no 0/0 then.
#
# Who is hurt: whoever ranks sound event detectors or chooses thresholds by the macro-averaged F-score of this toolbox, the
#   DCASE challenge's: high thresholds that silence the hard classes win. Of events, not of segments, a parameter,
#   empty_system_output_handling="zero_score", turns it off. Known to the authors since 2018, issue 14 of TUT-ARG/sed_eval.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check sed_eval==0.2.1 dcase_util==0.2.20 numpy==2.4.6 ||
    cannot "the packages are not to be had"

venv/bin/python -W ignore - <<'PYTHON'
import sys

from dcase_util.containers import MetaDataContainer
from sed_eval.sound_event import EventBasedMetrics, SegmentBasedMetrics

CLASSES = ("dog", "cat", "car", "bell", "door", "horn", "rain", "steps", "cough", "drill")


def events(rows):
    keys = ("event_label", "event_onset", "event_offset", "filename")
    return MetaDataContainer([dict(zip(keys, (*row, "street.wav"))) for row in rows])


def mean_f_score(metric, rows):
    metric.evaluate(events(truth), events(rows))
    return metric.results_class_wise_average_metrics()["f_measure"]["f_measure"]


def score(rows):
    """Return the macro-averaged F-scores of events and of segments."""
    of_events = EventBasedMetrics(list(CLASSES), t_collar=0.2)
    of_segments = SegmentBasedMetrics(list(CLASSES), time_resolution=1.0)
    return [mean_f_score(metric, rows) for metric in (of_events, of_segments)]


truth = [(name, 4.0 * n, 4.0 * n + 1) for n, name in enumerate(CLASSES)]
tried = [truth[0], *((name, start + 2, end + 2) for name, start, end in truth[1:])]
all_found, silent, wrong = score(truth), score(truth[:1]), score(tried)
strict = EventBasedMetrics(list(CLASSES), t_collar=0.2, empty_system_output_handling="zero_score")
zero = mean_f_score(strict, truth[:1])
print(f"all ten found: events {all_found[0]:.0%}, segments {all_found[1]:.0%}")
print(f"only the dog found, nothing else reported: events {silent[0]:.0%}, segments {silent[1]:.0%}")
print(f"only the dog found, the others at a wrong time: events {wrong[0]:.0%}, segments {wrong[1]:.0%}")
print(f'as the second, empty_system_output_handling="zero_score": events {zero:.0%}')
holds = all_found == silent == [1.0, 1.0] and max(*wrong, zero) < 0.11
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
