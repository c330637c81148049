"""Icons in a picture are told by the nearest rendered ones."""

import cv2
import numpy as np
import pytest

from data_prep.mixtures.scenes.icons import ICONS, render_icons
from tools.icon_reader import IconReader


@pytest.fixture(scope="module")
def reader():
    return IconReader(32, each=12)


def test_one_to_three_icons_are_told_in_their_order_even_where_they_are_unclear(reader):
    random, shown, pictures = np.random.default_rng(3), [], []
    for number in range(60):
        kinds = tuple(map(str, random.choice(list(ICONS), 1 + number % 3, replace=False)))
        picture = render_icons(kinds, random, 32)
        noise = random.normal(0, 15, picture.shape)
        pictures.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
        shown.append(kinds)
    right = [one == other for one, other in zip(reader.read(pictures), shown, strict=True)]
    assert np.mean(right) > 0.95


def test_the_ground_does_not_matter(reader):
    picture = render_icons(["bell", "bird"], np.random.default_rng(0), 32)
    darker = np.clip(picture.astype(int) - 30, 0, 255).astype(np.uint8)
    assert reader.read([picture, darker]) == [("bell", "bird")] * 2


def test_a_picture_of_another_size_is_refused(reader):
    picture = render_icons(["bell"], np.random.default_rng(0), 64)
    with pytest.raises(ValueError, match=r"is \[64, 64, 3\]; expected \[32, 32, 3\]"):
        reader.read([picture])
    smaller = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    assert reader.read([smaller]) == [("bell",)]
