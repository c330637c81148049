"""How numbers of things are told."""

import pytest

from modalities.spelling import count_things


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (2, "file of features", "2 files of features"),
        (1, "file of features", "1 file of features"),
        (12000, "picture", "12,000 pictures"),
    ],
)
def test_one_thing_is_told_in_the_singular(number, noun, told):
    assert count_things(number, noun) == told
