"""Clips are cut at pauses, with the mouths of the same time; what teaches nothing is counted."""

from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import load_sample
from data_prep.faces import MouthChunk
from modalities.speech.timed_text import Word
from tasks.avsr.training.enrolment import pieces
from tasks.avsr.training.enrolment.pieces import (
    DROWNED,
    MUTE,
    NO_FACE,
    SILENT,
    TWO,
    UNREAD,
    Cut,
    cut_clip,
    cut_clips,
    talk_in_turn,
)

RATE_HZ, PICTURE = 16_000, 640


class Video:
    """Ten seconds in which picture n is all n, and what is seen and heard in them is said here."""

    def __init__(self):
        self.waveform = np.random.default_rng(0).normal(0, 0.1, 10 * RATE_HZ).astype(np.float32)
        self.speech = [(RATE_HZ, 3 * RATE_HZ), (6 * RATE_HZ, 8 * RATE_HZ)]
        self.mask = np.ones(250, bool)
        self.tracks = []
        self.video = self.sound = True

    def mouths(self, finder, frames, sound):
        for start in range(0, 250, 60):
            numbers = np.arange(start, min(start + 60, 250))
            crops = np.broadcast_to(numbers[:, None, None], (len(numbers), 96, 96))
            mask = self.mask[numbers]
            yield MouthChunk(start, crops.astype(np.uint8), mask, np.zeros(len(numbers), np.int32))


@pytest.fixture
def video(monkeypatch) -> Video:
    found = Video()
    finder = SimpleNamespace(tracks=lambda: found.tracks)
    fakes = {
        "probe": lambda media, measure: SimpleNamespace(
            video=found.video or None, audio=found.sound or None
        ),
        "read_audio": lambda media, track: found.waveform,
        "stream_audio": lambda media, audio_track: iter(()),
        "stream_video": lambda media, max_side: iter(()),
        "find_speech": lambda waveform: found.speech,
        "find_mouths": found.mouths,
        "FromFirstPicture": lambda source: finder,
        "FaceFinder": lambda detector: None,
        "_detector": lambda: None,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(pieces, name, fake)
    return found


def test_pieces_have_the_mouths_of_their_time(video, tmp_path):
    cut = cut_clip(Clip("a", "a.mp4"), tmp_path)
    assert [piece.id for piece in cut.pieces] == ["a@0", "a@1"] and cut.left_out == {}
    for piece, (start, stop) in zip(cut.pieces, video.speech, strict=True):
        sample = load_sample(piece, tmp_path)
        first = int(sample.crops[0].mean())
        assert first * PICTURE <= start and stop <= first * PICTURE + len(sample.waveform)
        assert [int(crop.mean()) for crop in sample.crops] == list(
            range(first, first + len(sample.crops))
        )
        part = video.waveform[first * PICTURE :][: len(sample.waveform)]
        assert np.abs(sample.waveform - part).max() < 1e-4
        assert len(sample.waveform) <= 3.2 * RATE_HZ and piece.mask().all()
        assert len(sample.crops) == -(-len(sample.waveform) // PICTURE) == piece.frames


def test_texts_go_with_a_whole_clip_or_by_word_times(video, tmp_path):
    words = (Word(1.5, 2.0, "one"), Word(6.5, 7.0, "two"), Word(7.0, 7.5, "three"))
    two = cut_clip(Clip("a", "a.mp4", "one two three", words=words), tmp_path).pieces
    assert [piece.text for piece in two] == ["one", "two three"]
    start_s = two[1].words[0].start_s
    assert start_s == pytest.approx(0.5 + 0.4, abs=0.04)  # 0.4 s of quiet stay before it
    assert two[1].words[1].start_s == pytest.approx(start_s + 0.5)
    assert [p.text for p in cut_clip(Clip("b", "b.mp4", "one two"), tmp_path).pieces] == [None] * 2
    video.speech = video.speech[:1]
    (one,) = cut_clip(Clip("c", "c.mp4", "one two"), tmp_path).pieces
    assert (one.id, one.text) == ("c", "one two")


def test_what_teaches_nothing_is_left_out_with_its_reason(video, tmp_path):
    video.mask[140:] = False
    assert cut_clip(Clip("a", "a.mp4"), tmp_path).left_out == {NO_FACE: 1}
    video.speech = []
    assert cut_clip(Clip("a", "a.mp4"), tmp_path) == Cut(left_out={DROWNED: 1})
    video.waveform = 1e-3 * video.waveform
    assert cut_clip(Clip("a", "a.mp4"), tmp_path) == Cut(left_out={SILENT: 1})
    video.video = False
    assert cut_clip(Clip("a", "a.mp4"), tmp_path) == Cut(left_out={NO_FACE: 1})
    video.sound = False
    assert cut_clip(Clip("a", "a.mp4"), tmp_path) == Cut(left_out={MUTE: 1})


def track(start: int, frames: int, chosen: int, shot: int = 0) -> SimpleNamespace:
    picked = np.arange(frames) < chosen
    return SimpleNamespace(shot=shot, start_frame=start, stop_frame=start + frames, chosen=picked)


def test_two_who_are_seen_at_once_and_both_talk_are_two_people(video, tmp_path):
    assert talk_in_turn([track(0, 100, 40), track(50, 100, 40)])
    assert not talk_in_turn([track(0, 100, 100), track(0, 100, 3)])  # a listener
    assert not talk_in_turn([track(0, 50, 50), track(60, 50, 50)])  # lost for a moment
    assert not talk_in_turn([track(0, 100, 50), track(50, 100, 50, shot=1)])
    video.tracks = [track(0, 250, 100), track(0, 250, 100)]
    assert cut_clip(Clip("a", "a.mp4"), tmp_path) == Cut(left_out={TWO: 2})


def test_what_was_cut_is_not_cut_again(video, tmp_path, monkeypatch):
    clips, told = [Clip("a", "a.mp4"), Clip("b", "b.mp4")], []
    first = cut_clips(clips[:1], tmp_path, 1)
    again = cut_clips(clips, tmp_path, 1, lambda done, total: told.append((done, total)))
    assert told == [(2, 2)] and again.pieces[:2] == first.pieces
    monkeypatch.setattr(pieces, "cut_clip", None)
    assert cut_clips(clips, tmp_path, 1) == again


def test_files_that_are_no_media_are_counted(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    clips = [Clip("a", str(tmp_path / "a.mp4")), Clip("b", str(tmp_path / "gone.mp4"))]
    assert cut_clips(clips, tmp_path / "out", 1) == Cut(left_out={UNREAD: 2})


@pytest.mark.slow
def test_a_real_clip_is_cut_at_its_pauses(demo_clip, tmp_path):
    cut = cut_clip(Clip("a", str(demo_clip)), tmp_path)
    assert len(cut.pieces) >= 3 and cut.left_out == {}
    assert all(piece.duration_s <= 3.2 for piece in cut.pieces)
    assert sum(piece.duration_s for piece in cut.pieces) > 6
    assert all(piece.mask().mean() > 0.9 for piece in cut.pieces)
