"""Overlays: readable at any size, true to the mask, and grey where the picture is."""

import cv2
import numpy as np
import pytest

from tasks.segmentation.overlay import (
    LEAST_SIDE,
    LEAST_TEXT,
    NOTHING,
    PALETTE,
    OverlayPainter,
    save_picture,
    tell_share,
)


def disc(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - height / 2) ** 2 + (columns - width / 2) ** 2 <= (min(height, width) / 4) ** 2


def draw(height: int, width: int, *masks: np.ndarray, grey: int = 120) -> np.ndarray:
    painter = OverlayPainter(width, height, [f"thing {n}" for n in range(len(masks))])
    shown = painter.draw(np.full((height, width, 3), grey, np.uint8), masks)
    assert shown.shape == (painter.size[1], painter.size[0], 3)
    return shown


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 900), (900, 1), (20, 12), (471, 562), (200, 2000), (2400, 1080)]
)
def test_any_size_has_an_overlay_with_letters_and_even_sides(size):
    mask = np.ones(size, bool)
    painter = OverlayPainter(size[1], size[0], ["tumor in the breast"])
    shown = painter.draw(np.zeros((*size, 3), np.uint8), [mask])
    height, width = shown.shape[:2]
    assert height % 2 == width % 2 == 0 and max(painter.drawn) >= LEAST_SIDE
    assert painter.text >= LEAST_TEXT
    legend = shown[painter.drawn[1] :]
    assert (legend < 60).all(-1).sum() > 50  # dark letters


def test_letters_and_lines_grow_with_a_large_picture():
    small, large = (OverlayPainter(side, side, ["a thing"]) for side in (800, 8000))
    assert large.text >= 8 * small.text and large.line >= 8 * small.line
    assert large.size[1] - large.drawn[1] < 800  # a legend, no second picture


def test_outside_of_a_mask_the_picture_stays_as_it_is():
    mask = disc(400, 500)
    shown = draw(400, 500, mask)[:400, :500]
    far = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15))) == 0
    assert (shown[far] == 120).all()
    inner = cv2.erode(mask.astype(np.uint8), np.ones((15, 15))) > 0
    filled = shown[inner]
    assert (filled == filled[0]).all() and not (filled[0] == 120).all()


def test_a_hole_stays_a_hole():
    mask = disc(400, 400)
    mask[180:220, 180:220] = False
    assert (draw(400, 400, mask)[200, 200] == 120).all()


def test_a_mask_of_one_pixel_is_seen():
    mask = np.zeros((2000, 2000), bool)
    mask[700, 900] = True
    shown = draw(2000, 2000, mask)[:2000]
    assert (shown == PALETTE[0]).all(-1).sum() >= 9


def test_prompts_have_colours_of_their_own_and_then_dashes():
    painter = OverlayPainter(500, 500, [f"thing {n}" for n in range(9)])
    styles = {(entry.colour, entry.dashed) for entry in painter.entries}
    assert len(styles) == 9
    assert [entry.dashed for entry in painter.entries] == [False] * 7 + [True] * 2


def test_the_colours_differ_in_brightness_or_in_blue_and_yellow():
    """As those who see no red or no green tell them apart."""
    lab = cv2.cvtColor(np.array([PALETTE], np.uint8), cv2.COLOR_RGB2LAB)[0].astype(int)
    for number, one in enumerate(lab):
        for other in lab[number + 1 :]:
            assert np.hypot(*(one - other)[[0, 2]]) > 15


def test_an_empty_mask_is_told():
    mask = np.zeros((500, 500), bool)
    assert tell_share(mask) == NOTHING
    mask[0, 0] = True
    assert tell_share(mask) == "covers < 0.1 %"
    mask[:] = True
    assert tell_share(mask) == "covers 100.0 %"


def test_the_legend_keeps_its_place_whatever_is_found():
    painter = OverlayPainter(500, 400, ["a thing", "a thing of which much is said " * 20])
    picture, mask = np.zeros((400, 500, 3), np.uint8), disc(400, 500)
    full, empty = (painter.draw(picture, [m, m]) for m in (mask, np.zeros_like(mask)))
    legends = [shown[400:, : 500 - painter.text * 9] for shown in (full, empty)]
    assert np.array_equal(*legends)
    assert len(painter.entries[1].lines) == 3 and painter.entries[1].lines[-1].endswith("\u2026")


def test_a_picture_that_its_format_cannot_hold_is_a_mistake_that_names_the_file(tmp_path):
    path = tmp_path / "long.jpg"
    with pytest.raises(ValueError, match=r"long.jpg: 1 x 70000 .*\.png"):
        save_picture(path, np.zeros((70000, 1, 3), np.uint8))
    assert not list(tmp_path.iterdir())
