"""Windows go to the sets of whoever's face is nearest, and all others to the collection."""

import math

import numpy as np
import pytest

from tasks.avsr.sets.contract import Heard, Recognised, Utterance
from tasks.avsr.sets.talker_sets import TalkerSets


class Sets:
    """Says who it is."""

    def __init__(self, name: str):
        self.name, self.dropped, self.asked, self.deaf = name, False, [], False
        self.groups, self.bytes = {"all": ("all",)}, 3

    def with_set(self, utterances, name):
        self.asked.append(len(utterances))
        return [Heard(f"{self.name} {name}") for _ in utterances]

    def recognise(self, utterances):
        return [
            Recognised(adapter_set=None if self.deaf else f"of {self.name}") for _ in utterances
        ]

    def describe(self, utterances):
        return [self.name] * len(utterances)

    def plain(self, utterances):
        return [Heard("plain")] * len(utterances)

    def choose(self, scenario, by=None):
        return f"{self.name} chooses by {by}"

    def drop(self):
        self.dropped = True


class Face:
    """Knows a face by its brightness: distance 1 is 10 levels away."""

    def __init__(self, level: int):
        self.level = level

    def distances(self, utterances):
        return [
            abs(float(u.crops.mean()) - self.level) / 10 if u.crops is not None else math.inf
            for u in utterances
        ]


def see(level: int, seen: bool = True) -> Utterance:
    crops = np.full((4, 96, 96), level, np.uint8)
    return Utterance(np.zeros(9, np.float32), crops, np.full(4, seen))


BLIND = Utterance(np.zeros(9, np.float32))


@pytest.fixture
def sets() -> TalkerSets:
    faces = {"me": Face(65), "you": Face(80)}
    return TalkerSets(Sets("own"), {"me": Sets("me"), "you": Sets("you")}, faces)


def test_the_nearest_known_face_decides_and_the_collection_has_all_others(sets):
    windows = [see(50), see(66), see(81), see(120), BLIND, see(72), see(73), see(55), see(91)]
    expected = [None, "me", "you", None, None, "me", "you", "me", None]
    assert sets.route(windows) == expected
    assert sets.describe(windows) == [name or "own" for name in expected]
    found = sets.recognise(windows)
    assert [one.adapter_set for one in found] == [f"of {name or 'own'}" for name in expected]
    assert [one.enrolled for one in found] == expected


def test_whoever_abstains_is_not_said_to_have_helped(sets):
    sets.talkers["me"].deaf = True
    assert sets.recognise([see(66)]) == [Recognised()]


def test_each_gets_its_windows_at_once_and_all_come_back_in_order(sets):
    heard = sets.with_set([see(66), see(50), see(65), see(85)], "all")
    assert [one.text for one in heard] == ["me all", "own all", "me all", "you all"]
    assert sets.talkers["me"].asked == [2] and sets.own.asked == [1]


def test_the_rest_is_the_collection_s(sets):
    assert sets.groups == {"all": ("all",)} and sets.bytes == 9
    assert sets.choose(None, "level") == "own chooses by level"
    assert sets.plain([BLIND])[0].text == "plain" and sets.recognise([]) == []
    sets.drop()
    assert sets.own.dropped and all(one.dropped for one in sets.talkers.values())
