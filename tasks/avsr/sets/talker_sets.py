"""Recognise each window with the sets of whoever is seen to talk: a collection's, or a talker's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from fusion.scenarios.classifier import Scenario
from modalities.speech.whisper import Whisper, load_whisper
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import Heard, Recognised, Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tasks.avsr.sets.talker_card import find_talkers
from tasks.avsr.sets.talker_face import TalkerFace, load_face
from tasks.devices import find_device

Found = TypeVar("Found")
FARTHEST = 1.0  # distance to a talker's face, above which it is another


class TalkerSets:
    """Sets of a collection, and of talkers that it was enrolled for, on one frozen model.

    A window goes to the talker whose face is nearest, where it is near enough to be that one's; any
    other goes to the collection, which does with it what it does without talkers, to the bit.

    Args:
        own: The collection.
        talkers: Those of the talkers, by their names, with groups and sets of the same names.
        faces: Tell the talkers, by the same names.
    """

    def __init__(
        self,
        own: SetRecogniser,
        talkers: Mapping[str, SetRecogniser],
        faces: Mapping[str, TalkerFace],
    ):
        self.own, self.talkers, self.faces = own, talkers, faces

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sets by what they are for; each talker has one of each name."""
        return self.own.groups

    @property
    def bytes(self) -> int:
        """What all hold in memory beside the frozen model."""
        return self.own.bytes + sum(one.bytes for one in self.talkers.values())

    def drop(self) -> None:
        """Take all sets off the model, which stays."""
        for one in (self.own, *self.talkers.values()):
            one.drop()

    @torch.inference_mode()
    def route(self, utterances: Sequence[Utterance]) -> list[str | None]:
        """Say whose sets each window goes to; None for the collection's own."""
        nearest: list[str | None] = [None] * len(utterances)
        least = [FARTHEST] * len(utterances)
        for name, face in self.faces.items():
            for row, distance in enumerate(face.distances(utterances)):
                if distance <= least[row]:
                    nearest[row], least[row] = name, distance
        return nearest

    def plain(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """Recognise with the frozen model, see `SetRecogniser.plain`."""
        return self.own.plain(utterances)

    def with_set(self, utterances: Sequence[Utterance], name: str) -> list[Heard]:
        """Recognise with one set, of each window that of its talker.

        Raises:
            ValueError: No such set, or an utterance is longer than a window.
        """
        return self._apart(utterances, lambda one, some: one.with_set(some, name))

    def describe(self, utterances: Sequence[Utterance]) -> list[Scenario]:
        """Say what noise is heard in windows, and how unlike the training data they are."""
        return self._apart(utterances, lambda one, some: one.describe(some))

    def recognise(self, utterances: Sequence[Utterance]) -> list[Recognised]:
        """Choose a set for each and recognise with it; without a mouth, or unknown, abstain.

        Raises:
            ValueError: An utterance is longer than a window.
        """
        names = self.route(utterances)
        found = self._each(names, utterances, lambda one, some: one.recognise(some))
        return [
            replace(one, enrolled=name) if one.adapter_set else one
            for one, name in zip(found, names, strict=True)
        ]

    def choose(self, scenario: Scenario, by: str | None = None) -> str | None:
        """Choose a set as the collection does, see `SetRecogniser.choose`."""
        return self.own.choose(scenario, by)

    def _apart(
        self,
        utterances: Sequence[Utterance],
        work: Callable[[SetRecogniser, Sequence[Utterance]], list[Found]],
    ) -> list[Found]:
        """Do the same with the windows of each talker by themselves, and return all in order."""
        return self._each(self.route(utterances), utterances, work)

    def _each(
        self,
        names: Sequence[str | None],
        utterances: Sequence[Utterance],
        work: Callable[[SetRecogniser, Sequence[Utterance]], list[Found]],
    ) -> list[Found]:
        """Do the same with the windows that go to each talker, or None, and return all in order."""
        found: dict[int, Found] = {}
        for name in dict.fromkeys(names):
            rows = [row for row, one in enumerate(names) if one == name]
            one = self.own if name is None else self.talkers[name]
            found.update(zip(rows, work(one, [utterances[row] for row in rows]), strict=True))
        return [found[row] for row in range(len(names))]


def load_all(
    model: str, sets: str | Path | None, device: str = "auto"
) -> SetRecogniser | TalkerSets:
    """Load a frozen Whisper, and a collection with its talkers; as `load_recogniser` does without.

    Args:
        model: Name, folder or hub id of a Whisper.
        sets: A collection, by folder or name; None for the frozen model alone.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: No such model, device or sets; or the sets are for another model.
        FileNotFoundError: A file of the sets is not there.
    """
    if sets is None:
        return load_recogniser(model, None, device)
    whisper = load_whisper(model)
    whisper.model.to(find_device(device))  # type: ignore[arg-type]
    return load_sets(whisper, find_collection(sets))


def load_sets(whisper: Whisper, folder: Path, prefix: str = "") -> SetRecogniser | TalkerSets:
    """Put a collection on a frozen Whisper, with the talkers that it was enrolled for.

    Args:
        whisper: The frozen model.
        folder: Folder of the collection.
        prefix: Stands before the sets' names on the model, where it has other collections too.

    Raises:
        ValueError: The collection is for another model, or damaged.
        FileNotFoundError: A file of it is not there.
    """
    own = SetRecogniser(whisper, folder, prefix=prefix)
    folders = find_talkers(folder)
    if not folders:
        return own
    talkers: dict[str, SetRecogniser] = {}
    faces: dict[str, TalkerFace] = {}
    try:
        for name, place in folders.items():
            talkers[name] = SetRecogniser(whisper, place, prefix=f"{prefix}{name}_")
            lips = talkers[name].adapted.lips
            assert lips is not None
            faces[name] = load_face(place, lips)
    except Exception:
        TalkerSets(own, talkers, faces).drop()
        raise
    return TalkerSets(own, talkers, faces)
