"""A video whose sound begins 1 s before its first picture: all that counts time counts the same."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.faces import FromFirstPicture, use_box
from data_prep.media import read_audio, stream_video
from modalities.speech.timed_text import Word
from tasks.avsr import AVSROptions, AVSRPipeline
from tasks.avsr.crop import write_mouths
from tasks.avsr.inputs.media import ReadyMouth
from tasks.avsr.outputs.preview import write_preview
from tasks.avsr.outputs.transcript import Transcript

LATE_S, LATE = 1, 25  # and in frames
BOX = (100.0, 50.0, 60.0, 60.0)


@pytest.fixture(scope="module")
def late_clip(demo_clip, tmp_path_factory) -> Path:
    """The demo clip, its pictures 1 s later, from the second on which they then have."""
    path = tmp_path_factory.mktemp("late") / "late.mp4"
    with av.open(str(demo_clip)) as media, av.open(str(path), "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in media.streams}
        packets: list[Any] = [packet for packet in media.demux() if packet.dts is not None]
        for packet in packets:
            if packet.stream.type == "video":
                shift = round(LATE_S / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            packet.stream = streams[packet.stream.index]
            container.mux(packet)
    return path


def test_sound_is_that_of_the_clip_and_pictures_come_later(demo_clip, late_clip):
    assert np.array_equal(read_audio(late_clip), read_audio(demo_clip))
    late, frames = list(stream_video(late_clip)), list(stream_video(demo_clip))
    assert [frame.missing for frame in late] == [True] * LATE + [False] * (len(late) - LATE)
    assert len(late) == pytest.approx(len(frames) + LATE, abs=1)  # the copied file rounds its end
    for before, after in zip(frames[::20], late[LATE::20], strict=True):
        assert np.array_equal(before.gray(), after.gray())


def test_faces_are_told_at_their_time_and_text_starts_with_the_sound(demo_clip, late_clip):
    pipeline = AVSRPipeline("whisper-tiny.en", device="cpu")
    on_time, late = pipeline.transcribe(demo_clip), pipeline.transcribe(late_clip)
    assert late.text == on_time.text
    assert late.segments[0].start_s == on_time.segments[0].start_s
    assert [face.start_s for face in late.faces] == [
        pytest.approx(face.start_s + LATE_S) for face in on_time.faces
    ]
    alone = AVSRPipeline("whisper-tiny.en", device="cpu", options=AVSROptions(video=False))
    assert alone.transcribe(late_clip).text == on_time.text


def test_a_mouth_video_and_its_mask_begin_with_the_sound(demo_clip, late_clip, tmp_path):
    write_mouths(demo_clip, tmp_path / "on_time.mp4", tmp_path / "on_time.json")
    found = write_mouths(late_clip, tmp_path / "late.mp4", tmp_path / "late.json")
    on_time = json.loads((tmp_path / "on_time.json").read_text())
    assert found == json.loads((tmp_path / "late.json").read_text())
    assert found["frames"] == len(found["mask"])
    assert found["frames"] == pytest.approx(on_time["frames"] + LATE, abs=1)
    assert not any(found["mask"][:LATE])
    mouths = [frame.gray() for frame in stream_video(tmp_path / "late.mp4")]
    assert [bool(mouth.any()) for mouth in mouths] == [bool(seen) for seen in found["mask"]]
    first, before = found["tracks"][0], on_time["tracks"][0]
    assert first["start_s"] == pytest.approx(before["start_s"] + LATE_S)


def test_a_box_shows_no_mouth_before_the_first_picture(late_clip, tmp_path):
    paths = tmp_path / "mouth.mp4", tmp_path / "mouth.json"
    found = write_mouths(late_clip, *paths, ReadyMouth(box=BOX))
    assert found["mask"] == [0] * LATE + [1] * (found["frames"] - LATE)


@pytest.mark.parametrize("from_zero", [True, False])
def test_landmarks_count_from_time_0_or_from_the_first_picture(from_zero, late_clip, tmp_path):
    """The mouth moves by a pixel a frame; a row too early or late would show."""
    frames = len(list(stream_video(late_clip)))
    rows = np.tile([[100.0, 80], [140, 80], [120, 100], [120, 120]], (frames - LATE, 1, 1))
    rows[:, :, 0] += np.arange(len(rows))[:, None] * 0.5
    if from_zero:
        rows = np.concatenate([np.full((LATE, 4, 2), np.nan), rows])
    np.save(tmp_path / "rows.npy", rows)
    paths = tmp_path / "mouth.mp4", tmp_path / "mouth.json"
    found = write_mouths(late_clip, *paths, ReadyMouth(landmarks=tmp_path / "rows.npy"))
    assert found["mask"] == [0] * LATE + [1] * (frames - LATE)
    whole = tmp_path / "whole.npy"
    np.save(whole, rows[LATE:] if from_zero else rows)
    again = tmp_path / "again.mp4", tmp_path / "again.json"
    write_mouths(late_clip, *again, ReadyMouth(landmarks=whole))
    for one, other in zip(stream_video(paths[0]), stream_video(again[0]), strict=True):
        assert np.array_equal(one.gray(), other.gray())


def test_a_prepared_clip_has_sound_and_mouth_of_one_length(late_clip, tmp_path):
    done = prepare([Clip("late", str(late_clip), text="today")], tmp_path, 1)
    assert (done.new, done.failed) == (1, {})
    [clip] = read_manifest(tmp_path / "manifest.jsonl")
    sample = load_sample(clip, tmp_path)
    assert clip.seen and clip.seen[0][0] >= LATE
    assert not sample.crops[:LATE].any() and sample.crops[clip.seen[0][0]].any()
    assert len(sample.crops) / 25 == pytest.approx(len(sample.waveform) / 16_000 + LATE_S, abs=0.1)


def test_cuts_of_lhotse_count_from_the_sound_too(late_clip, tmp_path):
    pytest.importorskip("lhotse")
    from data_prep.clips.lhotse_cuts import to_cuts

    clip = Clip("late", str(late_clip), words=(Word(0.8, 1.2, "today"),), duration_s=8.746)
    [cut] = list(to_cuts([clip], tmp_path))
    [word] = cut.supervisions[0].alignment["word"]
    assert (word.start, cut.start, cut.duration) == (0.8, 0, 8.746)


def test_a_preview_shows_pictures_and_sound_at_their_time(demo_clip, late_clip, tmp_path):
    seen = Transcript("", 9.7, "none", False, "", (), ())
    write_preview(late_clip, seen, tmp_path / "seen.mp4")
    frames = list(stream_video(tmp_path / "seen.mp4"))
    dark = [float(frame.gray().mean()) < 2 for frame in frames]
    assert dark[: LATE + 1] == [True] * LATE + [False]
    sound, written = read_audio(demo_clip), read_audio(tmp_path / "seen.mp4")
    middle = written[40_000:72_000]
    lags = range(-400, 401, 8)
    fits = [float(np.dot(middle, sound[40_000 + lag : 72_000 + lag])) for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= 16  # a thousandth of a second


def test_frames_that_do_not_say_missing_are_pictures():
    class Shown:
        repeated = False

        def gray(self):
            return np.full((240, 320), 99, np.uint8)

    source = FromFirstPicture(use_box(BOX))
    [chunk] = source.push([Shown()] * 3, None)
    assert source.missing == 0 and chunk.mask.all() and chunk.start_frame == 0
    assert source.flush() == [] and source.tracks() == []
