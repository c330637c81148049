"""Recordings parted by time: the end of each is measured, and nothing is in two parts."""

import numpy as np
import pytest

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import read_mixtures, write_mixtures
from tools.cut_stretches import cut_stretches


@pytest.fixture
def sounds(tmp_path):
    """Recordings of 7.5, 2.5 and 0.4 s in a folder."""
    for name, seconds in (("long", 7.5), ("short", 2.5), ("tiny", 0.4)):
        sound = np.random.default_rng(0).normal(size=round(seconds * 16000)) * 0.1
        (tmp_path / f"{name}.wav").write_bytes(encode_wav(sound))
    return tmp_path


def test_the_end_of_each_recording_is_measured_and_no_stretch_is_in_two(sounds):
    rows = cut_stretches([("noise", str(sounds))], 1.0)
    of = {name: [r for r in rows if r.media.endswith(f"{name}.wav")] for name in ("long", "short")}
    assert [(r.start_s, r.end_s) for r in of["long"]] == [(n, n + 1) for n in range(7)]
    assert [r.fold for r in of["long"]] == ["train"] * 6 + ["test"]
    assert [r.fold for r in of["short"]] == ["train", "test"]
    assert len(rows) == 9 and {r.labels for r in rows} == {("noise",)}
    assert len({r.id for r in rows}) == 9


def test_a_recording_of_one_stretch_trains(sounds):
    assert {r.fold for r in cut_stretches([("noise", str(sounds))], 2.0) if "short" in r.media} == {
        "train"
    }


def test_what_cannot_be_cut_is_told(sounds, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        cut_stretches([("noise", str(tmp_path / "none"))], 1.0)
    with pytest.raises(ValueError, match="holds no sound of 60 s"):
        cut_stretches([("noise", str(sounds))], 60)
    with pytest.raises(ValueError, match="expected 0.1 s or more"):
        cut_stretches([("noise", str(sounds))], 0)


def test_folders_of_one_label_may_have_recordings_of_one_name(sounds, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "long.wav").write_bytes((sounds / "long.wav").read_bytes())
    rows = cut_stretches([("noise", str(sounds)), ("noise", str(other))], 1.0)
    assert {row.labels for row in rows} == {("noise",)}
    write_mixtures(other / "manifest.jsonl", rows)
    assert len(list(read_mixtures(other / "manifest.jsonl"))) == len(rows) == 9 + 7


def test_a_recording_is_taken_once_and_has_a_label(sounds):
    """Such manifests were written, and could not be read."""
    with pytest.raises(ValueError, match="long.wav was taken as 'a' already; expected each rec"):
        cut_stretches([("a", str(sounds)), ("b", str(sounds))], 1.0)
    with pytest.raises(ValueError, match="have no label; expected a word"):
        cut_stretches([(" ", str(sounds))], 1.0)
