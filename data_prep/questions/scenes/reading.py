"""What a language model has read before it sees a picture: texts that give words a meaning.

The words are those of both worlds, so that a model which is then shown the seen world alone knows
the others as one from the web knows them: from texts. The texts are worded as in the seen world; no
question of the unseen world is among them, and nothing is about a picture.
"""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np

from data_prep.questions.scenes.asking import ASKED, LONGEST, ask, length
from data_prep.questions.scenes.drawing import Group, Scene
from data_prep.questions.scenes.people import SYNONYMS
from data_prep.questions.scenes.speaking import Speaker, plural
from data_prep.questions.scenes.wording import WORDINGS
from data_prep.questions.scenes.world import (
    AXES,
    CLEAR,
    OPPOSITE,
    WORLDS,
    Thing,
    World,
    is_related,
)

Text = tuple[str, str, str]  # task, what is read, what is to be written
BOTH = {
    axis: tuple(dict.fromkeys(value for world in WORLDS.values() for value in world.values[axis]))
    for axis in AXES
}
SEEN, UNSEEN = WORDINGS["seen"], WORDINGS["unseen"]
MEANINGS = {
    **{value: axis for axis in ("colour", "shape", "pattern") for value in BOTH[axis]},
    **{other: word for word, other in SYNONYMS.items() if word not in ("yes", "no")},
    **{other: word for word, other in UNSEEN.said.items()},
    **{UNSEEN.relations[side]: SEEN.relations[side] for side in OPPOSITE},
    UNSEEN.noun: SEEN.noun,
    "image": "picture",
    "form": "shape",
    "outnumber": "more than",
    "equally": "the same number",
    "together": "in all",
    "just": "only",
    "match": "have the same",
    "lie": "is",
    "lies": "is",
    "appears": "is",
    "contains": "shows",
    "contain": "show",
    "find": "see",
    "count": "how many",
}
# What stands for what in a sentence, the longest first.
OTHERWISE = {
    **{f"{plural(SEEN.noun)}": plural(UNSEEN.noun), SEEN.noun: UNSEEN.noun},
    **{SEEN.relations[side]: UNSEEN.relations[side] for side in OPPOSITE},
    **UNSEEN.said,
    **{word: other for word, other in SYNONYMS.items() if word not in ("yes", "no")},
    "pictures": "images",
    "picture": "image",
}
SAID = re.compile(rf"\b({'|'.join(sorted(OTHERWISE, key=len, reverse=True))})\b")
# What has to be told of things before a question of a form can be answered; shapes always are.
NEEDS = {
    **{form: "colour" for form in ("colour", "near-colour", "same-colour", "more")},
    **{form: "size" for form in ("size", "larger")},
}
MEANING, OTHERWISE_SAID = 0.1, 0.3  # of the texts; the others tell and ask
SAME = "the same as "


def read_text(random: np.random.Generator) -> Text:
    """Return a text and what it asks for.

    That is what a word means, an answer from what the text tells, or the same sentence in words of
    the seen world.

    Args:
        random: Draws all of it.
    """
    while True:
        kind = random.random()
        if kind < MEANING:
            return _ask_meaning(random)
        say = _say_otherwise if kind < MEANING + OTHERWISE_SAID else _tell_and_ask
        text = say(random)
        if text and length(text[1]) <= LONGEST:
            return text


def _ask_meaning(random: np.random.Generator) -> Text:
    words = list(MEANINGS)
    word = words[int(random.integers(len(words)))]
    return "vqa", f"what is {word}?", MEANINGS[word]


def _say_otherwise(random: np.random.Generator) -> Text | None:
    """Exchange words of a sentence by others for the same, which the answer takes back."""
    told = _tell_and_ask(random)
    if told is None:
        return None
    plain = told[1].split(": ")[int(random.integers(2))]
    other = SAID.sub(lambda word: OTHERWISE[word[0]] if random.random() < 0.8 else word[0], plain)
    return "caption", SAME + other, plain


def _tell_and_ask(random: np.random.Generator) -> Text | None:
    """Tell of one thing or two, and ask about what was told, in any of the words for it."""
    axes = _axes(random)
    speaker = Speaker(World("seen", axes, BOTH), random)
    things = _things(speaker)
    side = next((side for side in OPPOSITE if is_related(things[0], side, things[-1])), "")
    between = f" {SEEN.relations[side]} " if side else ""
    told = between.join(speaker.a(thing.tell(axes)) for thing in things)
    task = speaker.pick(("vqa", "gqa"))
    scene = Scene(things, Group("shape", things[0].shape))
    for asked in ask(task, scene, speaker, len(ASKED[task])):
        if NEEDS.get(asked.form, "shape") in axes:
            return task, f"{told}: {asked.text}", asked.answer
    return None


def _axes(random: np.random.Generator) -> tuple[str, ...]:
    """Return which axes are told of the things, shapes always."""
    ways = [way for count in (1, 1, 2) for way in combinations(AXES[:-1], count)]
    chosen = ways[int(random.integers(len(ways)))]
    return (*chosen, AXES[-1])


def _things(speaker: Speaker) -> tuple[Thing, ...]:
    """Return one, or two beside or above each other, all in the middle of what one imagines."""
    one, other = _any_thing(speaker), _any_thing(speaker)
    if speaker.coin():
        return (one,)
    before, behind = 0.5 - 0.6 * CLEAR, 0.5 + 0.6 * CLEAR
    first, second = speaker.mix((before, behind))
    if speaker.coin():
        return replace(one, x=first), replace(other, x=second)
    return replace(one, y=first), replace(other, y=second)


def _any_thing(speaker: Speaker) -> Thing:
    size, pattern, colour, shape = (speaker.pick(BOTH[axis]) for axis in AXES)
    return Thing(size, pattern, colour, shape)
