"""The rendered questions and small models of the task's own tests, for tools about them."""

from ..tasks.vision_language.conftest import asked_folder, experiment

__all__ = ["asked_folder", "experiment"]
