"""Of several sound tracks one is taken, which is said; another can be asked for by its index."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.media import describe_choice, probe, read_audio, stream_audio
from data_prep.noise.noisy_manifest import MixOptions, mix_manifest
from tasks.__main__ import run
from tasks.avsr import AVSRPipeline
from tasks.avsr.crop import write_mouths
from tasks.avsr.inputs.media import ReadyMouth
from tasks.avsr.outputs.preview import write_preview
from tasks.avsr.outputs.transcript import Transcript

SILENT, SPEECH = 1, 2  # their indices, behind the pictures


def encode(stream, waveform: np.ndarray, rate_hz: int) -> list:
    packets = []
    for start in range(0, len(waveform), 1024):
        block = np.ascontiguousarray(waveform[None, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


@pytest.fixture(scope="module")
def two_tracks(demo_clip, tmp_path_factory) -> Path:
    """The demo clip's pictures, a silent main track, and its speech as a second one."""
    path = tmp_path_factory.mktemp("tracks") / "two.mkv"
    speech = read_audio(demo_clip)
    with av.open(str(demo_clip)) as media, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(media.streams.video[0])
        silent = container.add_stream("flac", rate=16_000, layout="mono", format="s16")
        spoken = container.add_stream("aac", rate=16_000, layout="mono")
        silent.metadata["title"], spoken.metadata["language"] = "Empty", "eng"
        silent.disposition = Disposition.default  # FFmpeg would take the one of more bits
        packets: list[Any] = [p for p in media.demux(video=0) if p.dts is not None]
        for packet in packets:
            packet.stream = video
        packets += encode(silent, speech * 0, 16_000) + encode(spoken, speech, 16_000)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def pipeline() -> AVSRPipeline:
    return AVSRPipeline("whisper-tiny.en", device="cpu")


def loudest(waveform: np.ndarray) -> float:
    return float(np.abs(waveform).max())


def test_probe_lists_all_tracks(two_tracks, capsys):
    tracks = probe(two_tracks).tracks
    assert [(t.index, t.kind, t.codec) for t in tracks] == [
        (0, "video", "h264"),
        (SILENT, "audio", "flac"),
        (SPEECH, "audio", "aac"),
    ]
    assert [(t.language, t.title) for t in tracks[1:]] == [(None, "Empty"), ("eng", None)]
    assert [(t.rate_hz, t.channels, t.taken) for t in tracks[1:]] == [
        (16_000, 1, True),
        (16_000, 1, False),
    ]
    assert run(["probe", str(two_tracks), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [track["index"] for track in told["tracks"]] == [0, SILENT, SPEECH]
    assert run(["probe", str(two_tracks)]) == 0
    assert "audio, aac, eng, 16000 Hz, 1 channel" in capsys.readouterr().out


def test_a_track_is_read_by_its_index(two_tracks):
    assert loudest(read_audio(two_tracks)) == 0
    assert loudest(read_audio(two_tracks, SPEECH)) > 0.1
    blocks = np.concatenate(list(stream_audio(two_tracks, 0.3, audio_track=SPEECH)))
    assert np.array_equal(blocks, read_audio(two_tracks, audio_track=SPEECH))


@pytest.mark.parametrize("index", [0, 3, -1])
def test_a_track_that_is_not_there_is_told_with_those_that_are(index, two_tracks):
    with pytest.raises(ValueError, match=f"no sound track {index}; expected 1 or 2"):
        read_audio(two_tracks, index)


def test_a_transcript_says_which_track_was_taken(two_tracks, pipeline):
    silent = pipeline.transcribe(two_tracks)
    assert silent.text == ""
    assert silent.sound_note is not None and "1 (flac, 'Empty') was taken and is silent" in (
        silent.sound_note
    )
    assert "2 (aac, eng) is not: take it with --audio-track 2" in silent.sound_note
    spoken = pipeline.transcribe(two_tracks, audio_track=SPEECH)
    assert spoken.text.startswith("Today")
    assert spoken.sound_note == (
        "track 2 (aac, eng) was taken; there is also 1 (flac, 'Empty') (--audio-track)"
    )
    assert spoken.to_dict()["sound_note"] == spoken.sound_note
    streamed = pipeline.stream(two_tracks, audio_track=SPEECH)
    assert [part.text for part in streamed] == [part.text for part in spoken.segments]


def test_one_track_needs_no_word(demo_clip, pipeline):
    assert describe_choice(demo_clip) is None
    assert "sound_note" not in pipeline.transcribe(demo_clip).to_dict()
    with pytest.raises(ValueError, match="beside a waveform"):
        pipeline.transcribe(np.zeros(16_000, np.float32), audio_track=1)


def test_the_command_says_it_on_stderr(two_tracks, capsys):
    assert run(["transcribe", str(two_tracks), "--no-video"]) == 0
    assert "take it with --audio-track 2." in capsys.readouterr().err
    assert run(["transcribe", str(two_tracks), "--no-video", "--audio-track", "2"]) == 0
    assert "Sound: track 2 (aac, eng) was taken" in capsys.readouterr().err
    assert run(["transcribe", str(two_tracks), "--audio-track", "7"]) == 2


def test_previews_and_crops_hear_the_track_that_was_asked_for(two_tracks, tmp_path):
    seen = Transcript("", 8.7, "none", False, "", (), ())
    write_preview(two_tracks, seen, tmp_path / "seen.mp4", audio_track=SPEECH)
    assert loudest(read_audio(tmp_path / "seen.mp4")) > 0.1
    paths, ready = (tmp_path / "m.mp4", tmp_path / "m.json"), ReadyMouth(box=(90, 50, 60, 60))
    assert write_mouths(two_tracks, *paths, ready, audio_track=SPEECH)["frames"] > 200
    with pytest.raises(ValueError, match="no sound track 9"):
        write_mouths(two_tracks, *paths, ready, audio_track=9)


def test_crops_of_a_silent_track_name_the_other(two_tracks, tmp_path):
    paths, ready = (tmp_path / "m.mp4", tmp_path / "m.json"), ReadyMouth(box=(90, 50, 60, 60))
    note = write_mouths(two_tracks, *paths, ready)["sound_note"]
    assert "is silent" in note and f"--audio-track {SPEECH}" in note
    assert (
        "is silent" not in write_mouths(two_tracks, *paths, ready, audio_track=SPEECH)["sound_note"]
    )


def test_prepared_clips_and_mixtures_keep_their_track(two_tracks, tmp_path):
    clip = Clip("a", str(two_tracks), text="today", audio_track=SPEECH)
    assert prepare([clip], tmp_path / "clips", 1).failed == {}
    [found] = read_manifest(tmp_path / "clips/manifest.jsonl")
    assert found.audio_track == SPEECH
    assert loudest(load_sample(found, tmp_path / "clips").waveform) > 0.1
    assert "audio_track" not in Clip("b", "b.wav").to_json()


def test_mixing_a_silent_track_names_the_other(two_tracks, demo_clip, tmp_path):
    assert prepare([Clip("a", str(two_tracks))], tmp_path / "clips", 1).failed == {}
    (tmp_path / "noise/voices").mkdir(parents=True)
    (tmp_path / "noise/voices/one.mp4").write_bytes(demo_clip.read_bytes())
    options = MixOptions(("sidespeaker",), (0.0,))
    mixed = mix_manifest(tmp_path / "clips", tmp_path / "out", options, tmp_path / "noise")
    assert mixed.mixtures == 0
    assert all("take it with --audio-track 2" in reason for reason in mixed.failed.values())
    again = mix_manifest(
        tmp_path / "clips", tmp_path / "again", options, tmp_path / "noise", audio_track=SPEECH
    )
    assert (again.mixtures, again.failed) == (1, {})
