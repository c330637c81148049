"""The rendered questions, small models and spoken digits of others' tests, for tools about them."""

from ..data_prep.mixtures.conftest import spoken
from ..tasks.vision_language.conftest import asked_folder, experiment

__all__ = ["asked_folder", "experiment", "spoken"]
