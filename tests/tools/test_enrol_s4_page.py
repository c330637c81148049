"""What is written of an enrolment is what was measured, and says whether the target is met."""

import numpy as np
import pytest

from tasks.avsr.sets.talker_card import TalkerCard
from tasks.scoring.intervals import Interval
from tools.enrol_s4_page import AFTER, WAYS, Found, Row, summarise, to_markdown


def row(way: str, rate: float, ratio: float) -> Row:
    rates = {level: Interval(rate, rate, rate) for level in ("clean", "-5 dB")}
    return Row(way, rates, Interval(ratio, ratio - 0.1, ratio + 0.1), Interval(rate, 0, 99))


@pytest.mark.parametrize(
    ("ratio", "told"), [(0.6, "by 1 of 1 enrolments."), (0.61, "by 0 of 1 enrolments: MISSED.")]
)
def test_the_target_is_met_up_to_its_border(ratio, told):
    card = TalkerCard(
        "s4",
        clips=30,
        pieces=30,
        held_back=5,
        minutes=1.5,
        before={"clean": 0.0, "music 0 dB": 10.0, "music -10 dB": 30.0},
        after={"clean": 0.0, "music 0 dB": 4.0, "music -10 dB": 8.0},
    )
    rows = [row(way, 20.0 if way == AFTER else 40.0, ratio) for way in WAYS]
    after = next(one for one in rows if one.way == AFTER)
    found = Found(rows, [(card, after)], {"talker 1": (0, 100)}, 2)
    text = to_markdown(found)
    assert told in text and "s4, 2 noises each" in text
    lines = text.splitlines()
    assert f"| enrolled, sets + selector | 20.0 | 20.0 | {ratio:.2f} [" in text
    assert "| 30 | 0 | 25 | 1.5 | 20.0 %, 6.0 % | 20.0 %, " in text  # means over noise alone
    assert "| talker 1 | 100 | 0 |" in lines
    assert np.count_nonzero([line.startswith("| --- |") for line in lines]) == 3
    assert "by 30 clips" in summarise(found) and ": 20.0 % word errors" in summarise(found)
