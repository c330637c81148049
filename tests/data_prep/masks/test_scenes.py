import collections

import cv2
import numpy as np
import pytest

from data_prep.masks.scenes import ask, render_scene
from data_prep.masks.scenes.outlines import SHAPES, draw_outline
from data_prep.masks.scenes.painting import fill
from data_prep.masks.scenes.prompts import fits


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(seed, 64) for seed in range(400)]


@pytest.fixture(scope="module")
def prompts(scenes):
    return [ask(scene, seed) for seed, scene in enumerate(scenes)]


def test_a_seed_gives_the_same_picture_and_prompts_to_the_bit():
    first, second = render_scene(7), render_scene(7)
    assert np.array_equal(first.image, second.image)
    assert [t.words for t in first.things] == [t.words for t in second.things]
    for one, other in zip(ask(first, 7), ask(second, 7), strict=True):
        assert one.wordings == other.wordings
        assert np.array_equal(one.mask, other.mask)
    assert not np.array_equal(first.image, render_scene(8).image)


@pytest.mark.parametrize("size", [48, 112, 128, 224])
def test_pictures_and_masks_have_the_size_that_was_asked_for(size):
    for seed in range(6):
        scene = render_scene(seed, size)
        assert scene.image.shape == (size, size, 3)
        assert scene.image.dtype == np.uint8
        assert all(thing.mask.shape == (size, size) for thing in scene.things)


def test_a_picture_too_small_to_draw_in_is_refused():
    with pytest.raises(ValueError, match="Size is 20; expected 48"):
        render_scene(0, 20)


def test_things_stand_out_from_a_plain_ground_exactly_where_their_masks_are(scenes):
    plain = [scene for scene in scenes if scene.ground == "plain" and scene.things]
    assert len(plain) > 10
    for scene in plain:
        union = np.any([thing.mask for thing in scene.things], 0)
        near = cv2.dilate(union.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        ground = np.median(scene.image[~near], 0)
        even = cv2.blur(scene.image, (3, 3))  # without grain
        differs = np.linalg.norm(even - ground, axis=2) > 0.5 * 85
        for thing in scene.things:
            core = cv2.erode(thing.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
            assert differs[core].sum() >= 0.97 * core.sum()
        assert differs[~near].mean() < 0.03


def test_no_pixel_belongs_to_two_things(scenes):
    for scene in scenes:
        if scene.things:
            assert np.sum([thing.mask for thing in scene.things], 0).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_outline_encloses_the_area_that_it_is_scaled_to(shape):
    random = np.random.default_rng(0)
    outline = draw_outline(shape, random)
    mask = fill([contour * 0.3 + 0.5 for contour in outline], 256)
    assert mask.mean() == pytest.approx(0.09, rel=0.08)


def test_a_ring_has_a_hole():
    mask = fill([c * 0.3 + 0.5 for c in draw_outline("ring", np.random.default_rng(0))], 64)
    assert not mask[32, 32]


def test_a_mask_is_all_that_the_words_fit(scenes, prompts):
    for scene, asked in zip(scenes, prompts, strict=True):
        for prompt in asked:
            fitting = [thing.mask for thing in scene.things if fits(prompt.words, thing)]
            expected = np.any(fitting, 0) if fitting else np.zeros_like(prompt.mask)
            assert np.array_equal(prompt.mask, expected)


def test_the_text_decides_in_most_pictures_with_several_things(scenes, prompts):
    several = [
        len({prompt.mask.tobytes() for prompt in asked}) > 1
        for scene, asked in zip(scenes, prompts, strict=True)
        if len(scene.things) > 1
    ]
    assert np.mean(several) > 0.8


def test_about_an_eighth_of_the_prompts_fits_nothing(prompts):
    empty = [not prompt.mask.any() for asked in prompts for prompt in asked]
    assert 0.09 < np.mean(empty) < 0.16


def test_wordings_of_a_prompt_differ(prompts):
    for asked in prompts:
        assert len({frozenset(prompt.words.items()) for prompt in asked}) == len(asked)
        assert all(len(set(p.wordings)) == len(p.wordings) >= 1 for p in asked)


def test_pictures_without_a_tumor_are_said_to_have_none(scenes, prompts):
    said = [
        wording
        for scene, asked in zip(scenes, prompts, strict=True)
        for prompt in asked
        for wording in prompt.wordings
        if scene.look == "ultrasound" and not scene.things and not prompt.mask.any()
    ]
    assert "No tumor in the breast ultrasound image." in said


@pytest.mark.parametrize(
    ("axis", "looks", "most"),
    [
        ("size", ("colours", "greys", "ultrasound", "endoscopy"), 2.2),
        ("colour", ("colours",), 3),
        ("colour", ("greys",), 3),
        ("colour", ("endoscopy",), 30),
        ("shape", ("colours", "greys"), 3),
        ("nature", ("ultrasound",), 2.5),
    ],
)
def test_no_word_is_much_rarer_than_another(scenes, axis, looks, most):
    counts = collections.Counter(
        word
        for scene in scenes
        for thing in scene.things
        for word in thing.words[axis]
        if scene.look in looks and word not in ("regular", "irregular")
    )
    assert max(counts.values()) <= most * min(counts.values())


def test_things_lie_in_all_ninths_of_the_picture(scenes):
    counts = collections.Counter(
        word for scene in scenes for thing in scene.things for word in thing.words["place"]
    )
    corners = [counts[f"{v} {h}"] for v in ("top", "bottom") for h in ("left", "right")]
    assert len(counts) == 9
    assert max(*corners, counts["center"]) <= 2 * min(*corners, counts["center"])
