import numpy as np
import pytest
from PIL import Image

from data_prep.datasets.masks.dataset import say_label
from data_prep.masks.images import read_pair
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.prepare import prepare_masks
from data_prep.masks.remarks import EMPTY, TURNED, WHOLE, remarks_on

LONG, SQUARE = (20, 30), (30, 30)


@pytest.fixture
def row(tmp_path):
    """Make a row of files with an EXIF tag each, None for none."""

    def make(turn, mask_turn=None, size=SQUARE, marked=slice(3, 9), suffix=".png"):
        mask = np.zeros(size, np.uint8)
        mask[marked] = 255
        for name, values, number in (
            (f"a{suffix}", np.full(size, 90, np.uint8), turn),
            ("m.png", mask, mask_turn),
        ):
            exif = Image.Exif()
            if number is not None:
                exif[274] = number
            Image.fromarray(values).save(tmp_path / name, exif=exif)
        return MaskedImage("r", str(tmp_path / f"a{suffix}"), str(tmp_path / "m.png"), "polyp")

    return make


@pytest.mark.parametrize(
    ("marked", "told"), [(slice(0), [EMPTY]), (slice(None), [WHOLE]), (slice(1), [])]
)
def test_masks_in_which_nothing_or_all_is_marked_are_told(row, marked, told):
    found = row(None, marked=marked)
    assert remarks_on(found, *read_pair(found)) == told


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("turn", [2, 3, 4])
def test_a_turn_that_keeps_the_size_is_told_where_the_mask_has_no_tag(row, turn, suffix):
    for size in (LONG, SQUARE):
        found = row(turn, size=size, suffix=suffix)
        assert remarks_on(found, *read_pair(found)) == [TURNED]
        found = row(turn, turn, size=size, suffix=suffix)
        assert remarks_on(found, *read_pair(found)) == []


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_a_quarter_turn_is_told_of_a_square_and_elsewhere_the_size_tells(row, turn, tmp_path):
    found = row(turn)
    assert remarks_on(found, *read_pair(found)) == [TURNED]
    found = row(turn, size=LONG)
    with pytest.raises(ValueError, match="expected the same"):
        read_pair(found)
    Image.fromarray(np.full((30, 20), 255, np.uint8)).save(tmp_path / "m.png")  # as it is seen
    assert remarks_on(found, *read_pair(found)) == [WHOLE]


@pytest.mark.parametrize("turn", [None, 1, 9])
def test_nothing_is_told_of_pictures_that_no_tag_turns(row, turn):
    found = row(turn)
    assert remarks_on(found, *read_pair(found)) == []


def test_a_manifest_is_made_with_a_line_on_each(row, tmp_path):
    done = prepare_masks([row(3, marked=slice(None))], tmp_path / "out", say_label, 1)
    assert {about: done.notes[about] for about in (WHOLE, TURNED)} == {WHOLE: ["r"], TURNED: ["r"]}
