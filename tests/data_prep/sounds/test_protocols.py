"""Protocols keep test sounds out of training and choosing, and draw what they say."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.sounds.labelled import Fold, Sound
from data_prep.sounds.protocols import few_shot, held_back, hold_out_speakers, k_folds, official


def make_sounds(folds, classes=3, each=4):
    """Return sounds of each class and fold; the fold is the speaker, too."""
    kinds = [(fold, label, n) for fold in folds for label in range(classes) for n in range(each)]
    return [Sound(f"{f}_{c}_{n}", "a.wav", f"class {c}", f, f) for f, c, n in kinds]


def ids(sounds):
    return {sound.id for sound in sounds}


def count(sounds):
    return Counter(sound.label for sound in sounds)


def assert_disjoint(fold):
    for one, other in combinations((fold.train, fold.validation, fold.test), 2):
        assert not ids(one) & ids(other)


def whole(sounds):
    return Fold(tuple(sounds), (), (Sound("tested", "a.wav", "class 0"),))


seeds = st.integers(0, 2**31)


@given(st.integers(2, 12), st.sampled_from(["next", "none"]), st.integers(1, 3))
def test_each_fold_tests_once_and_never_chooses(folds, validation, each):
    if validation == "next" and folds < 3:
        folds = 3
    names = [str(n) for n in range(1, folds + 1)]
    sounds = make_sounds(names, each=each)
    rounds = k_folds(sounds, validation=validation)
    assert [name for name, _ in rounds] == names
    for place, (name, fold) in enumerate(rounds):
        assert_disjoint(fold)
        assert {sound.fold for sound in fold.test} == {name}
        following = {names[(place + 1) % folds]} if validation == "next" else set()
        assert {sound.fold for sound in fold.validation} == following
        assert ids(fold.train) | ids(fold.validation) | ids(fold.test) == ids(sounds)
    assert sum(len(fold.test) for _, fold in rounds) == len(sounds)


def test_some_folds_test_and_all_others_train():
    sounds = make_sounds(["1", "2", "3", "10"])
    ((name, fold),) = k_folds(sounds, "10")
    assert name == "10" and {s.fold for s in fold.validation} == {"1"}
    assert {s.fold for s in fold.train} == {"2", "3"}
    assert [name for name, _ in k_folds(sounds, ["3", "1"])] == ["3", "1"]


def test_what_cannot_be_folded_is_told():
    sounds = make_sounds(["1", "2", "3"])
    for arguments, message in (
        ((sounds, "4"), r"folds \['4'\]; expected some of \['1', '2', '3'\]"),
        ((sounds, None, "last"), "No validation 'last'; known: next, none"),
        ((sounds[:24],), r"folds are \['1', '2'\]; expected 3 or more"),
        (([*sounds, Sound("x", "a.wav", "class 0")],), "one for each sound. Use `hold_out_sp"),
        (([*sounds, Sound("x", "a.wav", "rare", "2")],), "Class 'rare' is in validation and not"),
        (([*sounds, Sound("x", "a.wav", "rare", "1")],), "Class 'rare' is in test and not in tr"),
    ):
        with pytest.raises(ValueError, match=message):
            k_folds(*arguments)


def test_official_parts_stay_and_a_missing_validation_is_drawn_from_train():
    sounds = make_sounds(["train", "validation", "test"], each=10)
    fold = official(sounds)
    for name in ("train", "validation", "test"):
        assert ids(getattr(fold, name)) == {s.id for s in sounds if s.fold == name}
    sounds = make_sounds(["train", "test"], each=10)
    fold = official(sounds, share=0.2, seed=1)
    assert {s.fold for s in fold.test} == {"test"} and len(fold.test) == 30
    assert {s.fold for s in fold.validation} == {"train"}
    assert count(fold.validation) == {f"class {n}": 2 for n in range(3)}
    for folds in (["1", "2"], ["train", "validation"], ["train", "test", "extra"]):
        with pytest.raises(ValueError, match="expected train, test and maybe validation"):
            official(make_sounds(folds))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.floats(0.01, 0.99), seeds)
def test_held_back_sounds_are_a_share_of_each_class(sizes, share, seed):
    kinds = [(label, n) for label, size in enumerate(sizes) for n in range(size)]
    fold = whole([Sound(f"{c}_{n}", "a.wav", f"class {c}") for c, n in kinds])
    if max(sizes) == 1:
        with pytest.raises(ValueError, match="Each class has one sound in train"):
            held_back(fold, share, seed)
        return
    held = held_back(fold, share, seed)
    assert_disjoint(held)
    assert ids(held.train) | ids(held.validation) == ids(fold.train) and held.test == fold.test
    for label, size in enumerate(sizes):
        wanted = min(size - 1, max(1, round(share * size)))
        assert count(held.validation)[f"class {label}"] == wanted
    assert held_back(fold, share, seed) == held


def test_what_cannot_be_held_back_is_told():
    fold = whole(make_sounds(["1"]))
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match=f"share is {share}; expected a number between"):
            held_back(fold, share)
    with pytest.raises(ValueError, match="3 sounds are validation already"):
        held_back(held_back(fold))


@given(st.sets(st.sampled_from("abcd"), min_size=1, max_size=3), seeds)
def test_speakers_that_test_are_not_heard(speakers, seed):
    sounds = make_sounds("abcd")
    fold = hold_out_speakers(sounds, speakers, seed=seed)
    assert_disjoint(fold)
    assert {s.speaker for s in fold.test} == speakers
    assert {s.speaker for s in (*fold.train, *fold.validation)} <= set("abcd") - speakers
    assert len(fold.train) + len(fold.validation) + len(fold.test) == len(sounds)
    assert set(count(fold.validation)) == {"class 0", "class 1", "class 2"}


def test_speakers_choose_or_are_refused():
    sounds = make_sounds(["ann", "bob", "cem"])
    fold = hold_out_speakers(sounds, "ann", "bob")
    assert {s.speaker for s in fold.validation} == {"bob"}
    assert {s.speaker for s in fold.train} == {"cem"}
    for arguments, message in (
        ((sounds, "dan"), r"No speakers \['dan'\]; expected some of ann, bob, cem"),
        ((sounds, []), r"No speakers \[\]; expected some"),
        ((sounds, "ann", ["ann", "bob"]), "Speakers ann test and choose"),
        ((sounds, ["ann", "bob", "cem"]), "No sounds are left to train"),
        (([*sounds, Sound("x", "a.wav", "class 0")], "ann"), "1 of 37 sounds have no speaker"),
        (([*sounds, Sound("x", "a.wav", "rare", "", "ann")], "ann"), "Class 'rare' is in test"),
    ):
        with pytest.raises(ValueError, match=message):
            hold_out_speakers(*arguments)


@given(st.integers(1, 5), seeds)
def test_few_shots_are_exact_and_leave_the_test_alone(shots, seed):
    ((_, fold), *_) = k_folds(make_sounds(["1", "2", "3"], each=5))
    few = few_shot(fold, shots, seed)
    assert count(few.train) == {f"class {n}": shots for n in range(3)}
    assert ids(few.train) <= ids(fold.train)
    assert (few.validation, few.test) == (fold.validation, fold.test)
    assert few_shot(fold, shots, seed) == few


def test_seeds_give_different_draws_that_reach_all_sounds():
    fold = whole(make_sounds(["1"], each=20))
    draws = [few_shot(fold, 2, seed).train for seed in range(60)]
    assert len(set(draws)) == 60
    assert {sound.id for draw in draws for sound in draw} == ids(fold.train)
    held = {held_back(fold, 0.1, seed).validation for seed in range(20)}
    assert len(held) == 20


def test_too_few_sounds_for_the_shots_are_told():
    fold = whole([*make_sounds(["1"]), Sound("x", "a.wav", "rare")])
    with pytest.raises(ValueError, match="Class 'rare' has 1 sounds in train; expected 2 or more"):
        few_shot(fold, 2, 0)
    with pytest.raises(ValueError, match="shots is 0; expected 1 or more"):
        few_shot(fold, 0, 0)


def test_digits_are_split_by_index_or_by_speaker(shared_data):
    sounds = find_fsdd_sounds(shared_data / "fsdd")
    fold = official(sounds)
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (2430, 270, 300)
    assert set(count(fold.validation).values()) == {27}
    fold = hold_out_speakers(sounds, "theo", "lucas")
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (2000, 500, 500)
    assert len(few_shot(fold, 8, 0).train) == 80
