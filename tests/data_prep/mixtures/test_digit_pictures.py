import numpy as np
import pytest

from data_prep.mixtures.digit_pictures import SIDE, SIZE, draw_digits, load_written_digits


def test_no_written_digit_is_in_both_parts():
    parts = [load_written_digits(part) for part in ("train", "test")]
    assert [len(part.numbers) for part in parts] == [1198, 599]
    images = [{one.tobytes() for one in part.values} for part in parts]
    assert images[0].isdisjoint(images[1])
    assert all(set(part.numbers) == set(range(10)) for part in parts)


def test_one_digit_stands_in_the_middle_and_two_side_by_side():
    digits, random = load_written_digits(), np.random.default_rng(0)
    one = draw_digits([7], digits, random)
    assert one.shape == (*SIZE, 3) and one.dtype == np.uint8
    assert not one[:, : SIDE // 2].any() and not one[:, -SIDE // 2 :].any() and one.max() > 200
    two = draw_digits([3, 8], digits, random)[..., 0]
    for half, number in ((two[:, :SIDE], 3), (two[:, SIDE:], 8)):
        written = digits.values[digits.numbers == number]
        assert any(np.array_equal(half, other) for other in written)


@pytest.mark.parametrize(("numbers", "told"), [([], "0 digits"), ([1, 2, 3], "3 digits"),
                                               ([11], "No digit 11")])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(numbers, told):
    with pytest.raises(ValueError, match=told):
        draw_digits(numbers, load_written_digits(), np.random.default_rng(0))


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="No part 'rest'"):
        load_written_digits("rest")
