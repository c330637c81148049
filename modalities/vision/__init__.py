"""Face detection networks."""

from modalities.vision.detector import FaceDetector, Faces, load_face_detector

__all__ = ["FaceDetector", "Faces", "load_face_detector"]
