"""Captions: five ways to say what is in a picture, agreeing in what they say."""

from collections.abc import Sequence

from data_prep.questions.scenes.asking import RELATIONS
from data_prep.questions.scenes.drawing import Scene
from data_prep.questions.scenes.speaking import Speaker
from data_prep.questions.scenes.wording import NUMBERS
from data_prep.questions.scenes.world import OPPOSITE, Thing, is_related


def describe(scene: Scene, speaker: Speaker) -> tuple[str, ...]:
    """Return five captions, all different.

    One thing is told with all that is seen of it; two with what is seen of them and how they lie to
    each other, if that is clear and they differ; of more, shapes and how many there are, with a
    colour that all of a shape share. The picture fixes what is told, so that a model can learn it.
    """
    things = sorted(scene.things, key=lambda thing: thing.x)
    if len(things) == 1:
        return _fill("single", speaker, a=_full(things[0], speaker))
    first, second = (_full(thing, speaker) for thing in things[:2])
    relation = next((one for one in RELATIONS if is_related(things[0], one, things[1])), "")
    if len(things) == 2 and relation and first != second:
        words = speaker.wording.relations
        sides = dict(rel=words[relation], rel2=words[OPPOSITE[relation]])
        return _fill("pair", speaker, a=first, a2=second, **sides)
    return _fill("list", speaker, list=_list(things, speaker), number=NUMBERS[len(things)])


def _fill(form: str, speaker: Speaker, **parts: str) -> tuple[str, ...]:
    return tuple(way.format(**parts) for way in speaker.wording.templates["caption"][form])


def _full(thing: Thing, speaker: Speaker) -> str:
    """Return "a small red star"."""
    return speaker.a(thing.tell(speaker.world.axes))


def _list(things: Sequence[Thing], speaker: Speaker) -> str:
    """Return "two circles, a red star and a ring": the most first, then as shapes are listed."""
    shapes = speaker.world.values["shape"]
    groups = [[thing for thing in things if thing.shape == shape] for shape in shapes]
    told = [_group(group, speaker) for group in sorted(filter(None, groups), key=len, reverse=True)]
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def _group(group: Sequence[Thing], speaker: Speaker) -> str:
    kind = group[0].tell(["shape"])
    for axis in ("pattern", "colour"):
        shared = len({getattr(thing, axis) for thing in group}) == 1
        if shared and axis in speaker.world.axes:
            kind[axis] = getattr(group[0], axis)
    return speaker.a(kind) if len(group) == 1 else f"{NUMBERS[len(group)]} {speaker.many(kind)}"
