"""What there is to say about the clips of a data set: what could not be taken, and what was not."""

import warnings
from dataclasses import dataclass, field

SHOWN = 5


@dataclass
class Remarks:
    """Collects what is found out about clips; without a collector it is raised, or warned of.

    Attributes:
        notes: Names of clips by what is to be said of them, as of sounds that lie beside a video.
        failed: Why clips could not be taken, by their ids.
    """

    notes: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def note(self, about: str, name: str) -> None:
        """Note something of a clip that is taken nevertheless."""
        self.notes.setdefault(about, []).append(name)

    def fail(self, name: str, error: ValueError) -> None:
        """Note why a clip cannot be taken."""
        self.failed[name] = str(error)

    def told(self) -> list[str]:
        """Return the notes, a sentence each, with the names of some clips; without of all."""
        return [
            f"{about}{': ' if names else ''}{name_some(names)}."
            for about, names in self.notes.items()
        ]


class Raised(Remarks):
    """Raises what cannot be taken, at once, and warns of notes."""

    def fail(self, name: str, error: ValueError) -> None:
        """Raise the error."""
        raise error

    def warn(self) -> None:
        """Warn of all that was noted."""
        for note in self.told():
            warnings.warn(note, stacklevel=3)


def name_some(names: list[str]) -> str:
    """Return names for a sentence: all of a few, of many the first and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
