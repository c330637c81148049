"""What is asked of a picture: lines drawn in black or white, and sizes that were never learnt."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.audio_to_image.painting.conditions.asked import Asked
from tasks.audio_to_image.painting.conditions.card import SIZE, ConditionCard
from tasks.audio_to_image.painting.conditions.edges import read_edges
from tasks.audio_to_image.painting.conditions.measured import take_conditions

SIDE = (16, 16)


def draw(path: Path, lines: int, ground: int, size: tuple[int, int] = SIDE) -> Path:
    """Write a picture with a box of lines."""
    picture = np.full(size, ground, np.uint8)
    picture[3:12, [3, 11]] = picture[[3, 11], 3:12] = lines
    Image.fromarray(picture).save(path)
    return path


def test_black_lines_on_white_are_those_of_white_lines_on_black(tmp_path):
    white, told = read_edges(draw(tmp_path / "white.png", 255, 0), SIDE)
    black, noted = read_edges(draw(tmp_path / "black.png", 0, 255), SIDE)
    assert np.array_equal(white, black) and white.sum() == 32
    assert told == "" and noted == "taken for black lines on white paper"


def test_a_white_sheet_has_no_edges(tmp_path):
    with pytest.raises(ValueError, match="has no edges at 16 x 16"):
        read_edges(draw(tmp_path / "sheet.png", 255, 255), SIDE)


def test_what_was_cut_is_told(tmp_path):
    _, told = read_edges(draw(tmp_path / "wide.png", 255, 0, (16, 32)), SIDE)
    assert told == "cut to the middle and resized from 32 x 16 to 16 x 16 pixels"


def test_sizes_that_were_never_learnt_are_told(tmp_path):
    sound = tmp_path / "not_listened_to.wav"
    learnt = ((24, 24), (16, 24))
    cards = [ConditionCard(SIZE, "res_adapter", "small", "", "", "", "", 0, sizes=learnt)]

    def notes(size, cards):
        return take_conditions(cards, Asked(size=size), SIDE, sound).notes

    assert notes((24, 24), cards) == notes(SIDE, cards) == ()
    known = "16 x 16, 24 x 24, 24 x 16 were"
    assert notes((64, 8), cards) == (f"8 x 64 pixels were never learnt, {known}",)
