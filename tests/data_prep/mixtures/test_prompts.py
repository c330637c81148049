import pytest

from data_prep.mixtures.prompts import write_prompts


def test_parents_are_left_out_and_nothing_is_filled_up():
    labels = ["Electric_guitar", "Guitar", "Musical_instrument", "Guitar"]
    assert write_prompts(labels) == ["The sound of electric guitar", "The sound of guitar"]


def test_parents_alone_are_kept_as_there_is_nothing_else():
    assert write_prompts(["Vehicle"]) == ["The sound of vehicle"]


def test_the_first_labels_count():
    assert write_prompts("abc", most=2) == ["The sound of a", "The sound of b"]
    with pytest.raises(ValueError, match="0 labels"):
        write_prompts([])
