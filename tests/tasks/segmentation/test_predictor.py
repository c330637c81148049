"""Masks at the picture's own size, several prompts at once, and what is no picture."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from tasks.segmentation.card import SegmenterCard
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.model import PromptedModel, UNetModel, build_model
from tasks.segmentation.predictor import PROMPTS_AT_ONCE, Box, Predictor, Segmented
from tasks.segmentation.segmenter_files import bare_segmenter

from .conftest import count_calls, tiny_clipseg

PROMPTS = ["a red thing", "the blue one", "a green circle at the left"]


def picture(height: int = 37, width: int = 61) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


@pytest.fixture(scope="module")
def predictor(clipseg_folder) -> Predictor:
    return Predictor(*bare_segmenter(str(clipseg_folder)), "cpu")


def unet(*labels: str) -> Predictor:
    torch.manual_seed(0)
    model = build_model(SegmentationConfig(method="unet"), tiny_clipseg(), len(labels))
    assert isinstance(model, UNetModel)
    return Predictor(model, card_of(labels), "cpu")


def card_of(labels: tuple[str, ...]) -> SegmenterCard:
    told = dict.fromkeys(("model", "method", "loss", "data", "licence", "command"), "")
    kept: dict = dict(options={}, train_decoder=False, prompts={}, images={})
    return SegmenterCard(labels=labels, trained=0, parameters=0, **kept, **told)


def test_probability_is_that_of_the_logits_brought_to_the_pictures_own_size(predictor):
    image = picture()
    clipseg = predictor.model.clipseg
    tokens = clipseg.tokenize(PROMPTS[:1])
    with torch.no_grad():
        logits = clipseg(clipseg.pictures.prepare(image)[None], tokens.ids, tokens.mask)
    expected = interpolate(logits[None], (37, 61), mode="bilinear")[0, 0].sigmoid()
    found = predictor.probability(image, PROMPTS[:1])
    assert found.shape == (1, 37, 61) and found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (48, 48), (700, 3), (1500, 2000)])
def test_any_size_is_answered_in_its_own(predictor, size):
    found = predictor.probability(picture(*size), PROMPTS[:2])
    assert found.shape == (2, *size) and np.isfinite(found).all()
    assert 0 <= found.min() and found.max() <= 1


def test_the_place_of_what_is_found_is_kept(predictor):
    """A mask that is a plain copy of the red channel lies where the red is, in any size."""
    image = np.zeros((40, 100, 3), np.float32)
    image[10:30, 60:90, 0] = 1
    model = predictor.model

    def decode(states, text):
        return 20 * (seen[0] > 0).float() - 10

    seen: list[torch.Tensor] = []
    plain = model.clipseg.see
    model.clipseg.see = lambda pixels: (seen.append(pixels[:, 0]), plain(pixels))[1]
    model.clipseg.decode = decode
    try:
        [found] = predictor.segment(image, PROMPTS[:1])
    finally:
        del model.clipseg.see, model.clipseg.decode
    truth = image[..., 0] > 0
    both = (found.mask & truth).sum()
    assert 2 * both / (found.mask.sum() + truth.sum()) > 0.93
    assert found.centre == pytest.approx((74.5, 19.5), abs=0.6)


def test_several_prompts_at_once_are_one_by_one_and_the_picture_is_seen_once(
    predictor, monkeypatch
):
    image = picture()
    many = [f"a red square {n}" for n in range(2 * PROMPTS_AT_ONCE + 3)] + PROMPTS
    alone = [predictor.probability(image, [prompt])[0] for prompt in many]
    calls = count_calls(predictor.model.clipseg, monkeypatch)
    together = predictor.probability(image, many)
    assert calls == {"see": 1, "read": 0}  # each was read before
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
    predictor.probability(image, ["never seen", *PROMPTS, "never seen"])
    assert calls == {"see": 2, "read": 1}


def test_adapted_models_answer_prompts_at_once_as_one_by_one():
    for method in ("da_vlc", "sa_vlc"):
        torch.manual_seed(0)
        config = SegmentationConfig(method=method, options={"rank": 3, "condition_rank": 3})
        predictor = Predictor(PromptedModel(tiny_clipseg(), config), card_of(()), "cpu")
        together = predictor.probability(picture(), PROMPTS)
        alone = [predictor.probability(picture(), [prompt])[0] for prompt in PROMPTS]
        np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
        assert not np.allclose(together[0], together[1], atol=1e-5)


def test_unet_of_one_class_passes_prompts_over():
    predictor = unet("tumour")
    found = predictor.probability(picture(), PROMPTS)
    assert found.shape == (3, 37, 61)
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_unet_of_several_classes_goes_by_the_label():
    predictor = unet("blue", "red")
    found = predictor.probability(picture(), PROMPTS[:2], ["red", "blue"])
    turned = predictor.probability(picture(), PROMPTS[:2], ["blue", "red"])
    assert np.array_equal(found[0], turned[1]) and np.array_equal(found[1], turned[0])
    assert not np.array_equal(found[0], found[1])
    with pytest.raises(ValueError, match="no class 'green'; known: blue, red"):
        predictor.probability(picture(), PROMPTS[:1], ["green"])
    with pytest.raises(ValueError, match="reads no prompts"):
        predictor.probability(picture(), PROMPTS[:1])


def test_a_threshold_parts_the_probability(predictor):
    low, middle, high = (
        predictor.segment(picture(), PROMPTS[:1], threshold=value)[0] for value in (0, 0.5, 1)
    )
    assert low.area == 37 * 61 and high.area == 0
    assert np.array_equal(middle.mask, middle.probability > 0.5)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="Threshold is .*; expected 0 to 1"):
            predictor.segment(picture(), PROMPTS, threshold=wrong)


def test_a_long_prompt_is_cut_and_told(predictor):
    long = " ".join(["red"] * 200)
    short, cut = predictor.segment(picture(), ["red", long])
    assert (short.cut, cut.cut) == (False, True) and cut.prompt == long
    assert np.isfinite(cut.probability).all()
    again, _ = predictor.segment(picture(), [long, "red"])
    assert again.cut


def test_area_centre_and_box():
    mask = np.zeros((10, 20), bool)
    mask[2:5, 7:11] = True
    found = Segmented("x", mask.astype(np.float32), mask)
    assert found.area == 12 and found.centre == (8.5, 3.0) and found.box == Box(7, 2, 11, 5)
    nothing = Segmented("x", mask * np.float32(0), mask & False)
    assert (nothing.area, nothing.centre, nothing.box) == (0, None, None)


def test_what_is_no_picture_is_told(predictor):
    for wrong, told in (
        (np.zeros((4, 4), np.float32), "shape"),
        (np.zeros((4, 4, 4), np.float32), "shape"),
        (np.zeros((0, 4, 3), np.float32), "shape"),
        (np.zeros((4, 4, 3), np.uint8), "Divide bytes by 255"),
        (np.full((4, 4, 3), 255.0), "from 255 to 255"),
        (np.full((4, 4, 3), -0.5), "expected floats from 0 to 1"),
        (np.full((4, 4, 3), np.nan), "expected floats from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=told):
            predictor.probability(wrong, PROMPTS)
    with pytest.raises(ValueError, match=r"Prompts are \[\]; expected a list of one"):
        predictor.probability(picture(), [])


def test_a_prompt_by_itself_is_not_taken_for_its_letters(predictor):
    with pytest.raises(ValueError, match="'a red thing'.*list"):
        predictor.probability(picture(), "a red thing")


def test_views_and_other_floats_are_taken(predictor):
    image = picture()
    plain = predictor.probability(image, PROMPTS[:1])
    turned = np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]  # negative strides
    for other in (turned, image.astype(np.float64), np.asfortranarray(image)):
        np.testing.assert_allclose(predictor.probability(other, PROMPTS[:1]), plain, atol=1e-6)
    frozen = image.copy()
    frozen.setflags(write=False)
    predictor.probability(frozen, PROMPTS[:1])


def test_unknown_devices_are_refused(clipseg_folder):
    with pytest.raises(ValueError, match="No device 'tpu' on this machine; here there are: .*cpu"):
        Predictor(*bare_segmenter(str(clipseg_folder)), "tpu")
