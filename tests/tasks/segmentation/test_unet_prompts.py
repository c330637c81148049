"""A plain U-Net reads no prompts: they are names of its classes, or it has only one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from modalities.vision_language.clipseg import Pictures
from tasks.segmentation.predictor import Predictor


class Planes(torch.nn.Module):
    """In place of a U-Net: logits of class n are n everywhere."""

    def __init__(self, classes: int):
        super().__init__()
        self.pictures, self.classes = Pictures(side=32), classes

    def network(self, pixels: torch.Tensor) -> torch.Tensor:
        planes = torch.arange(self.classes, dtype=torch.float32)[None, :, None, None]
        return planes.expand(len(pixels), -1, 32, 32)


def predictor(*labels: str) -> Predictor:
    return Predictor(Planes(len(labels)), SimpleNamespace(labels=labels), "cpu")  # type: ignore[arg-type]


IMAGE = np.zeros((10, 20, 3), np.float32)


def test_a_prompt_that_is_a_class_finds_it():
    found = predictor("heart", "lung", "rib").segment(IMAGE, ["rib", "heart"])
    assert [one.probability[0, 0] for one in found] == pytest.approx([1 / (1 + np.exp(-2)), 0.5])
    assert [one.prompt for one in found] == ["rib", "heart"]
    assert found[0].mask.shape == (10, 20)


def test_any_prompt_is_the_one_class_of_a_model_of_one():
    found = predictor("polyp").segment(IMAGE, ["one polyp, round", "x"])
    assert np.array_equal(found[0].probability, found[1].probability)


def test_another_prompt_is_a_mistake_that_tells_the_classes():
    with pytest.raises(ValueError, match="'a rib'; known: heart, lung"):
        predictor("heart", "lung").segment(IMAGE, ["a rib"])
