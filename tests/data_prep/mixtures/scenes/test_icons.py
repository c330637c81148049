import cv2
import numpy as np
import pytest

from data_prep.mixtures.scenes.icons import ICONS, render_icon, render_icons
from data_prep.mixtures.scenes.sounds import SOUNDS


def draw(kind, seed, size=64):
    return render_icon(kind, np.random.default_rng((seed, list(ICONS).index(kind))), size)


def shrink(picture):
    return cv2.resize(picture, (12, 12), interpolation=cv2.INTER_AREA).astype(float).ravel()


def test_each_kind_of_sound_has_an_icon():
    assert list(ICONS) == list(SOUNDS)


@pytest.mark.parametrize("kind", ICONS)
@pytest.mark.parametrize("size", [16, 64, 100])
def test_a_seed_gives_the_same_icon_of_any_size_and_another_another(kind, size):
    first = draw(kind, 1, size)
    assert first.shape == (size, size, 3) and first.dtype == np.uint8
    assert np.array_equal(first, draw(kind, 1, size))
    assert not np.array_equal(first, draw(kind, 2, size))


def test_icons_are_told_apart_by_their_nearest_example():
    examples = {kind: [shrink(draw(kind, seed)) for seed in range(8)] for kind in ICONS}
    right = 0
    for kind in ICONS:
        for seed in range(100, 106):
            seen = shrink(draw(kind, seed))
            away = {
                name: min(np.linalg.norm(seen - one) for one in of) for name, of in examples.items()
            }
            right += min(away, key=lambda name: away[name]) == kind
    assert right >= 0.95 * 6 * len(ICONS)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_icon_of_several_lies_in_its_own_part(count):
    # What stands out from the ground in a part is there because of its own icon alone.
    boxes = {1: [(0, 64, 0, 64)], 2: [(16, 48, 0, 32), (16, 48, 32, 64)]}
    boxes[3] = [(0, 34, 0, 32), (0, 34, 32, 64), (32, 64, 16, 48)]
    for seed in range(20):
        kinds = list(np.random.default_rng(seed).permutation(list(ICONS))[:count])
        picture = render_icons(kinds, np.random.default_rng(seed)).astype(int)
        seen = np.abs(picture - picture[0, 0]).max(2) > 60
        for top, bottom, left, right in boxes[count]:
            assert seen[top:bottom, left:right].sum() >= 60
            seen[top:bottom, left:right] = False
        assert not seen.any()


def test_what_cannot_be_drawn_is_told():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="No icon 'bel'; known: bell"):
        render_icons(["bel"], random)
    with pytest.raises(ValueError, match="4 icons were asked for; expected 1 to 3"):
        render_icons(["bell", "bird", "rain", "wind"], random)
    with pytest.raises(ValueError, match="Size is 31; expected 32 pixels"):
        render_icons(["bell", "bird"], random, 31)
