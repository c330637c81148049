"""Audio-visual speech recognition."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from modalities.speech.timed_text import Word
    from tasks.avsr.outputs.transcript import Face, Segment, Transcript
    from tasks.avsr.pipeline import AVSROptions, AVSRPipeline

__all__ = ["AVSROptions", "AVSRPipeline", "Face", "Segment", "Transcript", "Word"]
__getattr__ = hand_on(
    __name__,
    {
        **dict.fromkeys(["AVSROptions", "AVSRPipeline"], "tasks.avsr.pipeline"),
        **dict.fromkeys(["Face", "Segment", "Transcript"], "tasks.avsr.outputs.transcript"),
        "Word": "modalities.speech.timed_text",
    },
)
