"""Name things: by as little as tells them apart, or by all that is seen of them."""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np

from data_prep.questions.scenes.wording import WORDINGS
from data_prep.questions.scenes.world import AXES, Kind, Thing, World, count

Item = TypeVar("Item")
SHORTEST = 0.7  # of the references: with as few words as will do
MOST = 2  # axes that name a thing, or the 20 tokens of a question do not hold two of them


class Speaker:
    """Speaks of a world in its own words.

    Args:
        world: What is spoken of.
        random: Draws among ways to say one thing.
    """

    def __init__(self, world: World, random: np.random.Generator):
        self.world, self.random = world, random
        self.wording = WORDINGS[world.look]

    def say(self, task: str, form: str, **parts: str) -> str:
        """Return one of a form's templates, filled in."""
        ways = self.wording.templates[task][form]
        return self.pick(ways).format(noun=self.wording.noun, **parts)

    def pick(self, ways: Sequence[Item]) -> Item:
        """Return one of several, drawn at random."""
        return ways[int(self.random.integers(len(ways)))]

    def mix(self, items: Sequence[Item]) -> list[Item]:
        """Return all of them in an order drawn at random."""
        return [items[n] for n in self.random.permutation(len(items))]

    def coin(self) -> bool:
        """Return True half of the time."""
        return bool(self.random.random() < 0.5)

    def word(self, value: str) -> str:
        """Return how a value is said here."""
        return self.wording.said.get(value, value)

    def name(self, kind: Kind, many: bool = False) -> str:
        """Return "small red star", or "red things"."""
        words = [self.word(kind[axis]) for axis in AXES[:-1] if axis in kind]
        noun = kind.get("shape", self.wording.noun)
        return " ".join((*words, plural(noun) if many else noun))

    def a(self, kind: Kind) -> str:
        """Return "an orange star"."""
        name = self.name(kind)
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

    def many(self, kind: Kind) -> str:
        """Return "red stars"."""
        return self.name(kind, many=True)

    def refer(self, thing: Thing, things: Sequence[Thing], *hidden: str) -> str | None:
        """Return "the red star", which fits this thing alone.

        Args:
            thing: What is meant.
            things: All that are in the picture.
            hidden: Axes that may not be told, since they are asked for.

        Returns:
            None where no few words tell it apart.
        """
        kinds = [kind for kind in self.kinds(thing, hidden) if count(kind, things) == 1]
        if not kinds:
            return None
        fewest = min(len(kind) for kind in kinds)
        short = self.random.random() < SHORTEST
        ways = [kind for kind in kinds if len(kind) == fewest or not short]
        return f"the {self.name(self.pick(ways))}"

    def kinds(self, thing: Thing, hidden: Iterable[str] = ()) -> list[dict[str, str]]:
        """Return what can be told of a thing in one or two words, sizes never alone."""
        axes = [axis for axis in self.world.axes if axis not in hidden]
        some = (told for most in range(1, MOST + 1) for told in combinations(axes, most))
        return [thing.tell(told) for told in some]


def plural(noun: str) -> str:
    """Return a noun for more than one."""
    return noun + ("es" if noun.endswith("s") else "s")
