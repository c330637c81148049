"""The length of a transcript is that of what was decoded, and no time lies past it."""

import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from data_prep.media import read_audio
from tasks.avsr import AVSROptions, AVSRPipeline, Transcript


@pytest.fixture(scope="module")
def pipeline() -> AVSRPipeline:
    return AVSRPipeline("whisper-tiny.en", device="cpu")


@pytest.fixture(scope="module")
def cut_mp3(demo_clip, tmp_path_factory) -> Path:
    """The demo clip's sound, of which the first 60 % were downloaded; its header claims all."""
    whole = tmp_path_factory.mktemp("cut") / "whole.mp3"
    with av.open(str(demo_clip)) as media, av.open(str(whole), "w") as container:
        stream = container.add_stream("libmp3lame", rate=16_000, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", 16_000)
        for frame in media.decode(audio=0):
            for ready in resampler.resample(frame):
                container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    path = whole.with_name("cut.mp3")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    return path


def last_s(found: Transcript) -> float:
    words = [word.end_s for segment in found.segments for word in segment.words]
    return max(words + [part.end_s for part in (*found.segments, *found.faces)])


@pytest.mark.parametrize("voice_activity", [True, False])
def test_a_cut_download_is_as_long_as_what_came(voice_activity, pipeline, cut_mp3):
    pipeline = AVSRPipeline("whisper-tiny.en", options=replace(AVSROptions(), words=True,
        voice_activity=voice_activity))  # fmt: skip
    found = pipeline.transcribe(cut_mp3)
    assert found.duration_s == pytest.approx(len(read_audio(cut_mp3)) / 16_000, abs=0.001)
    assert 4.5 < found.duration_s < 6
    assert 2 < last_s(found) <= found.duration_s
    assert json.loads(json.dumps(found.to_dict()))["duration_s"] == found.duration_s


def test_pictures_that_outlast_the_sound_count(pipeline, demo_clip):
    found = pipeline.transcribe(demo_clip)
    assert found.duration_s >= len(read_audio(demo_clip)) / 16_000 - 0.001
    assert last_s(found) <= found.duration_s
    alone = AVSRPipeline("whisper-tiny.en", options=AVSROptions(video=False))
    heard_s = len(read_audio(demo_clip)) / 16_000
    assert alone.transcribe(demo_clip).duration_s == pytest.approx(heard_s, abs=0.001)
