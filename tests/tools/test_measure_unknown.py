"""What is measured is what the selector chooses with a verifier and without, and asks no more."""

from dataclasses import dataclass

import numpy as np
import pytest

from fusion.scenarios.classifier import Scenario
from tasks.avsr.sets.collection import Collection
from tasks.avsr.sets.contract import Heard, Utterance
from tools.measure_unknown import describe_without, key_of, measure
from tools.unknown_speech import CHOOSE, GRID, OTHER, TEST, Piece, Speech

COLLECTION = Collection("made", "tiny", "lips", {"audio": ["ear"], "category": ["babble"]})


@dataclass(frozen=True)
class Selector:
    """Knows nothing, and accepts long windows where it verifies."""

    verifier: object = "there"
    others: tuple[str, ...] = ("all",)


class Recogniser:
    """Stands in for the real one."""

    groups = COLLECTION.groups

    def __init__(self):
        self.selector = Selector()
        self.plainly = []

    def describe(self, heard):
        able = self.selector.verifier is not None
        lengths = [len(one.waveform) for one in heard]
        return [Scenario("babble", 1.0, 0.0, 2.0, accepted=able and n > 20_000) for n in lengths]

    def choose(self, scenario):
        return COLLECTION.choose(scenario)

    def with_set(self, heard, name):
        return [Heard(f"{name} {len(one.waveform)}") for one in heard]

    def plain(self, heard):
        self.plainly += heard
        return [Heard("plainly") for _ in heard]


def piece(name: str, side: str, samples: int, use: str = TEST) -> Piece:
    utterance = Utterance(np.zeros(samples, np.float32), None, np.ones(2, bool))
    return Piece(name, side, use, "ann", "said", utterance)


@pytest.fixture
def speech() -> Speech:
    pieces = (
        piece("long", GRID, 30_000),
        piece("short", GRID, 10_000),
        piece("other", OTHER, 30_000),
        piece("kept", OTHER, 30_000, CHOOSE),
    )
    return Speech(pieces, {}, (), {})


def test_rows_tell_before_and_now_and_plain_whisper_is_asked_where_errors_depend_on_it(
    speech, monkeypatch
):
    monkeypatch.setattr("tools.measure_unknown.LEVELS_DB", (None,))
    recogniser = Recogniser()
    [rows] = measure(recogniser, speech, TEST, 0, set())
    assert [(row["name"], row["before"], row["now"]) for row in rows] == [
        ("long", False, True),
        ("short", False, False),
        ("other", False, True),
    ]
    assert [row.get("plain") for row in rows] == ["plainly", "plainly", None]
    assert rows[0]["heard"] == "ear 30000" and rows[0]["snr_db"] is None
    assert list(measure(recogniser, speech, TEST, 0, {key_of(row) for row in rows})) == []


def test_the_verifier_comes_back_even_where_describing_fails():
    recogniser = Recogniser()
    assert not describe_without(recogniser, [piece("a", GRID, 30_000).utterance])[0].accepted
    assert recogniser.selector.verifier == "there"
    with pytest.raises(AttributeError):
        describe_without(recogniser, [None])
    assert recogniser.selector.verifier == "there"
