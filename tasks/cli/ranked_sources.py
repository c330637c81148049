"""What is told of the sources in a sound, by rank, whatever is done with them."""

from typing import Protocol

HEAD = ("rank", "name", "sure", "share", "score")


class RankedSource(Protocol):
    """A source with what was heard of it."""

    @property
    def rank(self) -> int:
        """1 for the most significant."""
        ...

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def probability(self) -> float | None:
        """How sure the name is, 0 to 1; None where nothing was chosen among labels."""
        ...

    @property
    def score(self) -> float:
        """How like the whole sound it is."""
        ...

    @property
    def share(self) -> float:
        """Part of the energy of all sources, 0 to 1."""
        ...


def tell_source(one: RankedSource, named: bool = True) -> list[str]:
    """Return the cells of a source below `HEAD`.

    Args:
        one: The source.
        named: Whether its name and score say more than its rank and share do; else they are empty.
    """
    return [
        str(one.rank),
        one.name if named else "",
        "" if one.probability is None else f"{100 * one.probability:.0f} %",
        f"{100 * one.share:.1f} %",
        f"{one.score:.2f}" if named else "",
    ]
