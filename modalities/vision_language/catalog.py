"""Language models that take visual tokens, by transformers' model type."""

from modalities.vision_language.family import Family
from modalities.vision_language.vl_bart import VlBart
from modalities.vision_language.vl_t5 import VlT5

FAMILIES: dict[str, Family] = {"bart": VlBart(), "t5": VlT5()}
