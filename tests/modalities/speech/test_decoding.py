"""Decoding one window gives what transformers' own generation gives."""

import copy

import numpy as np
import pytest
import torch

from modalities.audio.log_mel import LogMel
from modalities.speech.decoding import DecodingOptions, WindowDecoder
from modalities.speech.segments import split_at_timestamps
from modalities.speech.torch_engine import TorchEngine
from modalities.speech.whisper import load_whisper

FIRST = 100  # the token of 0.00 s in the hand-made sequences


def stamp(seconds: float) -> int:
    return FIRST + round(seconds / 0.02)


@pytest.fixture(scope="module")
def whisper():
    return load_whisper("whisper-tiny.en")


@pytest.fixture(scope="module")
def reference(whisper):
    """Transformers' model as it stands, its matrices not laid out anew."""
    return copy.deepcopy(whisper.model)


@pytest.fixture(scope="module")
def decoder(whisper, reference):
    return WindowDecoder(TorchEngine(whisper))


def mel_of(path) -> tuple[np.ndarray, int]:
    from data_prep.media import read_audio

    waveform = torch.from_numpy(read_audio(path))[None]
    log_mel = LogMel(80)
    return log_mel(log_mel.pad(waveform))[0].numpy(), waveform.shape[1] // 160


def own_text(whisper, reference, mel, **settings) -> str:
    torch.manual_seed(0)
    tokens = reference.generate(torch.from_numpy(mel)[None], return_timestamps=True, **settings)[0]
    return whisper.tokenizer.decode(tokens, skip_special_tokens=True)


def text_of(found) -> str:
    return "".join(segment.text for segment in found.segments)


def clips(folder):
    speech = sorted((folder / "speech").iterdir())
    return [*speech, *sorted((folder / "grid/s1").glob("*.mp4"))[:12]]


def test_own_output_is_transformers_greedy_generation(whisper, reference, decoder, demo_clip):
    mel, frames = mel_of(demo_clip)
    found = decoder.decode(mel, frames, own_output=True)
    assert text_of(found) == own_text(whisper, reference, mel)


def test_own_output_on_many_clips(whisper, reference, decoder, shared_data):
    for path in clips(shared_data):
        mel, frames = mel_of(path)
        found = decoder.decode(mel, frames, own_output=True)
        assert text_of(found) == own_text(whisper, reference, mel), path.name


def test_fallback_is_that_of_transformers(whisper, reference, decoder, shared_data):
    settings = dict(
        temperature=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        compression_ratio_threshold=1.35,
        logprob_threshold=-1.0,
        no_speech_threshold=0.6,
        condition_on_prev_tokens=False,
    )
    sampled = 0
    for path in clips(shared_data):
        mel, _ = mel_of(path)
        greedy = text_of(decoder.decode(mel, own_output=True))
        found = text_of(decoder.decode(mel))
        sampled += greedy != found
        assert found == own_text(whisper, reference, mel, **settings), path.name
    assert sampled, "no clip needed the fallback, so nothing was shown"


def test_words_of_a_segment_are_its_text_in_order_and_in_time(decoder, demo_clip):
    mel, frames = mel_of(demo_clip)
    for segment in decoder.decode(mel, frames).segments:
        assert "".join(word.text for word in segment.words) == segment.text
        times = [t for word in segment.words for t in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert segment.start_s <= times[0] and times[-1] <= segment.end_s


def test_word_times_of_a_known_clip(decoder, shared_data):
    mel, frames = mel_of(shared_data / "speech/jfk.flac")
    words = [word for s in decoder.decode(mel, frames).segments for word in s.words]
    starts = {word.text.strip().strip(",."): word.start_s for word in words}
    # Heard and read off the waveform: the pauses before the two "ask" and the last "your".
    assert starts["fellow"] == pytest.approx(1.5, abs=0.25)
    assert starts["Americans"] == pytest.approx(1.8, abs=0.25)
    assert starts["ask"] == pytest.approx(8.1, abs=0.3)
    assert starts["country"] == pytest.approx(10.25, abs=0.25)


def test_another_language_of_an_english_model_is_an_error(whisper):
    with pytest.raises(ValueError, match="'de'.*English"):
        WindowDecoder(TorchEngine(whisper), DecodingOptions(language="de"))


def test_segments_end_at_pairs_of_timestamps():
    tokens = [stamp(0), 5, 6, stamp(2), stamp(2), 7, stamp(4)]
    spans, next_frame = split_at_timestamps(tokens, FIRST, 3000)
    assert [(s.start_s, s.end_s) for s in spans] == [(0, 2), (2, 4)]
    assert next_frame == 3000


def test_unfinished_text_after_a_pair_is_decoded_again():
    tokens = [stamp(0), 5, 6, stamp(2), stamp(2), 7]
    spans, next_frame = split_at_timestamps(tokens, FIRST, 3000)
    assert [(s.start_s, s.end_s) for s in spans] == [(0, 2)]
    assert next_frame == 200


def test_text_without_a_pair_is_one_segment():
    spans, next_frame = split_at_timestamps([stamp(0), 5, stamp(3)], FIRST, 1100)
    assert [(s.start_s, s.end_s) for s in spans] == [(0, 3)]
    assert next_frame == 1100
    spans, _ = split_at_timestamps([stamp(0), 5], FIRST, 1100)
    assert spans[0].end_s == 11
