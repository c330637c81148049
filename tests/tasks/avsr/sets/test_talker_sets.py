"""Windows go to the sets of whoever's face is nearest; the collection's own come first."""

from types import SimpleNamespace

import numpy as np
import pytest

from tasks.avsr.sets.contract import Heard, Utterance
from tasks.avsr.sets.talker_sets import TalkerSets


class Sets:
    """Knows faces by their brightness: distance 1 is 10 levels away."""

    def __init__(self, name: str, level: int):
        self.name, self.level, self.dropped, self.asked = name, level, False, []
        self.collection = SimpleNamespace(farthest=1.0)
        self.groups, self.bytes = {"all": ("all",)}, 3
        self.sights = SimpleNamespace(look=self.look)

    def look(self, utterances):
        far = tuple(abs(float(u.crops.mean()) - self.level) / 10 for u in utterances)
        return SimpleNamespace(distances=far)

    def with_set(self, utterances, name):
        self.asked.append(len(utterances))
        return [Heard(f"{self.name} {name}") for _ in utterances]

    def recognise(self, utterances):
        return [self.name] * len(utterances)

    describe = recognise

    def plain(self, utterances):
        return [Heard("plain")] * len(utterances)

    def choose(self, scenario, by=None):
        return f"{self.name} chooses by {by}"

    def drop(self):
        self.dropped = True


def see(level: int, seen: bool = True) -> Utterance:
    crops = np.full((4, 96, 96), level, np.uint8)
    return Utterance(np.zeros(9, np.float32), crops, np.full(4, seen))


BLIND = Utterance(np.zeros(9, np.float32))


@pytest.fixture
def sets() -> TalkerSets:
    return TalkerSets(Sets("own", 50), {"me": Sets("me", 65), "you": Sets("you", 200)})


def test_the_nearest_known_face_decides_and_the_collection_has_all_others(sets):
    windows = [see(50), see(66), see(201), see(120), BLIND, see(66, seen=False), see(57), see(60)]
    expected = [None, "me", "you", None, None, None, None, "me"]
    assert sets.route(windows) == expected
    assert sets.recognise(windows) == [name or "own" for name in expected]
    assert sets.describe(windows) == sets.recognise(windows)


def test_each_gets_its_windows_at_once_and_all_come_back_in_order(sets):
    heard = sets.with_set([see(66), see(50), see(65), see(201)], "all")
    assert [one.text for one in heard] == ["me all", "own all", "me all", "you all"]
    assert sets.talkers["me"].asked == [2] and sets.own.asked == [1]


def test_a_face_that_is_as_near_to_the_collection_stays_there():
    sets = TalkerSets(Sets("own", 50), {"me": Sets("me", 60)})
    assert sets.route([see(55), see(56)]) == [None, "me"]


def test_a_collection_that_cannot_tell_faces_keeps_all():
    sets = TalkerSets(Sets("own", 50), {"me": Sets("me", 60)})
    sets.own.sights = SimpleNamespace(look=lambda shown: SimpleNamespace(distances=()))
    assert sets.route([see(60)]) == [None]


def test_the_rest_is_the_collection_s(sets):
    assert sets.groups == {"all": ("all",)} and sets.bytes == 9
    assert sets.choose(None, "level") == "own chooses by level"
    assert sets.plain([BLIND])[0].text == "plain" and sets.recognise([]) == []
    sets.drop()
    assert sets.own.dropped and all(one.dropped for one in sets.talkers.values())
