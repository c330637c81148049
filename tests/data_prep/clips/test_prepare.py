"""Preparing clips: parallel as one by one, resumable, and telling what could not be read."""

import json
import wave
from dataclasses import replace

import numpy as np
import pytest

from data_prep.clips.manifest import read_manifest
from data_prep.clips.prepare import prepare
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.media import stream_video


@pytest.fixture
def clips(tmp_path):
    """Six clips of sound alone, one of them damaged."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(6):
        with wave.open(str(folder / f"clip{number}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(np.full(1600 * (number + 1), 900, "<i2").tobytes())
    (folder / "clip3.wav").write_bytes(b"no sound")
    return find_folder_clips(folder)


def test_all_that_can_be_read_is_in_the_manifest_and_the_rest_is_told(clips, tmp_path):
    seen = []
    done = prepare(clips, tmp_path / "out", 1, lambda *counts: seen.append(counts))
    assert (done.clips, done.new, list(done.failed)) == (5, 5, ["clip3"])
    assert "clip3.wav cannot be read as media" in done.failed["clip3"]
    assert seen == [(number, 6) for number in range(1, 7)]
    found = list(read_manifest(tmp_path / "out/manifest.jsonl"))
    assert [clip.id for clip in found] == ["clip0", "clip1", "clip2", "clip4", "clip5"]
    assert [clip.duration_s for clip in found] == pytest.approx([0.1, 0.2, 0.3, 0.5, 0.6])
    failed = json.loads((tmp_path / "out/failed.jsonl").read_text())
    assert failed["id"] == "clip3"


def test_an_interrupted_run_goes_on_without_repeating_or_losing_a_clip(clips, tmp_path):
    whole, cut = tmp_path / "whole/manifest.jsonl", tmp_path / "cut/manifest.jsonl"
    prepare(clips, whole.parent, 1)
    prepare(clips[:4], cut.parent, 1)
    cut.write_bytes(cut.read_bytes()[:-7])  # killed in the middle of a line
    done = prepare(clips, cut.parent, 1)
    assert (done.clips, done.new) == (5, 3)
    assert cut.read_text() == whole.read_text()
    assert prepare(clips, cut.parent, 1).new == 0
    (tmp_path / "raw/clip3.wav").write_bytes((tmp_path / "raw/clip2.wav").read_bytes())
    assert prepare(clips, cut.parent, 1).new == 1
    assert not (cut.parent / "failed.jsonl").exists()


def test_several_processes_write_the_same(clips, tmp_path):
    prepare(clips, tmp_path / "one", 1)
    prepare(clips, tmp_path / "two", 2)
    texts = [(tmp_path / name / "manifest.jsonl").read_text() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_two_clips_of_one_id_are_told(clips, tmp_path):
    with pytest.raises(ValueError, match="same id"):
        prepare([clips[0], replace(clips[1], id=clips[0].id)], tmp_path / "out", 1)


def test_mouths_are_cropped_and_masked(demo_clip, tmp_path):
    [clip] = [one for one in find_folder_clips(demo_clip.parent) if one.id == demo_clip.stem]
    done = prepare([clip], tmp_path, 1)
    found = next(read_manifest(tmp_path / "manifest.jsonl"))
    assert done.new == 1 and found.mouth == f"mouths/{clip.id}.mp4"
    frames = list(stream_video(tmp_path / found.mouth))
    assert len(frames) == found.frames == len(found.mask()) == 218
    assert found.mask().mean() > 0.9
    assert found.duration_s == pytest.approx(8.71, abs=0.05)


def test_grid_clips_show_a_mouth_in_every_frame(shared_data, tmp_path):
    from data_prep.datasets.speech.grid import find_grid_clips

    clips = find_grid_clips(shared_data / "grid")[::300]
    prepare(clips, tmp_path, 1)
    for clip in read_manifest(tmp_path / "manifest.jsonl"):
        assert clip.frames == 75 and clip.mask().all(), clip.id
