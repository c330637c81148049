"""The tables of unknown talkers and speech say what users get before and now."""

from tools.publish_unknown import compare, level_of, tell_aims, text_of, write_page
from tools.unknown_speech import GRID, OTHER

SAID = "bin blue at f two now"


def row(side: str, name: str, before: bool, now: bool, **more) -> dict:
    base = {"side": side, "name": name, "kind": "babble", "snr_db": -5.0, "seed": 0, "said": SAID}
    texts = {"heard": SAID, "plain": "Then what it do now."}
    return {**base, **texts, "before": before, "now": now, **more}


def test_a_text_that_is_not_kept_is_the_frozen_models():
    one = row(GRID, "a", before=False, now=True)
    assert text_of(one, "before") == "Then what it do now." and text_of(one, "now") == SAID
    assert level_of(one) == "-5 dB" and level_of({**one, "snr_db": None}) == "clean"


def test_errors_are_those_of_what_is_kept():
    rows = [row(GRID, "a", before=False, now=True), row(GRID, "b", before=False, now=False)]
    audio, before, now = compare(rows)
    assert (audio.rate, int(before.edits.sum())) == (0.0, 2 * int(now.edits.sum()))
    assert now.rate == 100 * (5 / 12)  # five of six words of one of two clips


def test_the_page_has_a_table_for_each_demand():
    rows = [
        row(GRID, "a", before=False, now=True),
        row(OTHER, "x", before=True, now=False),
        row(OTHER, "y", before=True, now=True),
        row(OTHER, "z", before=False, now=False, snr_db=None, kind="clean"),
    ]
    lines = write_page(rows).splitlines()
    told = [line for line in lines if line.startswith("| babble |")]
    assert told[0] == "| babble | - | - | - | 0.0 / 83.3 / 0.0 [+0.0: +0.0, +0.0] | - |"
    assert told[1] == "| babble | 0 / 0 (1) | - | - | 100 / 50 (2) | - |"
    assert [line for line in lines if line.startswith("| music |")][1] == (
        "| music | 0 / 0 (1) | - | - | - | - |"
    )


def test_aims_are_told_with_what_is_missed():
    kept = [row(GRID, "a", before=True, now=True, kind="babble", snr_db=level) for level in (0, -5)]
    clean = row(OTHER, "z", before=False, now=False, snr_db=None, kind="clean")
    others = [row(OTHER, str(n), before=True, now=n == 0) for n in range(50)]
    told = tell_aims([*kept, row(GRID, "b", before=True, now=False)], [clean, *others])
    assert told[0].endswith("in 1 of 2 cells: MISSED.")
    assert told[1].endswith("in 0.0 % of 1 pieces (aim: 0).")
    assert told[2].endswith("down to -5 dB is given a sentence in 2.0 % of 50 pieces (aim: 2).")
    louder = [row(OTHER, "loud", before=True, now=True, snr_db=-10.0)]
    assert tell_aims(kept, [clean, *others, *louder])[1:] == told[1:]
    others[1]["now"] = True
    assert tell_aims(kept, others)[1].endswith("4.0 % of 50 pieces (aim: 2): MISSED.")
