"""Every audio encoder keeps the contract, and is found by name, folder or hub id."""

import shutil

import pytest
import torch
from torch import nn

from modalities.audio.ast import AstEncoder, random_ast
from modalities.audio.audio_encoder import AudioEncoder
from modalities.audio.clap import ClapAudioEncoder, random_clap
from modalities.catalog import AUDIO_ENCODERS, load_audio_encoder
from modalities.speech.whisper_audio_encoder import WhisperAudioEncoder
from modalities.speech.whisper_files import offline_folder

from .conftest import build_small

RATE_HZ = 16_000


def small_ast() -> AstEncoder:
    return random_ast(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
    )


def small_clap() -> ClapAudioEncoder:
    return random_clap(
        patch_embeds_hidden_size=8, depths=(1, 1), num_attention_heads=(1, 2), hidden_size=16
    )


def small_whisper() -> WhisperAudioEncoder:
    return WhisperAudioEncoder(build_small())


BUILDERS = {"ast": small_ast, "clap": small_clap, "whisper": small_whisper}
TOKENS = {"ast": 110, "clap": 1024, "whisper": 50}  # of one second


@pytest.fixture(params=BUILDERS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def encoder(kind) -> AudioEncoder:
    return BUILDERS[kind]()


def clips(*lengths: int, samples: int = RATE_HZ) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    waveform = torch.zeros(len(lengths), samples)
    for row, length in zip(waveform, lengths, strict=True):
        row[:length] = 0.1 * torch.randn(length, generator=generator)
    return waveform, torch.tensor(lengths)


def test_shapes(kind, encoder):
    inputs, mask = encoder.prepare(*clips(16_000, 9_000))
    assert len(inputs) == 2 and inputs.dtype == torch.float32 and not inputs.requires_grad
    assert mask.dtype == torch.bool and mask.ndim == 2
    features = encoder(inputs, mask)
    assert features.values.shape == (2, TOKENS[kind], encoder.dim)
    assert features.mask.shape == (2, TOKENS[kind]) and features.mask.dtype == torch.bool
    assert features.mask[:, : encoder.special_tokens].all()
    assert features.rate_hz == (50 if kind == "whisper" else 0)


def test_states_and_the_last_normalisation_are_the_encoder(encoder):
    prepared = encoder.prepare(*clips(16_000, 9_000))
    states, features = encoder.states(*prepared), encoder(*prepared)
    assert isinstance(encoder.final_norm, nn.LayerNorm)
    assert any(encoder.final_norm is module for module in encoder.modules())
    assert torch.equal(encoder.final_norm(states.values), features.values)
    assert torch.equal(states.mask, features.mask)
    assert not torch.allclose(states.values, features.values)


def test_stays_frozen_and_in_evaluation_mode(encoder):
    encoder.train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_gradients_flow_to_the_inputs(encoder):
    inputs, mask = encoder.prepare(*clips(16_000))
    inputs.requires_grad_()
    encoder(inputs, mask).values.square().mean().backward()
    assert inputs.grad is not None and inputs.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_a_batch_of_two_is_two_batches_of_one(encoder):
    waveform, lengths = clips(16_000, 9_000)
    together = encoder(*encoder.prepare(waveform, lengths))
    for row in range(2):
        one = slice(row, row + 1)
        alone = encoder(*encoder.prepare(waveform[one], lengths[one]))
        torch.testing.assert_close(together.values[one], alone.values, atol=1e-4, rtol=1e-4)
        assert torch.equal(together.mask[one], alone.mask)


def test_what_lies_beyond_a_clip_is_not_heard(encoder):
    waveform, lengths = clips(9_000)
    noisy = waveform.clone()
    noisy[:, 9_000:] = 1.0
    for found, expected in zip(
        encoder.prepare(noisy, lengths), encoder.prepare(waveform, lengths), strict=True
    ):
        assert torch.equal(found, expected)


def test_blocks_can_be_found_by_their_class(kind, encoder):
    names = {"ast": "ASTLayer", "clap": "ClapAudioLayer", "whisper": "WhisperEncoderLayer"}
    found = [m for m in encoder.modules() if type(m).__name__ == names[kind]]
    assert len(found) == 2


def test_weights_have_one_name_each(encoder):
    names = [name for name, _ in encoder.named_parameters(remove_duplicate=False)]
    assert len(names) == len(list(encoder.parameters()))
    assert set(names) <= set(encoder.state_dict())


@pytest.mark.parametrize("samples", [16_000, 15_999, 401, 479_999, 480_000])
def test_whisper_takes_windows_of_any_length(samples):
    encoder = small_whisper()
    inputs, mask = encoder.prepare(*clips(samples, min(samples, 401), samples=samples))
    features = encoder(inputs, mask)
    assert features.values.shape[1] == -(-samples // 320)
    assert features.mask.sum(1).tolist() == [-(-samples // 320), 2]


def test_whisper_hears_what_its_extractor_hears():
    from transformers import WhisperFeatureExtractor

    encoder = small_whisper()
    waveform, lengths = clips(50_000, samples=480_000)
    inputs, mask = encoder.prepare(waveform, lengths)
    extractor = WhisperFeatureExtractor()
    expected = extractor(waveform[0, :50_000].numpy(), sampling_rate=RATE_HZ, return_tensors="pt")
    torch.testing.assert_close(inputs, expected.input_features, atol=1e-5, rtol=0)
    with torch.no_grad():
        found = encoder(inputs, mask).values
        wanted = encoder.encoder.encoder(inputs).last_hidden_state
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_wrong_clips_are_told(kind, encoder):
    good = torch.zeros(2, 8000)
    wrong = [
        (good[0], torch.tensor([8000])),
        (good, torch.tensor([8000])),
        (good, torch.tensor([0, 8000])),
        (good, torch.tensor([8000, 8001])),
        (good[:0], torch.tensor([], dtype=torch.long)),
    ]
    for waveform, lengths in wrong:
        with pytest.raises(ValueError, match="expect"):
            encoder.prepare(waveform, lengths)
    if kind == "ast":
        assert encoder.max_s == float("inf")
        with pytest.raises(ValueError, match="399 to 8000 samples.*at least 400"):
            encoder.prepare(good, torch.tensor([399, 8000]))
    else:
        samples = round(encoder.max_s * RATE_HZ) + 1
        with pytest.raises(ValueError, match=f"takes up to {encoder.max_s:g} s"):
            encoder.prepare(torch.zeros(1, samples), torch.tensor([8000]))


def test_offline_whisper_by_name_and_folder(tmp_path):
    encoder = load_audio_encoder("whisper-tiny.en")
    assert isinstance(encoder, WhisperAudioEncoder)
    assert (encoder.name, encoder.dim, encoder.max_s) == ("whisper-tiny.en", 384, 30.0)
    assert isinstance(load_audio_encoder(offline_folder()), WhisperAudioEncoder)


def test_folders_are_told_apart_by_their_config(tmp_path):
    for kind, builder in (("ast", small_ast), ("clap", small_clap)):
        builder().model.save_pretrained(tmp_path / kind)
        encoder = load_audio_encoder(tmp_path / kind)
        assert isinstance(encoder, type(builder()))
        assert encoder.name == str(tmp_path / kind)


def test_hub_ids_are_told_apart_by_their_config(monkeypatch, tmp_path):
    import huggingface_hub

    small_ast().model.save_pretrained(tmp_path)
    asked = []

    def download(repository, allow_patterns, **_):
        asked.append((repository, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    encoder = load_audio_encoder("someone/clap-whisper")
    assert isinstance(encoder, AstEncoder) and encoder.name == "someone/clap-whisper"
    assert asked[0] == ("someone/clap-whisper", ["config.json"]) and len(asked) == 2


def test_a_folder_wins_over_a_name(monkeypatch, tmp_path):
    small_clap().model.save_pretrained(tmp_path / "ast-random")
    monkeypatch.chdir(tmp_path)
    assert isinstance(load_audio_encoder("ast-random"), ClapAudioEncoder)
    shutil.rmtree(tmp_path / "ast-random")
    assert "ast-random" in AUDIO_ENCODERS


def test_bad_names_are_one_line(monkeypatch, tmp_path):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("several\nlines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "empty").mkdir()
    cases = {
        "ast": "No audio encoder 'ast'.*ast-audioset.*clap-htsat-unfused.*whisper-tiny",
        "someone/model": "'someone/model'.*cannot be downloaded",
        "ast-audioset": "MIT/ast-finetuned-audioset.*give a folder",
        "clap-htsat-unfused": "laion/clap-htsat-unfused.*give a folder",
        str(tmp_path / "bert"): "type 'bert'; expected one of audio-spectrogram-transformer, clap",
        str(tmp_path / "empty"): "holds neither model.bin nor config.json",
    }
    for name, message in cases.items():
        with pytest.raises(ValueError, match=message) as error:
            load_audio_encoder(name)
        assert "\n" not in str(error.value)
