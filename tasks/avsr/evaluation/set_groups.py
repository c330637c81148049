"""The sets of a recogniser, as rows and the selector's scores need to know them."""

from collections.abc import Iterable
from dataclasses import dataclass

from fusion.scenarios.classifier import Scenario
from tasks.avsr.sets.collection import ALL, BOTH, CATEGORY, GROUPS, LEVEL
from tasks.avsr.sets.contract import Recogniser

BORDER_DB = 0.0  # between high and low noise, in training
LOUD_DB = -20.0  # surely high noise, for whichever threshold


@dataclass(frozen=True)
class SetNames:
    """What a recogniser's sets are for.

    Attributes:
        groups: Names of the sets by group; see `Recogniser.groups`.
        of_category: The set of the group "category" that is made for a category.
        high_noise: The set of the group "level" for high noise; None without.
    """

    groups: dict[str, tuple[str, ...]]
    of_category: dict[str, str]
    high_noise: str | None

    @property
    def every(self) -> list[str]:
        """All names, each once."""
        return list(dict.fromkeys(name for names in self.groups.values() for name in names))

    @property
    def selected(self) -> list[str]:
        """Groups that the selector chooses in."""
        return [group for group in (CATEGORY, LEVEL, BOTH) if group in self.groups]

    @property
    def watching(self) -> str | None:
        """A set whose agreement of lips and sound is asked for where the selector abstains."""
        names = (*self.groups.get(ALL, ()), *self.groups.get(CATEGORY, ()))
        return names[0] if names else None


def name_sets(recogniser: Recogniser, categories: Iterable[str]) -> SetNames:
    """Ask a recogniser what its sets are for.

    Args:
        recogniser: With sets, or without.
        categories: Categories of the noise under evaluation; they may repeat.

    Raises:
        ValueError: It has a group that there is not.
    """
    groups = {group: tuple(names) for group, names in recogniser.groups.items() if names}
    if unknown := sorted(set(groups) - set(GROUPS)):
        raise ValueError(
            f"The recogniser has sets in {', '.join(unknown)}; known groups: {', '.join(GROUPS)}."
        )
    of_category = {}
    for category in dict.fromkeys(categories) if CATEGORY in groups else ():
        named = category if category in groups[CATEGORY] else None
        name = named or recogniser.choose(Scenario(category, 1.0, BORDER_DB, 0.0), CATEGORY)
        if name is not None:
            of_category[category] = name
    loud = Scenario("babble", 1.0, LOUD_DB, 0.0)
    return SetNames(
        groups, of_category, recogniser.choose(loud, LEVEL) if LEVEL in groups else None
    )
