"""CLAP's audio tower is that of transformers, from the spectrogram on."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from modalities.audio.clap import ClapAudioEncoder, load_clap_audio, random_clap
from modalities.audio.clap_log_mel import ClapLogMel
from modalities.audio.resample import resample

TINY = {
    "patch_embeds_hidden_size": 8,
    "depths": (1, 2),
    "num_attention_heads": (1, 2),
    "hidden_size": 16,
}
EXTRACTOR = {"frequency_min": 50, "frequency_max": 14_000, "truncation": "rand_trunc"}


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def extract(clip: np.ndarray, **options) -> torch.Tensor:
    extractor = ClapFeatureExtractor(**(EXTRACTOR | options))
    return extractor(clip, sampling_rate=48_000, return_tensors="pt").input_features[0, 0]


@pytest.fixture(scope="module")
def tiny() -> ClapAudioEncoder:
    return random_clap(**TINY)


@pytest.fixture
def saved(tmp_path):
    """A folder with a whole CLAP, and its audio tower."""
    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 50,
    }
    config = ClapConfig(text_config=text, audio_config=TINY, projection_dim=8)
    model = ClapModel(config).eval()
    for parameter in model.parameters():  # no bias or gain may go unnoticed
        parameter.data.normal_(std=0.1)
    model.save_pretrained(tmp_path)
    return tmp_path, model.audio_model


@pytest.mark.parametrize("samples", [480_000, 479_999, 240_001, 158_400, 48_000, 100])
def test_spectrogram_equals_the_extractor(samples):
    clip = noise(samples)
    found, mask = ClapLogMel()(torch.from_numpy(clip)[None], torch.tensor([samples]))
    assert found.shape == (1, 1001, 64) and mask.shape == (1, 1001)
    torch.testing.assert_close(found[0], extract(clip), atol=1e-4, rtol=0)
    assert mask.sum() == -(-(480_000 // samples * samples) // 480) or mask.all()


def test_spectrogram_of_real_speech(demo_clip):
    from data_prep.media import read_audio

    sound = resample(torch.from_numpy(read_audio(demo_clip)), 16_000, 48_000)[:300_000]
    found, _ = ClapLogMel()(sound[None], torch.tensor([len(sound)]))
    torch.testing.assert_close(found[0], extract(sound.numpy()), atol=1e-4, rtol=0)


def test_a_batch_of_lengths_is_prepared_as_each_clip_alone(tiny):
    clips = [torch.from_numpy(noise(n, n)) for n in (160_000, 30_000, 7)]
    filled = torch.zeros(3, 160_000)
    for row, clip in zip(filled, clips, strict=True):
        row[: len(clip)] = clip
    inputs, mask = tiny.prepare(filled, torch.tensor([len(clip) for clip in clips]))
    assert inputs.shape == (3, 1, 1001, 64)
    for found, real, clip in zip(inputs, mask, clips, strict=True):
        expected = extract(resample(clip, 16_000, 48_000).numpy())
        torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=0)
        assert real.sum() >= 901


def test_values_are_the_last_map_of_transformers(tiny):
    waveform = torch.from_numpy(noise(96_000)).view(2, -1)
    inputs, mask = tiny.prepare(waveform, torch.tensor([48_000, 20_000]))
    with torch.no_grad():
        features = tiny(inputs, mask)
        expected = tiny.model(inputs).last_hidden_state  # [batch, dim, bands, times]
    assert features.values.shape == (2, 1024, 16) and features.rate_hz == 0
    torch.testing.assert_close(features.values, expected.flatten(2).mT, atol=1e-5, rtol=0)


def test_the_mask_tells_where_sound_is(tiny):
    waveform = torch.from_numpy(noise(96_000))[None]  # 6 s, which fit once into 10
    features = tiny(*tiny.prepare(waveform, torch.tensor([96_000])))
    grid = features.mask.view(8, 128)
    assert torch.equal(grid[0], grid[7])
    assert grid[0, :77].all() and not grid[0, 77:].any()


def test_true_shape():
    encoder = random_clap(depths=(1, 1, 1, 1))
    assert (encoder.name, encoder.dim, encoder.max_s) == ("clap-random", 768, 10.0)
    mask = torch.ones(1, 1001, dtype=torch.bool)
    with torch.no_grad():
        assert encoder(torch.zeros(1, 1, 1001, 64), mask).values.shape == (1, 64, 768)


def assert_same_outputs(encoder: ClapAudioEncoder, tower) -> None:
    inputs = torch.randn(1, 1, 1001, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = encoder(inputs, torch.ones(1, 1001, dtype=torch.bool)).values
        expected = tower(inputs).last_hidden_state.flatten(2).mT
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_folders_of_a_whole_clap_and_of_its_tower(saved):
    folder, tower = saved
    assert_same_outputs(load_clap_audio(folder), tower)
    tower.save_pretrained(folder / "tower")
    assert_same_outputs(load_clap_audio(folder / "tower"), tower)


def test_the_front_end_of_a_folder_is_taken(saved):
    folder, _ = saved
    ClapFeatureExtractor(**(EXTRACTOR | {"frequency_min": 200})).save_pretrained(folder)
    filters = load_clap_audio(folder).log_mel.filters
    assert torch.equal(filters, ClapLogMel(low_hz=200).filters)


def test_a_folder_that_lacks_a_weight(saved):
    folder, _ = saved
    weights = load_file(folder / "model.safetensors")
    del weights["audio_model.audio_encoder.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="lacks the weight audio_encoder.norm.weight"):
        load_clap_audio(folder)


def test_fusion_is_refused(saved):
    with pytest.raises(ValueError, match="enable_fusion on.*clap-htsat-unfused"):
        random_clap(enable_fusion=True, fusion_type="aff_2d", **TINY)


def test_bad_names_are_one_line(monkeypatch, tmp_path):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("several\nlines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    cases = {
        "clap": "No model 'clap'.*clap-htsat-unfused",
        "clap-htsat-unfused": "laion/clap-htsat-unfused.*give a folder",
        str(tmp_path): "'whisper' .*; expected a model of type clap or clap_audio_model",
    }
    for name, message in cases.items():
        with pytest.raises(ValueError, match=message) as error:
            load_clap_audio(name)
        assert "\n" not in str(error.value)


def test_wrong_inputs_are_told(tiny):
    mask = torch.ones(1, 1001, dtype=torch.bool)
    for shape in ((1, 1001, 64), (1, 4, 1001, 64), (1, 1, 1000, 64)):
        with pytest.raises(ValueError, match=r"expects \[batch, 1, 1001, 64\]"):
            tiny.states(torch.zeros(shape), mask)
