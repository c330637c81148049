"""Segmentation of pictures by a prompt."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from tasks.segmentation.segmenter import Segmented, Segmenter

__all__ = ["Segmented", "Segmenter"]
__getattr__ = hand_on(__name__, dict.fromkeys(["Segmented", "Segmenter"], f"{__name__}.segmenter"))
