"""Pictures painted from embeddings of sounds."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.painter import Painter

__all__ = ["Painter"]
__getattr__ = hand_on(__name__, {"Painter": f"{__name__}.painter"})
