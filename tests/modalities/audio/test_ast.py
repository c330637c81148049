"""AST is that of transformers, for any number of frames, and positions are never lost."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

from modalities.audio.ast import AstEncoder, fit_positions, load_ast, random_ast

RATE_HZ = 16_000
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
OLD_NAMES = {
    ".layers.": ".encoder.layer.",
    ".attention.q_proj": ".attention.attention.query",
    ".attention.k_proj": ".attention.attention.key",
    ".attention.v_proj": ".attention.attention.value",
    ".attention.o_proj": ".attention.output.dense",
    ".mlp.fc1": ".intermediate.dense",
    ".mlp.fc2": ".output.dense",
}


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def windows(clips: list[torch.Tensor], samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    filled = torch.zeros(len(clips), samples)
    for row, clip in zip(filled, clips, strict=True):
        row[: len(clip)] = clip
    return filled, torch.tensor([len(clip) for clip in clips])


def extract(clips: list[torch.Tensor], frames: int) -> torch.Tensor:
    extractor = ASTFeatureExtractor(max_length=frames)
    arrays = [clip.numpy() for clip in clips]
    return extractor(arrays, sampling_rate=RATE_HZ, return_tensors="pt").input_values


@pytest.fixture(scope="module")
def tiny() -> AstEncoder:
    return random_ast(**TINY)


@pytest.fixture
def saved(tmp_path):
    """A folder with a classifier, and its model."""
    torch.manual_seed(0)
    model = ASTForAudioClassification(ASTConfig(**TINY)).eval()
    for parameter in model.parameters():  # no bias or gain may go unnoticed
        parameter.data.normal_(std=0.1)
    model.save_pretrained(tmp_path)
    return tmp_path, model.audio_spectrogram_transformer


def test_equals_transformers_at_its_own_length(tiny):
    clips = [noise(163_840), noise(50_000, 1)]
    inputs, mask = tiny.prepare(*windows(clips, 163_840))
    expected = extract(clips, 1024)
    torch.testing.assert_close(inputs, expected, atol=1e-3, rtol=0)
    assert (inputs - expected).abs().mean() < 1e-6
    with torch.no_grad():
        found = tiny(inputs, mask).values
        wanted = tiny.model(expected).last_hidden_state
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("frames", [16, 100, 500, 2000])
def test_other_lengths_are_prepared_as_the_extractor_does(tiny, frames):
    clips = [noise(min(160 * frames, 4000)), noise(400, 1)]
    inputs, mask = tiny.prepare(*windows(clips, 160 * frames))
    torch.testing.assert_close(inputs, extract(clips, frames), atol=1e-3, rtol=0)
    assert mask.sum(1).tolist() == [1 + (len(clips[0]) - 400) // 160, 1]


def test_frames_without_sound_are_0_before_the_normalisation(tiny):
    inputs, mask = tiny.prepare(*windows([noise(4000)], 8000))
    nothing = inputs[0, ~mask[0]]
    torch.testing.assert_close(nothing, torch.full_like(nothing, 4.2677393 / (2 * 4.5689974)))


def test_what_lies_beyond_a_clip_is_not_heard(tiny):
    filled, lengths = windows([noise(4000)], 8000)
    spoilt = filled.clone()
    spoilt[:, 4000:] = 1.0
    for found, expected in zip(
        tiny.prepare(spoilt, lengths), tiny.prepare(filled, lengths), strict=True
    ):
        assert torch.equal(found, expected)


def test_the_mask_follows_the_patches(tiny):
    features = tiny(*tiny.prepare(*windows([noise(8000), noise(16_000)], 16_000)))
    times = (100 - 16) // 10 + 1
    grid = features.mask[:, 2:].view(2, 12, times)
    assert features.mask[:, :2].all() and torch.equal(grid[:, 0], grid[:, 11])
    assert grid[:, 0].sum(1).tolist() == [5, 9]  # 48 and 98 frames, patches every 10


def test_shorter_inputs_take_the_middle_of_the_table(tiny):
    table = tiny.model.embeddings.position_embeddings
    found = fit_positions(table, 12, 49, "cut")  # 500 frames
    expected = [table[0, :2]]
    for band in range(12):
        first = 2 + 101 * band + 50 - 24
        expected.append(table[0, first : first + 49])
    assert torch.equal(found[0], torch.cat(expected))
    assert found.abs().sum(-1).gt(0).all()


def test_longer_inputs_and_those_that_ask_take_an_interpolated_table(tiny):
    table = tiny.model.embeddings.position_embeddings
    grid = table[:, 2:].reshape(1, 12, 101, 32).permute(0, 2, 1, 3).reshape(1, 101, -1).mT
    for times, positions in ((199, "cut"), (199, "interpolate"), (49, "interpolate")):
        found = fit_positions(table, 12, times, positions)
        over_time = interpolate(grid, times, mode="linear").mT.view(1, times, 12, 32)
        expected = over_time.permute(0, 2, 1, 3).reshape(1, -1, 32)
        torch.testing.assert_close(found[:, 2:], expected)
        assert torch.equal(found[:, :2], table[:, :2])


@pytest.mark.parametrize("frames", [500, 2000])
def test_positions_reach_the_tokens(tiny, frames):
    inputs = torch.zeros(1, frames, 128)
    mask = torch.ones(1, frames, dtype=torch.bool)
    embedded = tiny._embed(inputs)[0, 2:]
    plain = tiny.model.embeddings.patch_embeddings(inputs)[0]
    expected = fit_positions(
        tiny.model.embeddings.position_embeddings, 12, (frames - 16) // 10 + 1, "cut"
    )[0, 2:]
    torch.testing.assert_close(embedded - plain, expected)
    assert tiny(inputs, mask).values.shape == (1, 2 + len(expected), 32)


@pytest.mark.parametrize(
    ("frames", "tokens"), [(1024, 1214), (800, 950), (500, 590), (400, 470), (100, 110)]
)
def test_the_number_of_tokens(tiny, frames, tokens):
    features = tiny(torch.zeros(1, frames, 128), torch.ones(1, frames, dtype=torch.bool))
    assert features.values.shape == (1, tokens, 32) and features.mask.shape == (1, tokens)


def test_the_number_of_parameters():
    encoder = load_ast("ast-random")
    assert (encoder.name, encoder.dim) == ("ast-random", 768)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 86_187_264
    assert sum(p.numel() for p in encoder.model.layers.parameters()) == 85_054_464
    positions = encoder.model.embeddings.position_embeddings
    assert positions.shape == (1, 1214, 768) and positions.abs().sum(-1).gt(0).all()


def test_a_seed_gives_the_same_weights_and_leaves_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = random_ast(1, **TINY), random_ast(1, **TINY), random_ast(2, **TINY)
    assert torch.equal(torch.rand(1), expected)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert not torch.equal(
        first.model.layers[0].mlp.fc1.weight, other.model.layers[0].mlp.fc1.weight
    )


def assert_same_outputs(encoder: AstEncoder, model) -> None:
    inputs = torch.randn(1, 1024, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = encoder(inputs, torch.ones(1, 1024, dtype=torch.bool)).values
        torch.testing.assert_close(found, model(inputs).last_hidden_state, atol=1e-5, rtol=0)


def test_a_folder_of_transformers_5(saved, capfd):
    folder, model = saved
    capfd.readouterr()
    encoder = load_ast(folder)
    assert "UNEXPECTED" not in capfd.readouterr().err  # nobody misses the classifier
    assert_same_outputs(encoder, model)


def test_a_folder_with_the_old_names(saved):
    folder, model = saved
    weights = load_file(folder / "model.safetensors")
    old = {}
    for name, weight in weights.items():
        for new, former in OLD_NAMES.items():
            name = name.replace(new, former)
        old[name] = weight
    wanted = "audio_spectrogram_transformer.encoder.layer.0.attention.attention.query.weight"
    assert wanted in old and len(old) == len(weights)
    save_file(old, folder / "model.safetensors", {"format": "pt"})
    assert_same_outputs(load_ast(folder), model)


def test_a_folder_without_the_head(saved):
    folder, model = saved
    model.save_pretrained(folder)
    assert_same_outputs(load_ast(folder), model)


def test_the_front_end_of_a_folder_is_taken(saved):
    folder, _ = saved
    ASTFeatureExtractor(mean=-6.8, std=5.5).save_pretrained(folder)
    encoder = load_ast(folder)
    assert (encoder.mean, encoder.unit) == (-6.8, 11.0)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(ValueError, match="damaged preprocessor_config.json"):
        load_ast(folder)


def line_of(error) -> str:
    line = str(error.value)
    assert "\n" not in line
    return line


def test_folders_that_are_not_whole(saved):
    folder, _ = saved
    weights = load_file(folder / "model.safetensors")
    lacking = {name: w for name, w in weights.items() if not name.endswith("cls_token")}
    save_file(lacking, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="lacks the weight .*cls_token"):
        load_ast(folder)
    (folder / "model.safetensors").write_bytes(b"garbage" * 99)
    with pytest.raises(ValueError, match="does not hold a ASTModel") as error:
        load_ast(folder)
    assert str(folder) in line_of(error)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is not readable") as error:
        load_ast(folder)
    line_of(error)


def test_a_folder_of_another_model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="'bert' .*; expected a model of type audio-"):
        load_ast(tmp_path)


def test_unknown_names_and_an_unreachable_hub(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("several\nlines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ValueError, match="'ast-huge'.*ast-audioset, ast-random") as error:
        load_ast("ast-huge")
    line_of(error)
    with pytest.raises(ValueError, match="'ast-audioset' .MIT/.*give a folder") as error:
        load_ast("ast-audioset")
    line_of(error)


def test_wrong_inputs_and_options_are_told(tiny):
    with pytest.raises(ValueError, match="'reset'; expected one of cut, interpolate"):
        random_ast(positions="reset", **TINY)  # type: ignore[arg-type]
    mask = torch.ones(1, 100, dtype=torch.bool)
    for inputs, fitting in (
        ((1, 100, 64), mask),
        ((1, 90, 128), mask),
        ((1, 15, 128), mask[:, :15]),
    ):
        with pytest.raises(ValueError, match=r"expects \[batch, frames, 128\]"):
            tiny.states(torch.zeros(inputs), fitting)
