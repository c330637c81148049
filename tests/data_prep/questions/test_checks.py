"""Rows that come twice are joined or refused; features of videos are known by their head."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep.questions.checks import check_features, join_repeats
from data_prep.questions.manifest import Question
from modalities.vision_language.frames import load_frames

ROW = Question("1", "gqa", ("a",), "What?", {"net": 1.0}, (), "train")


def test_a_row_in_two_folds_is_held_back():
    rows, twice, torn = join_repeats([ROW, ROW, replace(ROW, fold="test"), ROW])
    assert rows == [replace(ROW, fold="test")] and twice == ["1"] and torn == ["1"]


def test_two_rows_of_one_id_that_differ_are_refused():
    with pytest.raises(ValueError, match="id '1': 'What\\?' of a and 'Why\\?' of a; expected"):
        join_repeats([ROW, replace(ROW, text="Why?")])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_features_as_they_are_given_out_are_taken(tmp_path, save):
    save(tmp_path / "a.npz", features=np.zeros((7, 512), np.float16))
    check_features(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"features": np.zeros((7, 2304))}, r"features \[7, 2304\]; expected .*Is it of another"),
        ({"features": np.zeros((0, 512))}, r"features \[0, 512\]"),
        ({"features": np.zeros(512)}, r"features \[512\]"),
        ({"feats": np.zeros((7, 512))}, "has no features"),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=told):
        check_features(tmp_path / "a.npz")


def test_a_cut_file_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.zeros((7, 512)))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match="has no features .*Get it anew"):
        check_features(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("read", [check_features, load_frames])
def test_a_damaged_file_is_told_whatever_byte_is_wrong(tmp_path, save, read):
    path = tmp_path / "a.npz"
    save(path, features=np.random.default_rng(0).normal(size=(2, 512)).astype(np.float32))
    whole = path.read_bytes()
    told = 0
    for place in (*range(200), *range(len(whole) - 120, len(whole))):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            read(path)
        except (OSError, ValueError) as error:
            told += "a.npz" in str(error) or isinstance(error, OSError)
    assert told > 50
