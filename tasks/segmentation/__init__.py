"""Segmentation of pictures by a prompt."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from tasks.segmentation.predictor import Segmented
    from tasks.segmentation.segmenter import Segmenter

__all__ = ["Segmented", "Segmenter"]
__getattr__ = hand_on(
    __name__,
    {"Segmented": f"{__name__}.predictor", "Segmenter": f"{__name__}.segmenter"},
)
