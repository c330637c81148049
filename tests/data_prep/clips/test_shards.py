"""Shards hold what the manifest does, whole or not at all."""

import tarfile
import wave

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from webdataset.compat import WebDataset
from webdataset.writer import TarWriter

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.names import file_name_of, id_of, key_of
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.clips.shards import read_shards, write_shards
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.json_lines import write_manifest
from data_prep.media.wav import encode_wav


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
        assert tar.getnames() == [f"sound%2E{n}.{kind}" for n in (0, 1) for kind in ("json", "wav")]


def test_what_is_missing_is_told(prepared, tmp_path):
    with pytest.raises(ValueError, match="clips_per_shard is 0"):
        write_shards(prepared, tmp_path, 0)
    with pytest.raises(FileNotFoundError, match="manifest"):
        write_shards(tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"There is no .*nothing\.tar"):
        list(read_shards([tmp_path / "nothing.tar"]))


LETTERS = st.sampled_from("aA._-/%~é字\n") | st.characters(exclude_categories=["Cs"])
IDS = st.lists(
    st.text(LETTERS, max_size=12) | st.text("a._", min_size=190, max_size=900),
    unique=True,
    min_size=1,
    max_size=6,
)
LONG = "__" + "x" * 196 + "__/rest"  # would be a folder that webdataset passes over


@settings(max_examples=60, deadline=None)
@given(IDS)
@example(["a.b", "a_b", "a/b", "a%2Eb", "A.b", "", "%", ".", "__meta__", "__/__", LONG])
def test_clips_come_back_by_their_ids_whatever_these_are(tmp_path_factory, ids):
    folder, out = (tmp_path_factory.mktemp(name) for name in ("ids", "shards"))
    (folder / "a.wav").write_bytes(encode_wav(np.linspace(-0.5, 0.5, 320)))
    clips = [Clip(name, "a.wav", f"text of {n}", duration_s=0.02) for n, name in enumerate(ids)]
    write_manifest(folder / "manifest.jsonl", clips)
    shards = write_shards(folder, out)
    assert [sample.clip for sample in read_shards(shards)] == clips
    plain = WebDataset(list(map(str, shards)), shardshuffle=False, empty_check=False)
    records = list(plain.decode())
    assert [id_of(record["__key__"]) for record in records] == ids
    assert [record["json"]["id"] for record in records] == ids


@given(st.text(st.characters(exclude_categories=[])))
@example("ein_Name-1")
def test_a_key_is_turned_back_into_its_id_and_can_be_unpacked(clip_id):
    key = key_of(clip_id)
    assert id_of(key) == clip_id
    assert key and key.isascii() and "." not in key and all(map(str.isprintable, key))
    assert max(map(len, key.split("/"))) <= 200
    if clip_id.replace("_", "").replace("-", "").isalnum() and clip_id.isascii():
        assert key == clip_id or clip_id.startswith("__") or len(clip_id) > 200


def test_shards_of_earlier_versions_are_read_and_what_cannot_be_is_told(prepared, tmp_path):
    clips = [Clip(name, "a.wav") for name in ("a.b", "c", "a_b")]
    for name, chosen in (("old", clips), ("one key", [clips[0], clips[2]])):
        with TarWriter(str(tmp_path / f"{name}.tar")) as tar:
            for clip in chosen:
                wav = encode_wav(np.zeros(160))
                key = clip.id.replace(".", "_")
                tar.write({"__key__": key, "json": clip.to_data(), "wav": wav})
    assert [sample.clip for sample in read_shards([tmp_path / "old.tar"])] == clips
    (tmp_path / "no.tar").write_bytes(b"no tar at all" * 100)
    with TarWriter(str(tmp_path / "pictures.tar")) as tar:
        tar.write({"__key__": "a", "json": {}})
    for name in ("one key", "no", "pictures"):
        with pytest.raises(ValueError, match=f"{name}.tar cannot be read as a shard"):
            list(read_shards([tmp_path / f"{name}.tar"]))


def test_two_clips_of_one_id_are_no_shard(tmp_path):
    write_manifest(tmp_path / "manifest.jsonl", [Clip("a", "a.wav"), Clip("a", "b.wav")])
    with pytest.raises(ValueError, match="two clips of one id"):
        write_shards(tmp_path, tmp_path / "out")


@given(st.text(min_size=1), st.text(min_size=1))
@example("x" * 300 + "a", "x" * 300 + "b")
@example("字" * 90 + "a", "字" * 90 + "b")
@example("s1/a", "s1_a")
@example("/", "\0")
def test_files_of_clips_have_short_names_of_their_own(first, second):
    names = file_name_of(first), file_name_of(second)
    assert max(len(name.encode()) for name in names) <= 180
    assert (names[0] == names[1]) == (first == second)
    assert not set("/\0").intersection(names[0])
    assert names[0] == first or len(first.encode()) > 180 or set("/\0") & set(first)
