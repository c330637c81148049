"""Audio-visual speech recognition."""

from tasks.avsr.pipeline import AVSROptions, AVSRPipeline
from tasks.avsr.result import Face, Segment, Transcript, Word

__all__ = ["AVSROptions", "AVSRPipeline", "Face", "Segment", "Transcript", "Word"]
