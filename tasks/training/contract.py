"""What a task offers, so that it can be trained."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn


class Trainable(Protocol):
    """What the loop knows of a task.

    Attributes:
        module: Takes a batch and returns scalars by name, "loss" among them; what of it requires a
            gradient is trained.
        size: How many training examples there are.

    One that leaves out data that cannot be used has `left_out` too, a line on each, which the
    command tells before the training; one that finds data odd has `notes`, told after it. One whose
    examples come in an order of its own has a true `ordered`: `load` is then given places in the
    row in which all epochs follow one another, from 0 and beyond `size`, and not numbers below
    `size` in an order drawn for each epoch.
    """

    module: nn.Module
    size: int

    def load(self, index: int, random: np.random.Generator) -> Any:
        """Return a training example, changed at random as training wants it."""
        ...

    def collate(self, examples: list[Any]) -> Any:
        """Make a batch of examples."""
        ...

    def measure(self) -> dict[str, float]:
        """Look at the validation data; the module is in evaluation mode."""
        ...

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write what was trained; it may tell the last measurement, with the "seconds" it took."""
        ...
