"""CLIP's embeddings of pictures and text are those of transformers, as unit vectors."""

import numpy as np
import pytest
import torch
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from modalities.vision_language.image_text import (
    AT_ONCE,
    ClipImageText,
    CutPictures,
    ImageText,
    load_image_text,
    random_image_text,
)

TEXTS = ["a red square", "two blue circles"]


@pytest.fixture(scope="module")
def tiny() -> ClipImageText:
    model = random_image_text()
    for n, parameter in enumerate(model.model.parameters()):  # no bias may go unnoticed
        parameter.data.normal_(std=0.2, generator=torch.Generator().manual_seed(n))
    return model


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.integers(0, 256, (height, width, 3)) / 255).astype(np.float32)


@pytest.mark.parametrize("size", [(32, 32), (50, 81), (81, 50), (20, 33), (100, 17), (2, 2)])
def test_pictures_are_made_ready_as_transformers_does(size):
    image = picture(*size)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32)
    expected = processor(np.round(image * 255).astype(np.uint8), return_tensors="pt")
    found = CutPictures(32).prepare(image)
    torch.testing.assert_close(found, expected.pixel_values[0].float(), atol=1e-5, rtol=0)


def test_embeddings_are_those_of_transformers_at_length_one(tiny):
    assert isinstance(tiny, ImageText)
    images = [picture(40, 60, n) for n in range(3)]
    pixels = torch.stack([tiny.pictures.prepare(image) for image in images])
    tokens = tiny.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        seen = tiny.model.get_image_features(pixels).pooler_output
        read = tiny.model.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
    torch.testing.assert_close(tiny.image_features(images), seen)
    torch.testing.assert_close(tiny.embed_images(images), seen / seen.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(tiny.embed_text(TEXTS), read / read.norm(dim=-1, keepdim=True))
    assert tiny.embed_images(images).shape == (3, tiny.dim)


def test_many_pictures_of_many_sizes_embed_as_each_alone(tiny):
    images = [picture(20 + n, 30, n) for n in range(AT_ONCE + 2)]
    found = tiny.embed_images(images)
    for place in (0, AT_ONCE, AT_ONCE + 1):
        alone = tiny.embed_images([torch.from_numpy(images[place])])
        torch.testing.assert_close(found[place : place + 1], alone, atol=1e-5, rtol=0)


def test_a_saved_folder_is_loaded_with_its_own_numbers(tiny, tmp_path):
    tiny.model.save_pretrained(tmp_path)
    tiny.tokenizer.save_pretrained(tmp_path)
    CLIPImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.25] * 3).save_pretrained(tmp_path)
    loaded, whole = load_image_text(tmp_path), load_image_text(tmp_path, whole=True)
    assert loaded.pictures == CutPictures(32, (0.5,) * 3, (0.25,) * 3)
    torch.testing.assert_close(loaded.embed_text(TEXTS), tiny.embed_text(TEXTS))
    wide = [picture(20, 60)]
    assert not torch.allclose(loaded.embed_images(wide), whole.embed_images(wide), atol=1e-3)
    assert len({tiny.identity, loaded.identity, whole.identity}) == 3


def test_a_folder_without_its_words_is_told(tiny, tmp_path):
    assert isinstance(tiny.model, CLIPModel)
    tiny.model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_image_text(tmp_path)


def test_what_is_no_picture_or_text_is_told(tiny):
    wrong = [
        np.zeros((4, 4, 3), np.uint8),
        np.full((4, 4, 3), 2.0),
        np.zeros((4, 4)),
        np.full((4, 4, 3), np.nan),
    ]
    for image in wrong:
        with pytest.raises(ValueError, match=r"expected floats from 0 to 1, \[height, width, 3\]"):
            tiny.embed_images([image])
    with pytest.raises(ValueError, match="no picture"):
        tiny.embed_images([])
    for texts in ([], "a red square"):
        with pytest.raises(ValueError, match="expected a list of texts"):
            tiny.embed_text(texts)
