"""mcgurk sets enrol: one line for every mistake, and what came of it."""

import json
from dataclasses import replace

import pytest

from tasks.__main__ import run
from tasks.avsr.sets.talker_card import TalkerCard
from tasks.avsr.training.enrolment import enrol as enrolling

CARD = TalkerCard(
    "me",
    clips=30,
    pieces=28,
    held_back=4,
    minutes=1.4,
    left_out={"nobody is heard": 2},
    texts={"set": 27, "written": 1},
    before={"clean": 0.0, "babble 0 dB": 20.0, "babble -10 dB": 60.0},
    after={"clean": 0.0, "babble 0 dB": 10.0, "babble -10 dB": 30.0},
    taken={"all": "trained", "babble": "as it was", "music": "moved"},
)


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").touch()
    return tmp_path / "clips"


def enrol_by(monkeypatch, found):
    """Put a function in the place of the enrolment; return what it was asked for."""
    asked = []

    def enrol(name, options, output, device, report):
        asked.append((name, options, output))
        if isinstance(found, BaseException):
            raise found
        return output, found

    monkeypatch.setattr(enrolling, "enrol", enrol)
    return asked


def test_what_was_done_is_told(clips, tmp_path, monkeypatch, capsys):
    asked = enrol_by(monkeypatch, CARD)
    out = tmp_path / "my sets"
    command = ["sets", "enrol", "grid", str(clips), "--name", "me", "-o", str(out)]
    assert run([*command, "--noise", str(clips), "--seed", "3"]) == 0
    (name, options, output) = asked[0]
    assert (name, options.name, options.clips, output) == ("grid", "me", str(clips), out)
    assert (options.noise, options.seed) == (str(clips), 3)
    told = capsys.readouterr().out
    assert "28 pieces of 30 clips, 1.4 minutes, 4 of them held back; texts: 27 heard by" in told
    assert "set that hears only, 1 from files beside the clips." in told
    assert "Sets that learnt this face and voice: all, music.\n" in told
    assert "held back: babble; more clips may change that." in told
    assert "Left out: 2 because nobody is heard." in told
    assert "babble: 0 dB 20.0 % before, 10.0 % after; -10 dB 60.0 % before, 30.0 % after" in told
    assert told.endswith(f"mcgurk transcribe FILE --sets '{out}'\n") and "no better" not in told
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pieces"] == 28


def test_sets_that_do_not_help_say_so(clips, tmp_path, monkeypatch, capsys):
    enrol_by(monkeypatch, replace(CARD, after=CARD.before))
    command = ["sets", "enrol", "grid", str(clips), "--name", "me", "-o", str(tmp_path / "out")]
    assert run(command) == 0
    assert "no better than hearing alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("failure", "code", "told"),
    [
        (ValueError("Of 1 file 1 pieces can be learnt from"), 2, "mcgurk: Of 1 file 1 pieces"),
        (OSError(28, "No space left on device", "out/lips"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["too few clips", "a full disk", "Ctrl-C"],
)
def test_what_goes_wrong_is_one_line(clips, tmp_path, monkeypatch, capsys, failure, code, told):
    enrol_by(monkeypatch, failure)
    command = ["sets", "enrol", "grid", str(clips), "--name", "me", "-o", str(tmp_path / "out")]
    assert run(command) == code
    error = capsys.readouterr().err
    assert told in error and error.count("\n") <= 1


def test_mistakes_are_told_before_the_work(clips, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    command = ["sets", "enrol", "grid", str(clips)]
    for more, told in (
        (["--name", "me"], "grid comes with mcgurk and is not changed"),
        (["--name", "my face", "-o", str(tmp_path / "out")], "expected letters, digits and _"),
        (["--name", "me", "-o", str(tmp_path / "full")], "expected a new or empty folder"),
        (
            ["--name", "me", "-o", "out", "--noise", str(tmp_path / "none")],
            "is no folder; expected one with recordings",
        ),
    ):
        assert run([*command, *more]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1
    assert run(["sets", "enrol", "grid", str(tmp_path / "full"), "--name", "me", "-o", "out"]) == 2
    assert "has no clips" in capsys.readouterr().err
