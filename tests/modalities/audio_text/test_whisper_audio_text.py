"""Spoken words by what a frozen Whisper is about to write: its state, and the contract."""

import pytest
import torch
from transformers import WhisperFeatureExtractor

from modalities.audio_text.models import AudioText, load_audio_text, save_audio_text
from modalities.audio_text.whisper_audio_text import (
    FILE,
    WhisperAudioText,
    WhisperAudioTextOptions,
    build_whisper_audio_text,
    find_prompt,
)
from modalities.speech.whisper import load_whisper

NAMES = ["zero", "one", "noise"]


@pytest.fixture(scope="module")
def whisper():
    return load_whisper("whisper-tiny.en")


@pytest.fixture(scope="module")
def model(whisper) -> WhisperAudioText:
    return build_whisper_audio_text(NAMES, loaded=whisper, dim=12, clip_s=0.5, after_s=0.3)


def sound(seconds: float, rows: int = 1, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(rows, round(seconds * 16_000), generator=random)


def test_it_keeps_the_contract(model):
    assert isinstance(model, AudioText) and (model.rate_hz, model.dim) == (16_000, 12)
    for seconds in (1 / 16_000, 0.3, 1.7):
        found = model.embed_audio(sound(seconds, rows=2))
        torch.testing.assert_close(found.norm(dim=-1), torch.ones(2))
    waves = sound(0.4, rows=3).requires_grad_()
    (model.embed_audio(waves) * model.embed_text(NAMES)).sum().backward()
    assert (waves.grad.abs().sum(-1) > 0).all() and torch.isfinite(waves.grad).all()
    assert all(p.grad is None for p in model.parameters())
    for wrong in (torch.zeros(10), torch.zeros(1, 0), torch.zeros(0, 9), torch.zeros(1, 9).int()):
        with pytest.raises(ValueError, match="expected floats, .*samples"):
            model.embed_audio(wrong)


def test_a_short_word_is_followed_by_silence_and_not_said_twice(model):
    waves = sound(0.2)
    padded = torch.nn.functional.pad(waves, (0, 4800))
    torch.testing.assert_close(model.embed_audio(waves), model.embed_audio(padded))


def test_the_state_is_that_of_transformers_before_the_first_word(whisper):
    options = dict(clip_s=29.0, before_s=0.0, after_s=1.0)  # a whole window of Whisper's
    model = build_whisper_audio_text(NAMES, loaded=whisper, **options)
    wave = sound(29.0)
    extractor = WhisperFeatureExtractor(feature_size=80)
    heard = extractor(wave[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        told = whisper.model(
            input_features=heard.input_features,
            decoder_input_ids=torch.tensor([[50257, 50362]]),  # start, no times
            output_hidden_states=True,
        )
        found = model.listener(wave)
    torch.testing.assert_close(found, told.decoder_hidden_states[-1][:, -1], atol=2e-3, rtol=1e-3)


def test_a_whisper_of_many_languages_is_asked_for_english(whisper, monkeypatch):
    assert find_prompt(whisper) == [50257, 50362]
    settings = whisper.model.generation_config
    monkeypatch.setattr(settings, "lang_to_id", {"<|de|>": 3, "<|en|>": 2}, raising=False)
    monkeypatch.setattr(settings, "task_to_id", {"translate": 5, "transcribe": 6}, raising=False)
    assert find_prompt(whisper) == [50257, 2, 6, 50362]


def test_a_file_names_its_whisper_and_holds_what_was_learnt(model, tmp_path):
    save_audio_text(model, tmp_path)
    assert (tmp_path / FILE).stat().st_size < 20_000  # 12 x 385 numbers of 16 bits
    loaded = load_audio_text(tmp_path)
    assert isinstance(loaded, WhisperAudioText) and loaded.name == str(tmp_path)
    waves = sound(0.7, rows=2)
    found = loaded.embed_audio(waves)
    torch.testing.assert_close(found, model.embed_audio(waves), atol=2e-3, rtol=0)
    assert load_audio_text(tmp_path).identity == loaded.identity
    with torch.no_grad():
        loaded.network.bias.add_(1)
    assert load_audio_text(tmp_path).identity != loaded.identity
    with pytest.raises(ValueError, match="does not know the text 'two'; expected one of zero"):
        loaded.embed_text(["two"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"texts": ()}, "texts is empty"),
        ({"texts": ("one", "The sound of one")}, "'one' twice"),
        ({"dim": 0}, "dim 0"),
        ({"clip_s": 0.01}, "0.02 s or more to be heard"),
        ({"clip_s": float("nan")}, "expected 1 or more"),
        ({"before_s": -1.0}, "0 or more around it"),
        ({"clip_s": 29.0}, "31.2 s together; expected 30 at most"),
        ({"after_s": float("inf")}, "expected 30 at most"),
    ],
)
def test_options_that_cannot_be_are_told(changes, told):
    with pytest.raises(ValueError, match=told):
        WhisperAudioTextOptions(**{"texts": ("one",), **changes})
