"""The whole road, on the demo clip and on sounds without speech."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.media import read_audio, stream_video
from modalities.audio.resample import resample
from tasks.avsr import AVSROptions, AVSRPipeline
from tasks.avsr.inputs.media import ReadyMouth
from tasks.avsr.sets.contract import Recognised

SAID = (
    "today after two years of negotiations the united states together with our "
    "international partners has achieved some"
).split()


@pytest.fixture(scope="module")
def pipeline(engine_name):
    return AVSRPipeline("whisper-tiny.en", device="cpu", engine=engine_name)


@pytest.fixture(scope="module")
def plain():
    options = AVSROptions(voice_activity=False, video=False)
    return AVSRPipeline("whisper-tiny.en", device="cpu", options=options)


@pytest.fixture(scope="module")
def transcript(pipeline, demo_clip):
    return pipeline.transcribe(demo_clip)


def word_errors(text: str, expected: list[str]) -> int:
    """Count the edits between texts without punctuation and case."""
    words = "".join(c if c.isalnum() or c.isspace() else "" for c in text.lower()).split()
    row = list(range(len(expected) + 1))
    for i, word in enumerate(words, start=1):
        previous, row[0] = row[0], i
        for j, other in enumerate(expected, start=1):
            change = previous + (word != other)
            previous, row[j] = row[j], min(change, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def test_the_demo_clip_is_understood(transcript):
    assert word_errors(transcript.text, SAID) <= 2


def test_the_man_at_the_lectern_talks_and_the_silent_one_does_not(transcript):
    centres = {face.box[0] + face.box[2] / 2: face.chosen for face in transcript.faces}
    assert [x for x, chosen in centres.items() if chosen and 185 <= x <= 210]
    assert not [x for x, chosen in centres.items() if chosen and not 185 <= x <= 210]
    assert [x for x, chosen in centres.items() if not chosen and 75 <= x <= 90]


def test_segments_carry_the_face_that_says_them(transcript):
    chosen = {face.track for face in transcript.faces if face.chosen}
    assert {segment.track for segment in transcript.segments} == chosen


def test_each_of_two_who_take_turns_says_its_own_words(pipeline, demo_clip):
    pictures = np.stack([frame.gray() for frame in stream_video(demo_clip)])
    still = np.repeat(pictures[100:101], len(pictures), axis=0)
    early = (np.arange(len(pictures)) < 100)[:, None, None]
    left, right = np.where(early, pictures, still), np.where(early, still, pictures)
    found = pipeline.transcribe(read_audio(demo_clip), np.concatenate([left, right], axis=2))
    sides = {face.track: face.box[0] < 320 for face in found.faces}
    for segment in found.segments:
        assert sides[segment.track] == (segment.start_s < 3.9)
    assert {sides[face.track]: face.talks for face in found.faces if face.chosen}.keys() == {
        True,
        False,
    }
    assert [s["face"] for s in found.to_dict()["segments"]] == [s.track for s in found.segments]
    assert " ".join(segment.text for segment in found.segments) == found.text


def test_times_rise_and_stay_inside_the_input(transcript):
    times = [t for s in transcript.segments for t in (s.start_s, s.end_s)]
    assert times == sorted(times)
    assert 0 <= times[0] and times[-1] <= transcript.duration_s + 0.1


def test_without_adapter_sets_video_is_not_used_and_says_so(transcript):
    assert not transcript.video_used
    assert "no adapter set" in transcript.video_note


def test_with_video_and_without_the_text_is_the_same(pipeline, plain, demo_clip, transcript):
    sound = read_audio(demo_clip)
    assert pipeline.transcribe(sound).text == transcript.text
    with_video = AVSRPipeline(device="cpu", options=AVSROptions(voice_activity=False))
    assert with_video.transcribe(demo_clip).text == plain.transcribe(demo_clip).text


def test_streaming_yields_the_same_segments(pipeline, demo_clip, transcript):
    streamed = list(pipeline.stream(demo_clip))
    assert [s.text for s in streamed] == [s.text for s in transcript.segments]
    sound = read_audio(demo_clip)
    blocks = (sound[i : i + 4000] for i in range(0, len(sound), 4000))
    assert " ".join(s.text for s in pipeline.stream(blocks)) == transcript.text


def test_other_rates_are_resampled_at_once_and_in_blocks(pipeline, demo_clip):
    sound = torch.from_numpy(read_audio(demo_clip))
    fast = resample(sound, 16_000, 44_100).numpy()
    at_once = pipeline.transcribe(fast, rate_hz=44_100)
    assert word_errors(at_once.text, SAID) <= 2
    assert at_once.duration_s == pytest.approx(len(sound) / 16_000, abs=1e-3)
    blocks = (fast[i : i + 4410] for i in range(0, len(fast), 4410))
    streamed = " ".join(s.text for s in pipeline.stream(blocks, rate_hz=44_100))
    assert streamed == at_once.text


def test_arrays_with_pictures_find_the_same_faces(pipeline, demo_clip, transcript):
    pictures = np.stack([frame.rgb() for frame in stream_video(demo_clip)])
    found = pipeline.transcribe(read_audio(demo_clip), video=pictures)
    assert [face.chosen for face in found.faces] == [face.chosen for face in transcript.faces]


def test_a_fixed_box_stands_in_for_the_detector(pipeline, demo_clip):
    found = pipeline.transcribe(demo_clip, ready=ReadyMouth(box=(180, 60, 40, 30)))
    assert found.faces == ()


@pytest.mark.parametrize("kind", ["silence", "noise", "tones"])
def test_a_minute_without_speech_gives_no_text(pipeline, kind):
    time_s = np.arange(60 * 16_000) / 16_000
    rng = np.random.default_rng(0)
    sound = {
        "silence": np.zeros_like(time_s),
        "noise": rng.normal(0, 0.1, len(time_s)),
        "tones": 0.2 * np.sin(2 * np.pi * 220 * 2 ** (np.floor(time_s * 2) % 12 / 12) * time_s),
    }[kind]
    assert pipeline.transcribe(sound.astype(np.float32)).text == ""


def test_a_minute_of_music_gives_no_text(pipeline, shared_data):
    for path in sorted((shared_data / "noise/music").glob("*.ogg")):
        sound = np.resize(read_audio(path), 60 * 16_000)
        assert pipeline.transcribe(sound).text == "", path.name


def test_known_speech(pipeline, shared_data):
    jfk = pipeline.transcribe(shared_data / "speech/jfk.flac").text
    assert (
        word_errors(
            jfk,
            "and so my fellow americans ask not what your country can do for you "
            "ask what you can do for your country".split(),
        )
        == 0
    )
    chivalry = pipeline.transcribe(shared_data / "speech/libri_3436-172162-0000.ogg").text
    assert len(chivalry.split()) > 20


def test_speech_between_long_silences_is_found_at_its_time(pipeline, demo_clip, transcript):
    sound = read_audio(demo_clip)
    gap = np.zeros(40 * 16_000, np.float32)
    found = pipeline.transcribe(np.concatenate([gap, sound, gap, sound]))
    assert word_errors(found.text, SAID + SAID) <= 6
    assert found.segments[0].start_s == pytest.approx(40 + transcript.segments[0].start_s, abs=1)


class Recorder:
    """Adapter sets that write down what reaches them, and know what they are told to."""

    def __init__(self, *known: str | None, agreement: float | None = 0.9, used: bool = True):
        self.known, self.seen = known, []
        self.looked = {"agreement": agreement, "video_used": used}

    def recognise(self, utterances):
        return [self._recognise(utterance) for utterance in utterances]

    def _recognise(self, utterance):
        self.seen.append(utterance)
        text = self.known[min(len(self.seen), len(self.known)) - 1]
        heard = Recognised("babble", -5.0, 2.0)
        return heard if text is None else replace(heard, adapter_set="a", text=text, **self.looked)


def test_sets_that_abstain_leave_plain_whisper_to_the_bit(demo_clip, transcript):
    recorder = Recorder(None)
    found = AVSRPipeline(device="cpu", adapter_sets=recorder).transcribe(demo_clip)
    plain = [replace(s, scenario="babble", snr_db=-5.0) for s in transcript.segments]
    assert list(found.segments) == plain
    assert not found.video_used
    assert "no adapter set knows the sound" in found.video_note


def test_sets_get_pieces_with_their_mouths(demo_clip):
    recorder = Recorder("one", "two", None)
    found = AVSRPipeline(device="cpu", adapter_sets=recorder).transcribe(demo_clip)
    assert len(recorder.seen) >= 3
    for utterance in recorder.seen:
        assert len(utterance.waveform) <= 51_200
        assert abs(len(utterance.crops) - len(utterance.waveform) / 640) <= 2
        assert utterance.mask.mean() > 0.9
    first, second, *rest = found.segments
    assert (first.text, second.text) == ("one", "two")
    assert (first.adapter_set, first.scenario, first.agreement) == ("a", "babble", 0.9)
    assert first.end_s <= second.start_s and second.end_s <= rest[0].start_s + 0.5
    assert rest and all(segment.adapter_set is None for segment in rest)
    assert found.video_used


def test_a_short_clip_goes_to_the_sets_whole(demo_clip):
    recorder = Recorder("all of it")
    waveform = read_audio(demo_clip)[:48_000]
    video = np.zeros((75, 96, 96), np.uint8)
    found = AVSRPipeline(device="cpu", adapter_sets=recorder).transcribe(waveform, video)
    assert [len(u.waveform) for u in recorder.seen] == [48_000]
    assert found.text == "all of it"


HISS = np.random.default_rng(0).normal(0, 0.05, 48_000).astype(np.float32)


@pytest.mark.parametrize(
    ("recorder", "said"),
    [
        (Recorder("set blue", agreement=0.0, used=False), ""),
        (Recorder("set blue", agreement=0.5), ""),
        (Recorder("set blue", agreement=None, used=False), ""),
        (Recorder(None), ""),
        (Recorder("set blue", agreement=0.9), "set blue"),
    ],
    ids=["they disagree", "they hardly agree", "no lips", "unknown", "they agree"],
)
def test_without_detected_speech_lips_have_to_belong_to_the_sound(recorder, said):
    video = np.zeros((75, 96, 96), np.uint8)
    found = AVSRPipeline(device="cpu", adapter_sets=recorder).transcribe(HISS, video)
    assert found.text == said and found.video_used == bool(said)


def test_video_used_means_that_the_text_rests_on_the_lips(demo_clip):
    waveform, video = read_audio(demo_clip)[:48_000], np.zeros((75, 96, 96), np.uint8)
    recorder = Recorder("all of it", agreement=0.1, used=False)
    found = AVSRPipeline(device="cpu", adapter_sets=recorder).transcribe(waveform, video)
    assert found.text == "all of it" and not found.video_used
    assert not any(segment.video_used for segment in found.segments)


@pytest.mark.parametrize("gain_db", [-50, -40, 20])
def test_text_and_times_do_not_depend_on_the_volume(pipeline, demo_clip, transcript, gain_db):
    gain = np.float32(10 ** (gain_db / 20))
    found = pipeline.transcribe(read_audio(demo_clip) * gain + gain / 20)
    assert found.text == transcript.text
    for mine, theirs in zip(found.segments, transcript.segments, strict=True):
        assert mine.start_s == pytest.approx(theirs.start_s, abs=0.1)
        assert mine.end_s == pytest.approx(theirs.end_s, abs=0.1)


def test_blocks_of_any_shape_and_size_are_one_stream(pipeline, demo_clip):
    sound = read_audio(demo_clip)
    expected = pipeline.transcribe(sound).segments
    starts = range(0, len(sound), 1_600)
    blocks = [sound[start : start + 1_600] for start in starts]
    empty = np.zeros(0, np.float32)
    for given in (
        [*blocks[:20], empty, *blocks[20:], empty],
        [*blocks[:9], np.zeros((0, 1), np.float32), *[block[:, None] for block in blocks[9:]]],
        [np.stack([block, -block / 9], axis=1) for block in blocks],
        [(block[None] * 2**15).astype(np.int16) for block in blocks],
    ):
        found = list(pipeline.stream(iter(given)))
        assert [s.text for s in found] == [s.text for s in expected]
    assert list(pipeline.stream(iter(blocks))) == list(expected)


def test_nothing_of_a_sentence_said_four_times_is_lost_and_no_text_outlasts_its_words(
    pipeline, demo_clip
):
    sound = read_audio(demo_clip)
    found = pipeline.transcribe(np.concatenate([sound, sound, sound, sound]))
    for word in ("years", "united", "international", "achieved"):
        assert found.text.lower().count(word) == 4
    for segment in found.segments:
        assert segment.start_s == segment.words[0].start_s
        assert segment.end_s == segment.words[-1].end_s


def test_without_video_sets_are_not_asked(demo_clip, transcript):
    recorder = Recorder("no")
    pipeline = AVSRPipeline(device="cpu", adapter_sets=recorder)
    found = pipeline.transcribe(read_audio(demo_clip))
    assert not recorder.seen and not found.video_used
    assert found.text == transcript.text


def test_bad_arrays_are_errors(pipeline):
    with pytest.raises(ValueError, match="NaN"):
        pipeline.transcribe(np.full(16_000, np.nan, np.float32))
    with pytest.raises(ValueError, match="shape"):
        pipeline.transcribe(np.zeros((64, 16_000), np.float32))
    with pytest.raises(ValueError, match="rates are positive"):
        pipeline.transcribe(np.zeros(16_000, np.float32), rate_hz=0)
    with pytest.raises(ValueError, match="Pictures"):
        pipeline.transcribe(np.zeros(16_000, np.float32), video=np.zeros((5, 4, 4), np.float32))


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="No device"):
        AVSRPipeline(device="abacus")
    with pytest.raises(ValueError, match="adapter sets"):
        AVSRPipeline(device="cpu", adapter_sets="gird")


def test_a_file_is_read_as_a_stream_is(pipeline, demo_clip):
    """Whose windows are decoded side by side where the engine gains by it."""
    sound = read_audio(demo_clip)
    pauses = [np.zeros(round(s * 16000), np.float32) for s in (0.6, 2.5, 0.7, 0.8, 3.0)]
    long = np.concatenate([part for pause in pauses for part in (sound, pause)])
    read, streamed = pipeline.transcribe(long), list(pipeline.stream(long))
    assert list(read.segments) == streamed and len(streamed) >= 5
    assert word_errors(read.text, 5 * SAID) < len(SAID)  # a fifth


def test_a_pipeline_with_other_options_shares_what_is_loaded(pipeline, transcript, demo_clip):
    other = pipeline.with_options(AVSROptions(language="English", video=False, words=False))
    assert other.language is None and pipeline.language == "en"
    found = other.transcribe(demo_clip)
    assert found.text == transcript.text and other.language == "en"
    assert not any(segment.words for segment in found.segments) and not found.faces
    assert other.speech_network is pipeline.speech_network
    assert other.reader.decoder.engine is pipeline.reader.decoder.engine
    assert pipeline.options.words and pipeline.options.language is None
    with pytest.raises(ValueError, match="English only"):
        pipeline.with_options(AVSROptions(language="de"))


def test_a_stream_tells_how_far_it_is(pipeline, demo_clip):
    told = []
    other = pipeline.with_options(AVSROptions(video=False))
    assert list(other.stream(demo_clip, progress=lambda *done: told.append(done)))
    assert [round(done_s) for done_s, _ in told] == list(range(1, 10)) and told[0][1] > 8


def test_pictures_after_the_last_sound_are_told_of_too(pipeline):
    told, pictures = [], np.zeros((100, 48, 64), np.uint8)
    sound = np.zeros(16_000, np.float32)
    pipeline.transcribe(sound, pictures, progress=lambda *done: told.append(done[0]))
    assert told == [1.0, 2.0, 3.0, 4.0]
