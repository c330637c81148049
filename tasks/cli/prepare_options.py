"""What was given to `mcgurk prepare`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PrepareOptions:
    """Name, places, and the options of each kind of data set.

    Attributes:
        name: Which data set, one of those that help lists.
        source: Where it lies.
        output: Folder to write.
        processes: How many work at once; None: as many as cores.
        as_json: Print JSON, and nothing else.
        own: Options of one kind alone, by its name and theirs; what is None, False or empty was not
            given.
    """

    name: str
    source: Path
    output: Path
    processes: int | None = None
    as_json: bool = False
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def given(self, kind: str) -> list[str]:
        """Return the options of a kind that were given, as they are typed."""
        values = self.own[kind].items()
        # Not by truth alone: track 0 and seed 0 are given.
        found = [name for name, value in values if value or value == 0 and value is not False]
        return [f"--{name.replace('_', '-')}" for name in found]
