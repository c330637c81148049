"""The config.json of a CTranslate2 Whisper."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modalities.speech.vocabulary import LATEST_FIRST_TIMESTAMP

LATEST_FIRST = "max_initial_timestamp_index"  # ours; CTranslate2 takes no notice of it


@dataclass(frozen=True)
class Settings:
    """What such a file says; None where it does not.

    Attributes:
        alignment_heads: (layer, head) whose attention follows the sound.
        suppressed: Tokens that are never said.
        suppressed_at_start: Tokens that never come first.
        latest_first_timestamp: The latest first timestamp, steps of 0.02 s.
    """

    alignment_heads: list[tuple[int, int]] | None = None
    suppressed: list[int] | None = None
    suppressed_at_start: list[int] | None = None
    latest_first_timestamp: int = LATEST_FIRST_TIMESTAMP

    @property
    def are_complete(self) -> bool:
        """Whether CTranslate2 can write and align by them as they stand."""
        known = (self.alignment_heads, self.suppressed, self.suppressed_at_start)
        return all(entry is not None for entry in known)


def read_settings(path: Path) -> Settings:
    """Read a config.json; without one nothing is known.

    Raises:
        ValueError: It is damaged.
    """
    if not path.is_file():
        return Settings()
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not JSON ({error}); expected the settings of a CTranslate2 Whisper. "
            "Download the folder again."
        ) from None
    if not isinstance(stored, dict):
        raise ValueError(f"{path} holds {type(stored).__name__}; expected a JSON object.")
    return Settings(
        stored.get("alignment_heads"),
        stored.get("suppress_ids"),
        stored.get("suppress_ids_begin"),
        stored.get(LATEST_FIRST, LATEST_FIRST_TIMESTAMP),
    )
