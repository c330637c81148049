"""How many weights an injector trains, stores and adds, which differ."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Numbers of weights.

    Attributes:
        trained: Those that training changes.
        stored: Those in its file.
        added: All that a step computes with beside the denoiser's own, frozen ones included.
    """

    trained: int
    stored: int
    added: int

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.trained + other.trained, self.stored + other.stored, self.added + other.added
        )
