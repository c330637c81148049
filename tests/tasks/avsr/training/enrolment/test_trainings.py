"""What noise an enrolment hears, of a folder of kinds or of none."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.avsr.sets.collection import Collection
from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.avsr.training.enrolment.trainings import Trainings, lay_out_noise


@pytest.fixture
def noise(tmp_path) -> Path:
    (tmp_path / "noise/deep").mkdir(parents=True)
    for name in ("fan.wav", "street.wav", "deep/fan.wav"):
        (tmp_path / "noise" / name).write_text(name)
    return tmp_path / "noise"


def test_recordings_of_no_kind_count_as_natural_noise(noise, tmp_path):
    folder = tmp_path / "laid"
    for _ in range(2):  # again after an interruption
        assert lay_out_noise(str(noise), folder, ["street"]) == str(folder)
    found = sorted((folder / "natural").iterdir())
    assert [path.read_text() for path in found] == ["deep/fan.wav", "fan.wav"]


def test_folders_of_kinds_are_taken_as_they_are(noise, tmp_path):
    (noise / "deep").rename(noise / "music")
    assert lay_out_noise(str(noise), tmp_path / "laid") == str(noise)
    assert lay_out_noise("", tmp_path / "laid") == "" and not (tmp_path / "laid").exists()
    with pytest.raises(FileNotFoundError, match="none has no recordings"):
        lay_out_noise(str(tmp_path / "none"), tmp_path / "laid")


def test_few_clips_are_no_babble(noise, tmp_path):
    options = EnrolOptions("me", "clips", str(noise), leave_out=("street",))
    collection = Collection("made", "tiny", "lips", {"all": ["all"]})
    many = Trainings(tmp_path, collection, options, tmp_path, tmp_path, 8, 0, "cpu")
    assert set(many.noise.categories) == {"babble", "sidespeaker", "music", "natural"}
    assert many.noise.leave_out == ("street",) and many.noise.folder == str(tmp_path / "noise")
    assert replace(many, clips=7).noise.categories == ("music", "natural")
