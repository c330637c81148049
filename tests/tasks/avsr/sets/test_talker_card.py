"""What is told of a talker is written and read, and a damaged file is told."""

import pytest

from tasks.avsr.sets.talker_card import (
    TALKER_CARD,
    TALKERS,
    TalkerCard,
    find_talkers,
    read_talker,
    write_talker,
)


def test_talkers_are_found_by_their_folders_and_read_as_they_were_written(tmp_path):
    assert find_talkers(tmp_path) == {}
    card = TalkerCard("me", 30, 28, 5, 1.5, {"nobody is heard": 2}, {"set": 28}, {"clean": 0.0})
    for name in ("you", "me"):
        (tmp_path / TALKERS / name).mkdir(parents=True)
        write_talker(tmp_path / TALKERS / name, card)
    (tmp_path / TALKERS / "half").mkdir()
    assert list(find_talkers(tmp_path)) == ["me", "you"]
    assert read_talker(tmp_path / TALKERS / "me") == card


def test_a_folder_of_no_talker_and_a_damaged_card_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a talker's folder"):
        read_talker(tmp_path)
    (tmp_path / TALKER_CARD).write_text('{"name": "me", "colour": "red"}')
    with pytest.raises(ValueError, match="damaged.*enrol the talker again"):
        read_talker(tmp_path)
