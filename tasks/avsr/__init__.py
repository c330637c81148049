"""Audio-visual speech recognition."""

from tasks.avsr.outputs.transcript import Face, Segment, Transcript, Word
from tasks.avsr.pipeline import AVSROptions, AVSRPipeline

__all__ = ["AVSROptions", "AVSRPipeline", "Face", "Segment", "Transcript", "Word"]
