"""A Whisper is loaded by name, folder or file, and is complete; a mistake is told in one line."""

import dataclasses
import json
import shutil

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from modalities.audio.log_mel import LogMel
from modalities.speech import tokenizer as vocabularies
from modalities.speech import whisper_files as loading
from modalities.speech.alignment_heads import find_heads
from modalities.speech.generation import build_config, build_generation_config
from modalities.speech.whisper import load_whisper
from modalities.speech.whisper_files import offline_folder
from modalities.speech.whisper_names import WHISPERS

TEXT = (
    " Today, after two years of negotiations, the United States, together, were international "
    "partners, Has achieved some."
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Take one thread: on a busy machine a second one slows tiny steps tenfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whisper():
    return load_whisper("whisper-tiny.en")


@pytest.fixture(scope="module")
def demo_mel(demo_clip):
    from data_prep.media import read_audio

    log_mel = LogMel(80)
    return log_mel(log_mel.pad(torch.from_numpy(read_audio(demo_clip))[None]))


def line_of(error) -> str:
    line = str(error.value)
    assert "\n" not in line
    return line


def test_offline_model_is_frozen_and_in_float32(whisper):
    assert whisper.name == "whisper-tiny.en" and whisper.mel_bins == 80
    assert not whisper.model.training
    assert all(p.dtype == torch.float32 for p in whisper.model.parameters())
    assert not any(p.requires_grad for p in whisper.model.parameters())
    assert whisper.model.proj_out.weight is whisper.model.model.decoder.embed_tokens.weight


def test_offline_generation_settings(whisper):
    settings = whisper.model.generation_config
    assert settings.alignment_heads == [
        [1, 0], [2, 0], [2, 5], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4],
    ]  # fmt: skip
    assert len(settings.suppress_tokens) == 90 and settings.begin_suppress_tokens == [220, 50256]
    assert settings.no_timestamps_token_id == 50362 and settings.prev_sot_token_id == 50360
    assert settings.decoder_start_token_id == 50257 and settings.eos_token_id == 50256
    assert settings.is_multilingual is False and settings.max_length == 448
    assert settings.max_initial_timestamp_index == 50
    assert {1, 2, 7, 50257, 50360} <= set(settings.suppress_tokens)
    assert find_heads("tiny.en", whisper.model.config) == tuple(
        tuple(head) for head in settings.alignment_heads
    )


def test_offline_model_transcribes(whisper, demo_mel):
    tokens = whisper.model.generate(demo_mel, return_timestamps=True)[0]
    decode = whisper.tokenizer.decode
    assert decode(tokens, skip_special_tokens=True) == TEXT
    assert decode(tokens, decode_with_timestamps=True).startswith("<|0.00|> Today, after")
    offsets = decode(tokens, output_offsets=True)["offsets"]
    assert offsets[0]["timestamp"] == (0.0, pytest.approx(5.7))
    assert "".join(offset["text"] for offset in offsets) == TEXT


def test_long_form_generation_with_fallback_and_word_times(whisper, demo_mel):
    long = demo_mel.repeat(1, 1, 2)[..., :4500]
    found = whisper.model.generate(
        long,
        attention_mask=torch.ones(1, 4500, dtype=torch.long),
        return_timestamps=True,
        return_segments=True,
        return_token_timestamps=True,
        temperature=(0.0, 0.2),
        compression_ratio_threshold=1.35,
        logprob_threshold=-1.0,
        no_speech_threshold=0.6,
        condition_on_prev_tokens=False,
    )
    segments = found["segments"][0]
    assert len(segments) >= 4 and float(segments[-1]["start"]) > 30
    times = segments[0]["token_timestamps"]
    assert float(times[0]) < float(times[-1]) < 30


def test_encoding_and_decoding_text_gives_it_back(whisper):
    text = " Today, after two years, caf\u00e9 \u4e16\u754c"
    ids = whisper.tokenizer(text, add_special_tokens=False).input_ids
    assert max(ids) < 50256 and whisper.tokenizer.decode(ids) == text


def test_damaged_offline_weights_are_told(monkeypatch):
    monkeypatch.setattr(loading, "OFFLINE_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="SHA-256 1a5afae0.*expected 0000.*force-reinstall"):
        load_whisper("whisper-tiny.en")


def test_folder_wins_over_name(monkeypatch, tmp_path, write_folder):
    folder = write_folder()
    shutil.copytree(folder, tmp_path / "whisper-tiny.en")
    monkeypatch.chdir(tmp_path)
    assert load_whisper("whisper-tiny.en").model.config.d_model == 128


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError) as error:
        load_whisper("whisper-huge")
    assert all(name in line_of(error) for name in ("whisper-huge", *WHISPERS))


@pytest.mark.parametrize("name", ["whisper-base", "someone/whisper", "whisper-tiny.en"])
def test_unreachable_hub_is_one_line(monkeypatch, name):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fail(*_, **__):
        raise LocalEntryNotFoundError("several\nlines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.setattr(loading, "find_offline_folder", lambda: None)
    with pytest.raises(ValueError) as error:
        load_whisper(name)
    assert repr(name) in line_of(error) and "mcgurk[offline]" in line_of(error)


def test_hub_folder_is_loaded_like_any_other(monkeypatch, write_folder):
    import huggingface_hub

    folder = write_folder()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(folder))
    assert load_whisper("Systran/faster-whisper-small").name == "Systran/faster-whisper-small"


def test_offline_folder_without_the_wheel(monkeypatch):
    monkeypatch.setattr(vocabularies, "OFFLINE_PACKAGE", "no_such_wheel")
    with pytest.raises(ValueError, match=r"mcgurk\[offline\]"):
        offline_folder()


def test_weights_without_a_tokenizer(monkeypatch, write_folder):
    monkeypatch.setattr(vocabularies, "OFFLINE_PACKAGE", "no_such_wheel")
    with pytest.raises(ValueError, match="no tokenizer.json.*51864"):
        load_whisper(write_folder())


def test_damaged_tokenizer(write_folder):
    folder = write_folder()
    (folder / "tokenizer.json").write_text('{"added_tokens": []}')
    with pytest.raises(ValueError, match="tokenizer.json"):
        load_whisper(folder)


def test_multilingual_settings(multilingual_tokenizer):
    tokenizer = vocabularies.load_tokenizer(multilingual_tokenizer)
    config = build_config({"vocab_size": 51_865}, tokenizer)
    settings = build_generation_config(config, tokenizer)
    assert config.decoder_start_token_id == 50_258 and config.eos_token_id == 50_257
    assert settings.lang_to_id == {"<|en|>": 50_259, "<|zh|>": 50_260, "<|de|>": 50_261}
    assert settings.task_to_id == {"translate": 50_262, "transcribe": 50_263}
    assert settings.is_multilingual and settings.begin_suppress_tokens == [220, 50_257]
    assert settings.alignment_heads[0] == [2, 0] and len(settings.alignment_heads) == 12


@pytest.fixture
def saved(small_whisper, tmp_path):
    """A transformers folder."""
    small_whisper.save_pretrained(tmp_path)
    shutil.copy(offline_folder() / "tokenizer.json", tmp_path)
    return tmp_path


def test_transformers_folder(small_whisper, saved):
    whisper = load_whisper(saved)
    for name, weight in small_whisper.state_dict().items():
        assert torch.equal(whisper.model.state_dict()[name], weight), name
    settings = whisper.model.generation_config
    assert settings.no_timestamps_token_id == 50362 and settings.alignment_heads
    offline = load_whisper("whisper-tiny.en").model.generation_config
    assert settings.suppress_tokens == offline.suppress_tokens


def test_half_precision_folder_is_float32(small_whisper, saved):
    import copy

    copy.deepcopy(small_whisper).half().save_pretrained(saved)
    assert load_whisper(saved).model.dtype == torch.float32


def test_folder_that_lacks_weights(saved):
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"decoder_layers": 3}))
    with pytest.raises(ValueError, match="lacks the weight model.decoder.layers.2"):
        load_whisper(saved)


def test_damaged_transformers_folders(saved):
    whole = (saved / "model.safetensors").read_bytes()
    for contents in (whole[:-9], b"garbage" * 99):
        (saved / "model.safetensors").write_bytes(contents)
        with pytest.raises(ValueError) as error:
            load_whisper(saved)
        assert str(saved) in line_of(error)
    (saved / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="model.safetensors"):
        load_whisper(saved)


def test_folder_of_another_model(saved):
    (saved / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="bert.*whisper"):
        load_whisper(saved)


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="neither model.bin nor config.json"):
        load_whisper(tmp_path)


def test_checkpoint_of_other_shapes(small_whisper):
    from modalities.speech.checkpoint import Checkpoint, build_model

    weights = dict(small_whisper.state_dict())
    del weights["proj_out.weight"]
    config, settings = small_whisper.config, small_whisper.generation_config
    checkpoint = Checkpoint(config, settings, None, weights)  # type: ignore[arg-type]
    assert isinstance(build_model(checkpoint), WhisperForConditionalGeneration)
    wider = WhisperConfig.from_dict(config.to_dict() | {"encoder_ffn_dim": 64})
    with pytest.raises(ValueError, match=r"shape \[48, 128\]; expected \[64, 128\]"):
        build_model(dataclasses.replace(checkpoint, config=wider))
    with pytest.raises(ValueError, match="lacks weight model.decoder.embed_tokens"):
        rest = {k: v for k, v in weights.items() if "embed_tokens" not in k}
        build_model(dataclasses.replace(checkpoint, weights=rest))
    with pytest.raises(ValueError, match="unknown weight extra"):
        build_model(dataclasses.replace(checkpoint, weights=weights | {"extra": torch.ones(1)}))
