"""Face detection networks."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from modalities.vision.detector import FaceDetector, Faces, load_face_detector

__all__ = ["FaceDetector", "Faces", "load_face_detector"]
__getattr__ = hand_on(
    __name__, dict.fromkeys(["FaceDetector", "Faces", "load_face_detector"], f"{__name__}.detector")
)
