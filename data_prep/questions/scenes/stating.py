"""Statements about two pictures, each once true and once false in one fact alone.

Sides are exchanged, or a kind of thing by one that is told along the same axes; so true and false
ones are worded alike, and who does not look cannot know.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from data_prep.questions.scenes.asking import LONGEST, RELATIONS, Asked, length
from data_prep.questions.scenes.drawing import Scene
from data_prep.questions.scenes.speaking import Speaker
from data_prep.questions.scenes.wording import NUMBERS
from data_prep.questions.scenes.world import OPPOSITE, Kind, count, is_related

SIDES = ("left", "right")
MOST_IN_ALL = 8


class Pair(NamedTuple):
    """Two pictures side by side."""

    left: Scene
    right: Scene

    def counts(self, kind: Kind) -> tuple[int, int]:
        """Return how many things a kind fits in each."""
        return count(kind, self.left.things), count(kind, self.right.things)


Texts = tuple[str, str]  # the true one, the false one
Form = Callable[[Pair, Speaker], Texts | None]


def state(pair: Pair, speaker: Speaker, most: int) -> list[Asked]:
    """Tell true and false things about two pictures.

    Args:
        pair: What is in them.
        speaker: Knows the words of their world, and draws.
        most: Statements; each form gives a true and a false one, so an odd number has one less.

    Returns:
        As many true as false ones, twins beside each other.
    """
    found: list[Asked] = []
    for form in speaker.mix(list(FORMS)):
        texts = FORMS[form](pair, speaker) if len(found) + 2 <= most else None
        if texts and max(map(length, texts)) <= LONGEST:
            found += [Asked(form, texts[0], "true"), Asked(form, texts[1], "false")]
    return found


def _state_kinds(form: str, true: Callable[[int, int], bool]) -> Form:
    """Tell of a kind that is in both pictures, or in one."""

    def tell(pair: Pair, speaker: Speaker) -> Texts | None:
        kinds = _kinds(pair, speaker)
        right = [kind for kind in kinds if true(*pair.counts(kind))]
        wrong = [kind for kind in kinds if not true(*pair.counts(kind))]
        twins = _contrast(right, wrong, speaker)
        if twins is None:
            return None
        return _say_both(speaker, form, *({"a": speaker.a(kind)} for kind in twins))

    return tell


def _state_only(pair: Pair, speaker: Speaker) -> Texts | None:
    kinds = [kind for kind in _kinds(pair, speaker) if not all(pair.counts(kind))]
    kind = speaker.pick(kinds) if kinds else None
    if kind is None:
        return None
    side = SIDES[0 if pair.counts(kind)[0] else 1]
    return _say_sides(speaker, "only", side, a=speaker.a(kind))


def _state_more(pair: Pair, speaker: Speaker) -> Texts | None:
    kinds = [kind for kind in _kinds(pair, speaker, 1) if len({*pair.counts(kind)}) > 1]
    if not kinds:
        return None
    kind = speaker.pick(kinds)
    left, right = pair.counts(kind)
    return _say_sides(speaker, "more", SIDES[left < right], many=speaker.many(kind))


def _state_total(pair: Pair, speaker: Speaker) -> Texts | None:
    """Keep the number, and tell it of another kind: else 1 would be true and 5 false too often."""
    kinds = _kinds(pair, speaker, 1)
    kind = speaker.pick(kinds)
    total = sum(pair.counts(kind))
    wrong = [other for other in kinds if sum(pair.counts(other)) != total]
    twins = _contrast([kind], wrong, speaker)
    if twins is None or not 2 <= total <= MOST_IN_ALL:
        return None
    parts = ({"many": speaker.many(kind), "number": NUMBERS[total]} for kind in twins)
    return _say_both(speaker, "total", *parts)


def _state_equal(pair: Pair, speaker: Speaker) -> Texts | None:
    kinds = _kinds(pair, speaker, 1)
    right = [kind for kind in kinds if len({*pair.counts(kind)}) == 1]
    wrong = [kind for kind in kinds if len({*pair.counts(kind)}) == 2]
    twins = _contrast(right, wrong, speaker)
    if twins is None:
        return None
    return _say_both(speaker, "equal", *({"many": speaker.many(kind)} for kind in twins))


def _state_place(pair: Pair, speaker: Speaker) -> Texts | None:
    side = speaker.pick((0, 1))
    things = pair[side].things
    named = [(thing, ref) for thing in things if (ref := speaker.refer(thing, things))]
    ways = [
        (ref, relation, ref2)
        for first, ref in named
        for second, ref2 in named
        for relation in RELATIONS
        if first is not second and is_related(first, relation, second)
    ]
    if not ways:
        return None
    ref, relation, ref2 = speaker.pick(ways)
    words = speaker.wording.relations
    right, wrong = words[relation], words[OPPOSITE[relation]]
    shared = dict(side=SIDES[side], ref=ref, ref2=ref2)
    return _say_both(speaker, "place", {**shared, "rel": right}, {**shared, "rel": wrong})


def _kinds(pair: Pair, speaker: Speaker, most: int = 2) -> list[dict[str, str]]:
    """Return what can be told of the things of both, in as many words at most."""
    things = (*pair.left.things, *pair.right.things)
    found = [kind for thing in things for kind in speaker.kinds(thing) if len(kind) <= most]
    return list({tuple(kind.items()): kind for kind in found}.values())


def _contrast(
    right: list[dict[str, str]], wrong: list[dict[str, str]], speaker: Speaker
) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return a kind of each that differ in one value alone."""
    twins = [
        (kind, other)
        for kind in right
        for other in wrong
        if kind.keys() == other.keys() and sum(kind[axis] != other[axis] for axis in kind) == 1
    ]
    return speaker.pick(twins) if twins else None


def _say_sides(speaker: Speaker, form: str, side: str, **shared: str) -> Texts:
    return _say_both(speaker, form, {**shared, "side": side}, {**shared, "side": OPPOSITE[side]})


def _say_both(
    speaker: Speaker, form: str, right: Mapping[str, str], wrong: Mapping[str, str]
) -> Texts:
    template = speaker.pick(speaker.wording.templates["nlvr2"][form])
    return template.format(**right), template.format(**wrong)


FORMS: Mapping[str, Form] = {
    "both": _state_kinds("both", lambda left, right: left > 0 and right > 0),
    "one": _state_kinds("one", lambda left, right: (left > 0) != (right > 0)),
    "only": _state_only,
    "total": _state_total,
    "more": _state_more,
    "equal": _state_equal,
    "place": _state_place,
}
