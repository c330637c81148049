"""What is written of an enrolment is what was measured, and says whether the target is met."""

import numpy as np
import pytest

from tasks.avsr.sets.talker_card import TalkerCard
from tasks.scoring.intervals import Interval
from tools.enrol_s4_page import Found, Row, to_markdown


def row(way: str, rate: float, ratio: float) -> Row:
    rates = {level: Interval(rate, rate, rate) for level in ("clean", "-5 dB")}
    return Row(way, rates, Interval(ratio, ratio - 0.1, ratio + 0.1), Interval(rate, 0, 99))


@pytest.mark.parametrize(("ratio", "told"), [(0.6, "is met."), (0.61, "is missed.")])
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
    rows = [row("audio-only", 40.0, 1.0), row("enrolled, sets + selector", 20.0, ratio)]
    found = Found(rows, [(card, rows[1])], {"talker 1": (0, 100)}, 2, 0)
    text = to_markdown(found)
    assert told in text and "s4, 2 noises each" in text
    lines = text.splitlines()
    assert f"| enrolled, sets + selector | 20.0 | 20.0 | {ratio:.2f} [" in text
    assert "| 30 | 25 | 1.5 | 20.0 %, 6.0 % | 20.0 %, " in text  # means over noise alone
    assert "| talker 1 | 100 | 0 |" in lines
    assert np.count_nonzero([line.startswith("| --- |") for line in lines]) == 3
