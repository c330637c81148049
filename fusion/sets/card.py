"""What is known about an adapter set: a JSON file that needs no torch to be read."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalities.text_file import read_text

CARD = "set.json"


@dataclass(frozen=True)
class SetCard:
    """What is known about an adapter set.

    Attributes:
        name: What the set is called; its adapter is called so too.
        model: The frozen model that it was trained on, by the name it was loaded with.
        fusion: A name of `fusion.audio_visual.catalog.FUSIONS`, or "" for a set that hears only.
        scenario: What it is for: categories of noise, and the range of levels in dB.
        data: What it was trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        parameters: Trained, adapters and fusion.
        command: The command that trained it.
        seconds: That its steps and measurements took, loading apart; None where nobody measured
            them.
        scores: Measured while training.
    """

    name: str
    model: str
    fusion: str = ""
    scenario: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    parameters: int = 0
    command: str = ""
    seconds: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


def read_card(folder: str | Path) -> SetCard:
    """Read what is known about a set.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CARD}; expected a folder of an adapter set.")
    try:
        return SetCard(**json.loads(read_text(path)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); train or fetch the set again.") from error
