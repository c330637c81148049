"""The page of sounds and pictures says what was measured, beside what was aimed at."""

import numpy as np

from tasks.training.study_runs import Result
from tools.digits_in_music import Utterance
from tools.painted_digits import Scores
from tools.publish_audio_to_image import (
    APART,
    FULL_LOSS,
    GUIDANCES,
    MIXIT,
    WHOLE,
    draw_guidance,
    write_digits,
    write_separation,
    write_words,
)

GOOD, BAD = Scores(92.0, 75.5, 70.0, 98.0), Scores(90.0, 40.0, 30.0, 95.0)


def cells(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_the_bound_stands_below_the_rows_of_the_study():
    def result(row, *values):
        names = ("sisdri_2", "sisdri_3", "rank_agreement_2", "rank_agreement_3")
        bounds = {"bound_sisdri_2": 15.0, "bound_sisdri_3": 13.0}
        return Result(row, "", None, 0, {**dict(zip(names, values, strict=True)), **bounds})

    rows = [result(MIXIT, 8, 6, 0.9, 0.7), result(FULL_LOSS, 7, 6.5, 0.95, 0.85)]
    table, _, aims = write_separation(rows)
    assert cells(table)[2:] == [
        [MIXIT, "8.0", "6.0", "0.90", "0.70"],
        [FULL_LOSS, "7.0", "6.5", "0.95", "0.85"],
        ["ideal ratio masks, the bound", "15.0", "13.0", "", ""],
    ]
    assert "8.0 dB for two sources (aim: 7 dB)" in aims and "0.85 for the order" in aims


def test_word_errors_are_told_for_what_was_done_to_the_sound():
    sounds = [np.full(1, float(n)) for n in range(2)]
    utterances = [Utterance("one two", sound, sound) for sound in sounds]
    heard = {"alone": sounds, "in music": [sound + 10 for sound in sounds]}
    table, told = write_words(utterances, heard, lambda s: "1, 2" if s[0] < 10 else "one")
    assert [row[:2] for row in cells(table)[2:]] == [["alone", "0.0"], ["in music", "50.0"]]
    assert told.startswith("2 utterances by") and "4 digits" in told


def test_painted_digits_are_held_against_those_without_separation():
    facts = {"one": 200, "two": 300, "read": 98.0, "overlap": 70.0, "guidance": 2.0}
    facts |= {"sisdri": 6.0, "bound_sisdri": 12.0}
    scores = {APART: GOOD, WHOLE: BAD}
    parts = write_digits(scores, scores, facts, {"denoiser": 1_000_000, "adapter": 80_000})
    assert cells(parts[0])[2:] == [
        [APART, "92.0", "75.5", "70.0", "98.0"],
        [WHOLE, "90.0", "40.0", "30.0", "95.0"],
    ]
    assert "200 mixtures of one digit and 300 of two" in parts[1]
    assert "of 75.5 % both (aim: 70), +35.5 points" in parts[2]


def test_curves_are_a_picture(tmp_path):
    draw_guidance(
        {APART: [GOOD] * len(GUIDANCES), WHOLE: [BAD] * len(GUIDANCES)}, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
