"""Questions about one picture: plain ones, as in VQA, and compositional ones, as in GQA.

Each form asks where the picture lets it, and where both answers can be asked for, it tosses a
coin: who reads the question alone should know as little as possible.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from data_prep.questions.scenes.drawing import ALIKE, Scene
from data_prep.questions.scenes.speaking import Speaker
from data_prep.questions.scenes.world import OPPOSITE, Kind, Thing, count, is_related

NONE = 0.2  # of questions for a number: nothing is there, as often as one, two, three or four
RELATIONS = tuple(OPPOSITE)


@dataclass(frozen=True)
class Asked:
    """A question or statement.

    Attributes:
        form: What kind of it, as "count".
        text: In words.
        answer: The right one.
        also: Another right answer, which some people give: "red star" for "star".
    """

    form: str
    text: str
    answer: str
    also: str = ""


Form = Callable[[Scene, Speaker], Asked | None]


def _ask_value(task: str, form: str, axis: str) -> Form:
    """Ask for a value of one thing, as "what colour is the star?"."""

    def ask(scene: Scene, speaker: Speaker) -> Asked | None:
        for thing in speaker.mix(scene.things):
            ref = speaker.refer(thing, scene.things, axis)
            if ref:
                text = speaker.say(task, form, ref=ref)
                return Asked(form, text, speaker.word(getattr(thing, axis)))
        return None

    return ask


def _ask_which(form: str) -> Form:
    """Name both sizes, or both sides, and ask which it is."""

    def ask(scene: Scene, speaker: Speaker) -> Asked | None:
        for thing in speaker.mix(scene.things):
            if form == "size":
                right, wrong = thing.size, "small" if thing.size == "large" else "large"
            elif abs(thing.x - 0.5) < 0.15:
                continue
            else:
                right = "left" if thing.x < 0.5 else "right"
                wrong = OPPOSITE[right]
            ref = speaker.refer(thing, scene.things, form)
            if ref:
                one, other = speaker.mix([speaker.word(right), speaker.word(wrong)])
                text = speaker.say("vqa", form, ref=ref, one=one, other=other)
                return Asked(form, text, speaker.word(right))
        return None

    return ask


def _ask_exists(scene: Scene, speaker: Speaker) -> Asked | None:
    there = speaker.pick(speaker.kinds(speaker.pick(scene.things)))
    gone = absent(there, scene.things, speaker)
    if gone is None:  # only where both answers can be asked for
        return None
    yes = speaker.coin()
    kind = there if yes else gone
    return Asked("exists", speaker.say("vqa", "exists", a=speaker.a(kind)), _yes(yes))


def _ask_count(scene: Scene, speaker: Speaker) -> Asked | None:
    kinds: list[Kind] = [{scene.group.axis: scene.group.value}]
    if speaker.random.random() < NONE:
        values = speaker.world.values
        ways = [{axis: value} for axis in ALIKE for value in values[axis]]
        kinds = [way for way in ways if not count(way, scene.things)]
    if not kinds:
        return None
    kind = speaker.pick(kinds)
    text = speaker.say("vqa", "count", many=speaker.many(kind))
    return Asked("count", text, str(count(kind, scene.things)))


def _ask_near(scene: Scene, speaker: Speaker) -> Asked | None:
    found = _find_near(scene, speaker)
    if found is None:
        return None
    thing, ref, relation = found
    text = speaker.say("vqa", "near", ref=ref, rel=speaker.wording.relations[relation])
    return Asked("near", text, thing.shape, f"{speaker.word(thing.colour)} {thing.shape}")


def _ask_near_value(axis: str) -> Form:
    form = f"near-{axis}"

    def ask(scene: Scene, speaker: Speaker) -> Asked | None:
        found = _find_near(scene, speaker)
        if found is None:
            return None
        thing, ref, relation = found
        text = speaker.say("gqa", form, ref=ref, rel=speaker.wording.relations[relation])
        return Asked(form, text, speaker.word(getattr(thing, axis)))

    return ask


def _find_near(scene: Scene, speaker: Speaker) -> tuple[Thing, str, str] | None:
    """Find one thing that alone lies on a side of another one."""
    for relation in speaker.mix(RELATIONS):
        for mark in speaker.mix(scene.things):
            others = [one for one in scene.things if one is not mark]
            lies = [is_related(one, relation, mark) for one in others]
            if None in lies or sum(map(bool, lies)) != 1:
                continue
            ref = speaker.refer(mark, scene.things)
            if ref:
                return others[lies.index(True)], ref, relation
    return None


def _ask_order(scene: Scene, speaker: Speaker) -> Asked | None:
    for first, second, ref, ref2 in _pairs(scene, speaker):
        for relation in speaker.mix(RELATIONS):
            if is_related(first, relation, second):
                one, other = speaker.mix([relation, OPPOSITE[relation]])
                words = speaker.wording.relations
                sides = dict(one=one, other=other, rel=words[one], rel2=words[other])
                text = speaker.say("gqa", "order", ref=ref, ref2=ref2, **sides)
                return Asked("order", text, relation)
    return None


def _ask_related(scene: Scene, speaker: Speaker) -> Asked | None:
    for first, second, ref, ref2 in _pairs(scene, speaker):
        for relation in speaker.mix(RELATIONS):
            if is_related(first, relation, second):
                told = relation if (yes := speaker.coin()) else OPPOSITE[relation]
                rel = speaker.wording.relations[told]
                text = speaker.say("gqa", "related", ref=ref, ref2=ref2, rel=rel)
                return Asked("related", text, _yes(yes))
    return None


def _ask_joined(form: str) -> Form:
    """Ask for two kinds; one of them decides, which the other does not give away."""

    def ask(scene: Scene, speaker: Speaker) -> Asked | None:
        first, there = (speaker.pick(speaker.kinds(speaker.pick(scene.things))) for _ in range(2))
        # Of "or" it is sure that one of them is not there.
        sure = first if form == "and" else absent(first, scene.things, speaker)
        gone = absent(there, scene.things, speaker)
        if sure is None or gone is None or any(_is_told(sure, one) for one in (there, gone)):
            return None
        yes = speaker.coin()
        other = there if yes else gone
        first, second = speaker.mix([sure, other])
        text = speaker.say("gqa", form, a=speaker.a(first), a2=speaker.a(second))
        return Asked(form, text, _yes(yes))

    return ask


def _ask_more(scene: Scene, speaker: Speaker) -> Asked | None:
    axis = speaker.pick(("shape", "colour"))
    values = list(dict.fromkeys(getattr(thing, axis) for thing in scene.things))
    for one, other in permutations(speaker.mix(values), 2):
        kinds: list[Kind] = [{axis: one}, {axis: other}]
        numbers = [count(kind, scene.things) for kind in kinds]
        if numbers[0] > numbers[1]:
            first, second = kinds if (yes := speaker.coin()) else kinds[::-1]
            names = dict(many=speaker.many(first), many2=speaker.many(second))
            return Asked("more", speaker.say("gqa", "more", **names), _yes(yes))
    return None


def _ask_all(scene: Scene, speaker: Speaker) -> Asked | None:
    """Ask whether all of a shape have a colour, or all of a colour a size, two or more of them."""
    told = [axis for axis in speaker.world.axes if axis != "shape"]
    for shape in speaker.mix(speaker.world.values["shape"]):
        group = [thing for thing in scene.things if thing.shape == shape]
        for axis in speaker.mix(told):
            values = {getattr(thing, axis) for thing in group}
            if len(group) > 1 and len(values) == 1:
                (value,) = values
                if not (yes := speaker.coin()):
                    value = _other_value(speaker, axis, value)
                parts = dict(many=speaker.many({"shape": shape}), name=shape)
                text = speaker.say("gqa", "all", word=speaker.word(value), **parts)
                return Asked("all", text, _yes(yes))
    return None


def _ask_larger(scene: Scene, speaker: Speaker) -> Asked | None:
    for first, second, ref, ref2 in _pairs(scene, speaker, "size"):
        if first.size != second.size:
            text = speaker.say("gqa", "larger", ref=ref, ref2=ref2)
            return Asked("larger", text, _yes(first.size == "large"))
    return None


def _ask_same(axis: str) -> Form:
    form = f"same-{axis}"

    def ask(scene: Scene, speaker: Speaker) -> Asked | None:
        found: dict[bool, tuple[str, str]] = {}
        for first, second, ref, ref2 in _pairs(scene, speaker, axis):
            alike = getattr(first, axis) == getattr(second, axis)
            found.setdefault(alike, (ref, ref2))
        if len(found) < 2:  # only where both answers can be asked for
            return None
        ref, ref2 = found[yes := speaker.coin()]
        return Asked(form, speaker.say("gqa", form, ref=ref, ref2=ref2), _yes(yes))

    return ask


def _pairs(scene: Scene, speaker: Speaker, *hidden: str) -> Iterable[tuple[Thing, Thing, str, str]]:
    """Yield two things that can be told apart, and what they are called."""
    named = [(thing, speaker.refer(thing, scene.things, *hidden)) for thing in scene.things]
    for (first, ref), (second, ref2) in speaker.mix(list(permutations(named, 2))):
        if ref and ref2:
            yield first, second, ref, ref2


def absent(kind: Kind, things: Sequence[Thing], speaker: Speaker) -> Kind | None:
    """Change one value of a kind so that it fits nothing, or None where that cannot be."""
    world = speaker.world
    ways = [
        {**kind, axis: value}
        for axis in kind
        for value in world.values[axis]
        if value != kind[axis]
    ]
    ways = [way for way in ways if not count(way, things)]
    return speaker.pick(ways) if ways else None


def _is_told(kind: Kind, other: Kind) -> bool:
    """Whether one of them says all that the other does: "a red star" and "a star"."""
    return kind.items() >= other.items() or kind.items() <= other.items()


def _other_value(speaker: Speaker, axis: str, value: str) -> str:
    return speaker.pick([other for other in speaker.world.values[axis] if other != value])


def _yes(yes: bool) -> str:
    return "yes" if yes else "no"


VQA: Mapping[str, Form] = {
    "colour": _ask_value("vqa", "colour", "colour"),
    "shape": _ask_value("vqa", "shape", "shape"),
    "exists": _ask_exists,
    "count": _ask_count,
    "near": _ask_near,
    "size": _ask_which("size"),
    "side": _ask_which("side"),
    "pattern": _ask_value("vqa", "pattern", "pattern"),
}
GQA: Mapping[str, Form] = {
    "near-colour": _ask_near_value("colour"),
    "near-shape": _ask_near_value("shape"),
    "near-pattern": _ask_near_value("pattern"),
    "order": _ask_order,
    "related": _ask_related,
    "and": _ask_joined("and"),
    "or": _ask_joined("or"),
    "more": _ask_more,
    "all": _ask_all,
    "larger": _ask_larger,
    "same-colour": _ask_same("colour"),
    "same-shape": _ask_same("shape"),
    "same-pattern": _ask_same("pattern"),
}
ASKED: Mapping[str, Mapping[str, Form]] = {"vqa": VQA, "gqa": GQA}
LONGEST = 16  # words and marks of a question: with its prompt and its ends, 20 tokens


def ask(task: str, scene: Scene, speaker: Speaker, most: int) -> list[Asked]:
    """Ask different things about a picture.

    Args:
        task: "vqa" or "gqa".
        scene: What is in it.
        speaker: Knows the words of the picture's world, and draws.
        most: Questions; simple pictures have fewer.

    Returns:
        Questions of different forms, none longer than 20 tokens with prompt and ends.
    """
    templates = speaker.wording.templates[task]
    forms = [name for name in ASKED[task] if name in templates]
    found: list[Asked] = []
    for name in speaker.mix(forms):
        asked = ASKED[task][name](scene, speaker) if len(found) < most else None
        if asked and length(asked.text) <= LONGEST:
            found.append(asked)
    return found


def length(text: str) -> int:
    """Return how many words and marks a text has."""
    return len(text.split()) + sum(text.count(mark) for mark in "?,:")
