"""Grids of pictures from three kinds of frozen encoders, each against the library it comes from."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import adaptive_max_pool2d

from modalities.vision_language import grid_resnets
from modalities.vision_language.clipseg_files import SCENES, load_clipseg
from modalities.vision_language.grid_encoder import CLIP_DEVIATION, CLIP_MEAN, ClipPictures
from modalities.vision_language.grid_files import load_grid_encoder, random_grid_encoder
from modalities.vision_language.grid_trunks import ResNetTrunk

SCENE = Path(__file__).parents[2] / "assets/scene.png"


def needs_open_clip():
    return pytest.importorskip("open_clip", reason="open_clip is not here: install the extra clip")


@pytest.fixture(params=["resnet", "vit", "scenes"])
def kind(request) -> str:
    if request.param == "resnet":
        needs_open_clip()
    return request.param


def noise(rows: int, side: int) -> torch.Tensor:
    return torch.randn(rows, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_every_kind_makes_a_fixed_number_of_tokens_the_same_each_time(kind):
    encoder = random_grid_encoder(kind)
    pixels = encoder.prepare(Image.open(SCENE))
    assert pixels.shape == (3, encoder.side, encoder.side) and pixels.dtype == torch.float32
    tokens = encoder(pixels.expand(2, -1, -1, -1))
    assert tokens.shape == (2, encoder.tokens, encoder.dim) and encoder.tokens == 36
    assert torch.isfinite(tokens).all() and tokens.std() > 0
    again = random_grid_encoder(kind)
    assert again.identity == encoder.identity
    torch.testing.assert_close(again(pixels[None])[0], tokens[1])


def test_every_kind_is_frozen_and_stays_in_evaluation_mode(kind):
    encoder = random_grid_encoder(kind).train()
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(module.training for module in encoder.modules())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder(noise(2, encoder.side))
    assert all(torch.equal(value, before[n]) for n, value in encoder.state_dict().items())


def test_gradients_pass_through_every_kind_to_what_is_before_it(kind):
    encoder = random_grid_encoder(kind)
    pixels = noise(1, encoder.side).requires_grad_()
    encoder(pixels).square().sum().backward()
    assert pixels.grad is not None and pixels.grad.abs().sum() > 0


def test_an_identity_tells_weights_and_grids_apart(kind):
    first = random_grid_encoder(kind)
    others = [random_grid_encoder(kind, seed=1), random_grid_encoder(kind, grid=5)]
    assert len({one.identity for one in (first, *others)}) == 3
    assert others[1].tokens == 25


def test_tokens_are_the_largest_of_their_cells_row_by_row():
    encoder = random_grid_encoder("vit", grid=3)
    pixels = noise(1, encoder.side)
    grid = encoder.trunk(pixels)[0]  # [dim, 7, 7]
    tokens = encoder(pixels)[0]
    for row in range(3):
        for column in range(3):
            y, x = slice(7 * row // 3, -(-7 * (row + 1) // 3)), column
            cell = grid[:, y, slice(7 * x // 3, -(-7 * (x + 1) // 3))]
            torch.testing.assert_close(tokens[3 * row + column], cell.amax((1, 2)))
            assert not torch.allclose(tokens[3 * row + column], cell.mean((1, 2)), atol=1e-2)


def test_a_trunk_with_fewer_cells_keeps_its_own():
    encoder = random_grid_encoder("vit", grid=9)
    assert encoder.tokens == 49
    pixels = noise(1, encoder.side)
    torch.testing.assert_close(encoder(pixels), encoder.trunk(pixels).flatten(2).transpose(1, 2))


def test_a_resnets_grid_is_what_open_clip_hands_to_its_attention_pooling():
    needs_open_clip()
    encoder = random_grid_encoder("resnet", config=dict(layers=[1, 2, 1, 1], width=4, heads=4))
    network, seen = encoder.trunk.network, []
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("bn3.weight"):  # which starts at 0, so that blocks do nothing
                value.uniform_(0.5, 1.5)
    hook = network.attnpool.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    pixels = noise(2, 224)
    network(pixels)
    hook.remove()
    assert seen[0].shape == (2, 128, 7, 7)
    expected = adaptive_max_pool2d(seen[0], 6).permute(0, 2, 3, 1).reshape(2, 36, 128)
    torch.testing.assert_close(encoder(pixels), expected)
    torch.testing.assert_close(
        network.forward_intermediates(pixels, 1)["image_intermediates"][0], seen[0]
    )


def test_a_vits_tokens_are_transformers_last_layer_without_its_class_token():
    encoder = random_grid_encoder("vit")
    pixels = noise(2, encoder.side)
    states = encoder.trunk.model(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
    grid = states[:, 1:].permute(0, 2, 1).reshape(2, 32, 7, 7)
    expected = adaptive_max_pool2d(grid, 6).permute(0, 2, 3, 1).reshape(2, 36, 32)
    torch.testing.assert_close(encoder(pixels), expected)


def test_scenes_shows_the_three_layers_that_its_decoder_reads():
    encoder, clipseg = load_grid_encoder("scenes"), load_clipseg("scenes")
    assert (encoder.tokens, encoder.dim, encoder.side) == (36, 384, 160)
    values = np.asarray(Image.open(SCENE).convert("RGB"), np.float32) / 255
    pixels = encoder.prepare(Image.open(SCENE))
    torch.testing.assert_close(pixels, clipseg.pictures.prepare(values))
    whole = load_grid_encoder("scenes", grid=10)(pixels[None])
    for number, states in enumerate(clipseg.see(pixels[None])):
        torch.testing.assert_close(whole[..., 128 * number : 128 * (number + 1)], states[:, 1:])
    torch.testing.assert_close(
        encoder(pixels[None]).amax(1), whole.amax(1)
    )  # nothing that is largest is lost


def test_clips_pictures_are_squeezed_whole_and_normalised_as_clip_does():
    pictures = ClipPictures(224)
    image = Image.open(SCENE).convert("RGB").crop((0, 0, 320, 200))
    found = pictures.prepare(np.asarray(image, np.float32) / np.float32(255))
    square = np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC), np.float64) / 255
    expected = (square - np.array(CLIP_MEAN)) / np.array(CLIP_DEVIATION)
    np.testing.assert_allclose(found.permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_the_numbers_of_clip_are_those_of_open_clip():
    constants = needs_open_clip().constants
    assert constants.OPENAI_DATASET_MEAN == CLIP_MEAN
    assert constants.OPENAI_DATASET_STD == CLIP_DEVIATION


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (np.zeros((4, 4, 3), np.uint8), r"shape \(4, 4, 3\) and type uint8.*Divide bytes by 255"),
        (np.zeros((4, 4), np.float32), "expected floats from 0 to 1"),
        (np.full((4, 4, 3), 1.5, np.float32), "expected floats from 0 to 1"),
        (np.full((4, 4, 3), np.nan, np.float32), "expected floats from 0 to 1"),
        (np.zeros((0, 4, 3), np.float32), "expected floats from 0 to 1"),
    ],
)
def test_what_is_no_picture_is_refused(image, told):
    with pytest.raises(ValueError, match=told):
        random_grid_encoder("vit").prepare(image)


def test_wrong_sizes_grids_and_kinds_are_refused():
    encoder = random_grid_encoder("vit")
    with pytest.raises(ValueError, match=r"vit-random expects \[batch, 3, 56, 56\]"):
        encoder(torch.zeros(1, 3, 48, 56))
    with pytest.raises(ValueError, match="A grid of 0 cells a side"):
        load_grid_encoder("scenes", grid=0)
    with pytest.raises(ValueError, match="No kind 'cnn' of grid encoders; known: resnet, vit"):
        random_grid_encoder("cnn")
    with pytest.raises(ValueError, match="No model 'nothing'.*Known names: shapes, .*clip-rn101"):
        load_grid_encoder("nothing")


def test_a_folder_of_a_clip_is_read_with_its_own_mean(tmp_path):
    encoder = random_grid_encoder("vit")
    encoder.trunk.model.save_pretrained(tmp_path)
    pixels = encoder.prepare(Image.open(SCENE))
    found = load_grid_encoder(tmp_path)
    torch.testing.assert_close(found(pixels[None]), encoder(pixels[None]))
    assert found.identity == encoder.identity and found.name == str(tmp_path)
    told = '{"size": {"shortest_edge": 99}, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}'
    (tmp_path / "preprocessor_config.json").write_text(told)
    changed = load_grid_encoder(tmp_path)
    assert changed.side == 56 and changed.identity != encoder.identity
    grey = np.full((5, 5, 3), 0.2, np.float32)
    torch.testing.assert_close(changed.prepare(grey), torch.full((3, 56, 56), 51 / 255))


def test_a_folder_of_a_clipseg_is_read():
    encoder = load_grid_encoder(SCENES)
    assert encoder.identity == load_grid_encoder("scenes").identity


def test_without_open_clip_a_resnet_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ValueError, match="open_clip is not installed.*mcgurk\\[clip\\]") as error:
        load_grid_encoder("clip-rn101")
    assert "\n" not in str(error.value)


SMALL = dict(
    embed_dim=16, vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8, head_width=64)
)


@pytest.fixture
def small_resnets(monkeypatch):
    open_clip = needs_open_clip()
    monkeypatch.setattr(open_clip, "get_model_config", {"RN-small": SMALL, "ViT": {}}.get)
    return open_clip


def test_a_resnet_is_read_from_a_file_of_a_whole_clip_or_of_its_half(small_resnets, tmp_path):
    network = small_resnets.modified_resnet.ModifiedResNet([1, 1, 1, 1], 16, 4, 64, 8)
    state = network.state_dict()
    whole = {f"visual.{name}": value for name, value in state.items()} | {"rest": torch.zeros(2)}
    save_file(state, tmp_path / "half.safetensors")
    save_file(whole, tmp_path / "whole.safetensors")
    torch.save({"state_dict": {f"module.{n}": v for n, v in whole.items()}}, tmp_path / "saved.pt")
    pixels = noise(1, 64)
    expected = network.eval().forward_intermediates(pixels, 1)["image_intermediates"][0]
    for name in ("half.safetensors", "whole.safetensors", "saved.pt"):
        encoder = load_grid_encoder(f"open_clip:RN-small:{tmp_path / name}")
        assert encoder.tokens == 4 and encoder.side == 64
        torch.testing.assert_close(encoder.trunk(pixels), expected)


def test_weights_that_are_damaged_or_of_another_resnet_are_told_in_one_line(
    small_resnets, tmp_path
):
    other = small_resnets.modified_resnet.ModifiedResNet([1, 1, 1, 1], 16, 4, 64, 4)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    (tmp_path / "bad.pt").write_bytes(b"bad")
    for name in ("other.safetensors", "bad.safetensors", "bad.pt"):
        with pytest.raises(ValueError, match=f"{name} does not hold the weights of a RN-sm") as e:
            load_grid_encoder(f"open_clip:RN-small:{tmp_path / name}")
        assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="'ViT' is no CLIP ResNet; open_clip has RN50, "):
        load_grid_encoder("open_clip:ViT:openai")


def test_unknown_tags_and_a_lost_network_are_told_in_one_line(monkeypatch, tmp_path):
    needs_open_clip()
    with pytest.raises(ValueError, match="'nothing' of RN50 are neither a file nor a name of .*op"):
        load_grid_encoder("open_clip:RN50:nothing")
    asked = []

    def fetch(repository, name, hint, files):
        asked.append((repository, files))
        raise ValueError(f"Model {name!r} cannot be downloaded{hint}.")

    monkeypatch.setattr(grid_resnets, "fetch", fetch)
    with pytest.raises(ValueError, match="'RN101:openai' cannot .* as open_clip:RN101:FILE"):
        load_grid_encoder("clip-rn101")
    assert asked == [("timm/resnet101_clip.openai", ["open_clip_model.safetensors"])]


def test_rn101_at_full_size_is_2048_features_of_7_by_7_cells():
    open_clip = needs_open_clip()
    vision = open_clip.get_model_config("RN101")["vision_cfg"]
    with torch.device("meta"):
        network = open_clip.modified_resnet.ModifiedResNet(
            vision["layers"], 512, 32, vision["image_size"], vision["width"]
        )
        trunk = ResNetTrunk(network).eval()
        assert (trunk.dim, trunk.cells) == (2048, 7)
        assert trunk(torch.zeros(1, 3, 224, 224)).shape == (1, 2048, 7, 7)
