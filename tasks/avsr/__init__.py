"""Audio-visual speech recognition."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modalities.speech.timed_text import Word
    from tasks.avsr.outputs.transcript import Face, Segment, Transcript
    from tasks.avsr.pipeline import AVSROptions, AVSRPipeline

__all__ = ["AVSROptions", "AVSRPipeline", "Face", "Segment", "Transcript", "Word"]
_HOMES = {
    "AVSROptions": "tasks.avsr.pipeline",
    "AVSRPipeline": "tasks.avsr.pipeline",
    "Word": "modalities.speech.timed_text",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: commands that only read a file need no pipeline, so no torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "tasks.avsr.outputs.transcript")
    return getattr(import_module(home), name)
