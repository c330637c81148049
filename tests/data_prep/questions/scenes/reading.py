"""Read texts of rendered scenes back, and judge them from the list of things alone.

Nothing of the code that asks is used: texts are matched with the templates, what they name is
looked up word by word, and places are compared anew.
"""

import re

from data_prep.questions.scenes.wording import NUMBERS, WORDINGS
from data_prep.questions.scenes.world import WORLDS

OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


class Reader:
    def __init__(self, look):
        self.values, self.wording = WORLDS[look].values, WORDINGS[look]
        self.noun = self.wording.noun
        self.back = {word: value for value, word in self.wording.said.items()}
        self.relations = {words: name for name, words in self.wording.relations.items()}

    def match(self, task, form, text):
        """Return the parts of a text, as {"ref": "the red star"}."""
        found = [
            match.groupdict()
            for template in self.wording.templates[task][form]
            if (match := re.fullmatch(self.pattern(template), text))
        ]
        assert len(found) == 1, (form, text)
        return found[0]

    def pattern(self, template):
        ways = {"rel": self.relations, "rel2": self.relations, "number": NUMBERS}
        ways |= {"noun": [self.noun], "side": ["left", "right"]}
        pieces = re.split(r"\{(\w+)\}", template)
        for place in range(1, len(pieces), 2):
            name = pieces[place]
            start = {"ref": "the ", "a": "an? "}.get(name.rstrip("2"), "")
            start = "[a-z]+" if name in ("one", "other", "word") else start + "[a-z, ]+?"
            inner = "|".join(map(re.escape, ways[name])) if name in ways else start
            pieces[place] = f"(?P<{name}>{inner})"
        for place in range(0, len(pieces), 2):
            pieces[place] = re.escape(pieces[place])
        return "".join(pieces)

    def kind(self, phrase):
        """Turn "the small red stars" into {"size": "small", "colour": "red", "shape": "star"}."""
        words = [word for word in phrase.split() if word not in ("the", "a", "an", *NUMBERS)]
        *before, last = words
        nouns = {self.noun, *self.values["shape"]}
        (last,) = [noun for noun in (last, last[:-1], last[:-2]) if noun in nouns]
        found = {} if last == self.noun else {"shape": last}
        for word in before:
            value = self.back.get(word, word)
            (axis,) = [name for name, values in self.values.items() if value in values]
            if axis in found:
                raise ValueError(f"{axis} twice in {phrase!r}")
            found[axis] = value
        return found

    def all(self, phrase, things):
        kind = self.kind(phrase)
        return [one for one in things if all(getattr(one, axis) == kind[axis] for axis in kind)]

    def one(self, phrase, things):
        (found,) = self.all(phrase, things)
        return found

    def value(self, thing, axis):
        value = getattr(thing, axis)
        return self.wording.said.get(value, value)


def lies(first, relation, second):
    """Return how far along a relation, in hundredths of the picture."""
    across, down = second.x - first.x, second.y - first.y
    return 100 * {"left": across, "right": -across, "above": down, "below": -down}[relation]


def yes(fact):
    return "yes" if fact else "no"


def answer(reader, task, form, text, things):
    """Return the right answer to a question about one picture."""
    parts = reader.match(task, form, text)
    ref = reader.one(parts["ref"], things) if "ref" in parts else None
    ref2 = reader.one(parts["ref2"], things) if "ref2" in parts else None
    if form in ("colour", "shape", "size", "pattern"):
        return reader.value(ref, form)
    if form.startswith("near"):
        axis = form.partition("-")[2] or "shape"
        relation = reader.relations[parts["rel"]]
        far = {one: lies(one, relation, ref) for one in things if one is not ref}
        (found,) = [one for one, way in far.items() if way > 10]
        assert all(way < 5 for one, way in far.items() if one is not found)
        return reader.value(found, axis)
    if form == "order":
        said = [parts.get("rel", parts.get("one")), parts.get("rel2", parts.get("other"))]
        said = [reader.relations.get(words, words) for words in said]
        assert said[0] == OPPOSITE[said[1]]
        far = {relation: lies(ref, relation, ref2) for relation in said}
        assert max(far.values()) > 10
        return max(far, key=lambda relation: far[relation])
    if form == "related":
        far = lies(ref, reader.relations[parts["rel"]], ref2)
        assert abs(far) > 10
        return yes(far > 0)
    if form == "side":
        assert abs(ref.x - 0.5) > 0.1
        return "left" if ref.x < 0.5 else "right"
    if form == "count":
        return str(len(reader.all(parts["many"], things)))
    if form in ("exists", "and", "or"):
        there = [bool(reader.all(parts[name], things)) for name in ("a", "a2") if name in parts]
        return yes(any(there) if form == "or" else all(there))
    if form == "more":
        return yes(len(reader.all(parts["many"], things)) > len(reader.all(parts["many2"], things)))
    if form == "all":
        group = reader.all(parts.get("name") or parts["many"], things)
        assert len(group) > 1
        word = reader.back.get(parts["word"], parts["word"])
        return yes(all(word in (one.size, one.colour, one.pattern) for one in group))
    if form == "larger":
        assert ref.size != ref2.size
        return yes(ref.size == "large")
    _, axis = form.split("-")
    return yes(getattr(ref, axis) == getattr(ref2, axis))


def judge(reader, form, text, left, right):
    """Whether a statement about two pictures is true."""
    parts = reader.match("nlvr2", form, text)
    name = parts.get("a") or parts.get("many")
    counts = [len(reader.all(name, things)) for things in (left, right)] if name else []
    side = ["left", "right"].index(parts["side"]) if "side" in parts else 0
    if form == "both":
        return min(counts) > 0
    if form == "one":
        return sorted(map(bool, counts)) == [False, True]
    if form == "only":
        return counts[side] > 0 and counts[1 - side] == 0
    if form == "total":
        return sum(counts) == NUMBERS.index(parts["number"])
    if form == "more":
        return counts[side] > counts[1 - side]
    if form == "equal":
        return counts[0] == counts[1]
    assert form == "place"
    things = (left, right)[side]
    first, second = (reader.one(parts[name], things) for name in ("ref", "ref2"))
    far = lies(first, reader.relations[parts["rel"]], second)
    assert abs(far) > 10
    return far > 0


def agrees(reader, text, things):
    """Whether a caption is true of a picture, and leaves no thing out."""
    for form, ways in reader.wording.templates["caption"].items():
        for way in ways:
            match = re.fullmatch(reader.pattern(way), text)
            try:
                if match and _agrees(reader, form, match.groupdict(), things):
                    return True
            except ValueError:  # "there is a red star" is no list of things, but matches "{list}"
                pass
    return False


def _agrees(reader, form, parts, things):
    if form == "list":
        return _lists(reader, parts, things)
    names = [reader.one(parts[name], things) for name in ("a", "a2") if name in parts]
    if len(names) != len(things):
        return False
    relations = {"rel": names, "rel2": names[::-1]}
    return all(
        lies(first, reader.relations[parts[name]], second) > 10
        for name, (first, second) in (relations.items() if len(names) == 2 else ())
        if name in parts
    )


def _lists(reader, parts, things):
    items = re.split(r", | and ", parts["list"])
    firsts = [item.split()[0] for item in items]
    counts = [NUMBERS.index(first) if first in NUMBERS else 1 for first in firsts]
    shapes = {reader.kind(item).get("shape") for item in items}
    if None in shapes or len(shapes) < len(items):
        return False
    if NUMBERS.index(parts.get("number", NUMBERS[sum(counts)])) != len(things):
        return False
    found = [len(reader.all(item, things)) for item in items]
    return found == counts and sum(counts) == len(things)
