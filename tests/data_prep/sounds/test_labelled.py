"""Labelled sounds are read as written, chosen by fold, and parts of them are fair."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.json_lines import write_manifest
from data_prep.sounds.labelled import (
    Fold,
    Sound,
    check_fold,
    choose,
    classes_of,
    folds_of,
    read_sounds,
)

DOG = Sound("a", "a.wav", "dog", "1")
CAT = Sound("b", "b.wav", "Kätzchen", "10", "s1", 0.5, 2.0)
times = st.floats(0, 1e4)


@given(
    st.builds(Sound, st.text(), st.text(), st.text(), st.text(), st.none() | st.text(), times),
    st.none() | times,
)
def test_a_line_is_its_sound(sound, end_s):
    sound = replace(sound, end_s=end_s)
    line = sound.to_json()
    assert "\n" not in line and Sound.from_json(line) == sound


def test_sounds_are_read_as_written_and_damage_is_told(tmp_path):
    path = tmp_path / "sounds.jsonl"
    write_manifest(path, [DOG, CAT])
    assert list(read_sounds(path)) == [DOG, CAT]
    for line in ('{"id": "a", "text": "no label"}', "[1]"):
        path.write_text(f"{line}\n")
        with pytest.raises(ValueError, match="line 1 is no labelled sound"):
            list(read_sounds(path))
    with pytest.raises(FileNotFoundError, match="expected a manifest"):
        list(read_sounds(tmp_path / "none.jsonl"))


def test_classes_and_folds_are_sorted_and_chosen():
    sounds = [CAT, DOG, replace(DOG, id="c", fold="2")]
    assert classes_of(sounds) == ["Kätzchen", "dog"]
    assert folds_of(sounds) == ["1", "2", "10"]
    assert choose(sounds, "10") == [CAT]
    assert choose(sounds, ["1", "10"]) == [CAT, DOG]
    for folds, named in (("0", "'0'"), (["1", "3"], "'3'"), ([], "")):
        with pytest.raises(ValueError, match=rf"folds \[{named}\]; expected some of \['1', '2'"):
            choose(sounds, folds)


def test_unfair_parts_are_refused():
    other = replace(DOG, id="c")
    assert check_fold(Fold((DOG,), (), (other,)))
    for fold, message in (
        (Fold((), (), (DOG,)), "No sounds are left to train"),
        (Fold((DOG,), (), ()), "No sounds are left to test"),
        (Fold((DOG,), (), (DOG,)), "Sound 'a' comes 2 times"),
        (Fold((DOG,), (), (CAT,)), "Class 'Kätzchen' is in test and not in train"),
        (Fold((DOG,), (CAT,), (other,)), "Class 'Kätzchen' is in validation and not in train"),
    ):
        with pytest.raises(ValueError, match=message):
            check_fold(fold)
