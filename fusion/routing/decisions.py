"""Decisions of a router that several sites share, made by the first of them that runs."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from fusion.routing.contract import Routing


@dataclass
class _Entry:
    routing: Routing
    taken: set[str] = field(default_factory=set)


class Decisions:
    """What a shared router has decided in the forward that goes on.

    Which of several layers runs first, a model's code says alone. So any site of a first block may
    lead: it decides where nobody has, or where it has taken the last decision already, which means
    that a new forward began. All others follow: a decoder takes one decision for all its steps.

    Args:
        leaders: Names of the sites of first blocks.
    """

    def __init__(self, leaders: Collection[str]):
        self.leaders = frozenset(leaders)
        self.entries: dict[Any, _Entry] = {}

    def take(self, site: str, key: Any, decide: Callable[[], Routing]) -> Routing:
        """Return the decision that counts for a site, and make it where that is to do.

        Args:
            site: Its name.
            key: Which rows, and which tokens, the decision is for.
            decide: Makes it of what the site reads.

        Raises:
            ValueError: The site follows, and nobody has led.
        """
        entry = self.entries.get(key)
        leads = site in self.leaders
        if entry is None and not leads:
            raise ValueError(
                f"{site} shares its router with {min(self.leaders)}, which has not run before it; "
                "run the whole model, or take a granularity of 'sample' or 'token'."
            )
        if entry is None or (leads and site in entry.taken):
            entry = self.entries[key] = _Entry(decide())
        entry.taken.add(site)
        return entry.routing

    def __deepcopy__(self, memo: dict[int, Any]) -> "Decisions":
        """A copy of a model has decided nothing; tensors on a graph could not be copied."""
        return Decisions(self.leaders)

    def __reduce__(self) -> tuple[type, tuple[frozenset[str]]]:
        """A pickled model has decided nothing."""
        return Decisions, (self.leaders,)
