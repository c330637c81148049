"""Shards hold what the manifest does, whole or not at all."""

import tarfile
import wave

import numpy as np
import pytest

from data_prep.clips.manifest import read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.clips.shards import read_shards, write_shards
from data_prep.datasets.speech.folder import find_folder_clips


@pytest.fixture(scope="module")
def prepared(demo_clip, tmp_path_factory):
    """The demo clip and three sounds, prepared."""
    raw, folder = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("prepared")
    (raw / demo_clip.name).write_bytes(demo_clip.read_bytes())
    (raw / f"{demo_clip.stem}.txt").write_text("Today, after two years")
    for number in range(3):
        with wave.open(str(raw / f"sound.{number}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            sound = np.random.default_rng(number).integers(-9000, 9000, 1600 * (number + 1))
            file.writeframes(sound.astype("<i2").tobytes())
    prepare(find_folder_clips(raw), folder, 1)
    return folder


def test_what_is_read_is_what_was_prepared(prepared, tmp_path):
    clips = list(read_manifest(prepared / "manifest.jsonl"))
    shards = write_shards(prepared, tmp_path, clips_per_shard=3)
    assert [shard.name for shard in shards] == ["clips-00000.tar", "clips-00001.tar"]
    found = list(read_shards(shards))
    assert [sample.clip for sample in found] == clips
    for sample, clip in zip(found, clips, strict=True):
        expected = load_sample(clip, prepared)
        assert np.abs(sample.waveform - expected.waveform).max() <= 0.5001 / 32768
        np.testing.assert_array_equal(sample.crops, expected.crops)
        assert len(sample.crops) == (clip.frames or 0)
    assert found[-1].clip.text == "Today, after two years"


def test_shards_that_are_there_are_kept_and_all_are_the_same_each_time(prepared, tmp_path):
    first = write_shards(prepared, tmp_path / "a", 2)
    second = write_shards(prepared, tmp_path / "b", 2)
    assert [s.read_bytes() for s in first] == [s.read_bytes() for s in second]
    stamp = first[0].stat().st_mtime_ns
    first[1].unlink()
    write_shards(prepared, tmp_path / "a", 2)
    assert first[0].stat().st_mtime_ns == stamp and first[1].exists()
    with tarfile.open(first[0]) as tar:
        assert tar.getnames() == ["sound_0.json", "sound_0.wav", "sound_1.json", "sound_1.wav"]


def test_what_is_missing_is_told(prepared, tmp_path):
    with pytest.raises(ValueError, match="clips_per_shard is 0"):
        write_shards(prepared, tmp_path, 0)
    with pytest.raises(FileNotFoundError, match="manifest"):
        write_shards(tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"There is no .*nothing\.tar"):
        list(read_shards([tmp_path / "nothing.tar"]))
