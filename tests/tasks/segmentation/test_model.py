"""The published counts, and where the blocks of each variant sit and what they see."""

import pytest
import torch
from torch import Tensor, nn

from fusion.methods.vlsm import Vlsm
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import PUBLISHED
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.model import PromptedModel, build_model, count_trained
from tasks.segmentation.variants import VARIANTS

from .conftest import tiny_clipseg

WHOLE = 150_747_746
COUNTS = {
    "da_v": 1_784_448,
    "da_vl": 2_974_464,
    "da_vlc": 3_237_376,
    "sa_v": 2_363_136,
    "sa_vl": 3_939_072,
    "sa_vlc": 4_201_984,
}
SHARES = {"da_v": 1.170, "da_vl": 1.935, "da_vlc": 2.102, "sa_v": 1.543, "sa_vl": 2.546}
TINY_OPTIONS = {"rank": 3, "condition_rank": 5}


def published() -> ClipSeg:
    """CLIPSeg in its full size, without any memory."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    return ClipSeg(CLIPSegForImageSegmentation(CLIPSegConfig(**PUBLISHED)), None, Pictures())


def adapted(method: str, **changes) -> PromptedModel:
    """A small model whose blocks do something."""
    torch.manual_seed(1)
    config = SegmentationConfig(method=method, **changes)
    return PromptedModel(tiny_clipseg(), config).eval()


def vlsm_blocks(model: nn.Module) -> dict[str, Vlsm]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Vlsm)}


# The eight counts of the published software


@pytest.mark.parametrize("method", VARIANTS)
def test_variant_trains_as_many_parameters_as_published(method):
    with torch.device("meta"):
        model = PromptedModel(published(), SegmentationConfig(method=method))
    assert model.size == WHOLE
    assert count_trained(model) == COUNTS[method]
    assert sum(p.numel() for p in model.parameters()) == WHOLE + COUNTS[method]
    if method in SHARES:
        share = 100 * COUNTS[method] / (WHOLE + COUNTS[method])
        assert share == pytest.approx(SHARES[method], abs=6e-4)


def test_counts_of_text_alone_and_of_the_condition():
    """The two counts that are differences of variants."""
    with torch.device("meta"):
        blocks = vlsm_blocks(PromptedModel(published(), SegmentationConfig(method="da_vlc")))
    count = {name: sum(p.numel() for p in block.parameters()) for name, block in blocks.items()}
    assert sum(n for name, n in count.items() if "text_model" in name) == 1_190_016
    assert sum(n for name, n in count.items() if "bridge" in name) == 262_912


def test_parts_of_the_published_model_have_their_sizes():
    with torch.device("meta"):
        model = published().model
    sizes = {
        "vision": (model.clip.vision_model, 85_799_424),
        "text": (model.clip.text_model, 63_165_952),
        "decoder": (model.decoder, 1_127_009),
        "clip": (model.clip, 149_620_737),
    }
    for part, expected in sizes.values():
        assert sum(p.numel() for p in part.parameters()) == expected


def test_decoder_and_full_train_what_leads_to_a_mask():
    with torch.device("meta"):
        decoder = PromptedModel(published(), SegmentationConfig(method="decoder"))
        full = PromptedModel(published(), SegmentationConfig(method="full"))
    assert count_trained(decoder) == 1_127_009
    clip = full.clipseg.model.clip
    idle = [
        clip.visual_projection,
        clip.vision_model.post_layernorm,
        *clip.vision_model.encoder.layers[10:],
    ]
    left = sum(p.numel() for part in idle for p in part.parameters()) + 1  # and the scale
    assert count_trained(full) == WHOLE - left


# Where they sit


@pytest.mark.parametrize("method", ["da_v", "da_vl", "da_vlc"])
def test_dense_blocks_end_below_the_last_layer_that_the_decoder_reads(method):
    with torch.device("meta"):
        model = PromptedModel(published(), SegmentationConfig(method=method))
    assert model.clipseg.layers == (3, 6, 9)
    found: dict[str, set[int]] = {"vision": set(), "text": set()}
    for name in vlsm_blocks(model):
        if "bridge" not in name:
            part = "vision" if "vision_model" in name else "text"
            found[part].add(int(name.split(".layers.")[1].split(".")[0]))
    nine = set(range(9))
    assert found == {"vision": nine, "text": nine if "l" in method else set()}
    per_layer = [n for n in vlsm_blocks(model) if "vision_model.encoder.layers.4." in n]
    assert len(per_layer) == 2 and ["out_proj" in n for n in sorted(per_layer)].count(True) == 1


@pytest.mark.parametrize("rank", [8, 512])
@pytest.mark.parametrize("method", ["da_vlc", "sa_vlc"])
def test_block_at_the_condition_keeps_its_own_width(method, rank):
    with torch.device("meta"):
        config = SegmentationConfig(method=method, options={"rank": rank})
        blocks = vlsm_blocks(PromptedModel(published(), config))
    widths = {name: block.down.out_features for name, block in blocks.items()}
    [condition] = [name for name in widths if "bridge.condition" in name]
    assert widths.pop(condition) == 256
    assert set(widths.values()) == {rank}


def test_shallow_blocks_sit_at_the_taps_alone():
    with torch.device("meta"):
        names = vlsm_blocks(PromptedModel(published(), SegmentationConfig(method="sa_vlc")))
    assert len(names) == 7 and all("bridge." in name for name in names)


def test_no_variant_adapts_the_decoder():
    with torch.device("meta"):
        for method in VARIANTS:
            model = PromptedModel(published(), SegmentationConfig(method=method))
            assert not vlsm_blocks(model.clipseg.model.decoder)
            assert not any(p.requires_grad for p in model.clipseg.model.decoder.parameters())


# What they compute


def block_of(features: Tensor, block: Vlsm) -> Tensor:
    """The paper's block by hand."""
    narrow = torch.relu(features @ block.down.weight.T + block.down.bias)
    return features + torch.relu(narrow @ block.up.weight.T + block.up.bias)


def test_dense_blocks_come_after_attention_and_mlp_and_before_the_residual_sum():
    model = adapted("da_v", options=TINY_OPTIONS)
    layer = model.clipseg.model.clip.vision_model.encoder.layers[1]
    seen: list[Tensor] = []
    layer.register_forward_hook(lambda _m, given, out: seen.extend((given[0], out)))
    model.clipseg.see(torch.randn(1, 3, 48, 48))
    given, returned = seen
    after_attention, after_mlp = vlsm_blocks(layer).values()
    assert model.adapters is not None
    model.adapters.use(None)  # so that the sub-layers are transformers' own
    hidden = given + block_of(layer.self_attn(layer.layer_norm1(given))[0], after_attention)
    hidden = hidden + block_of(layer.mlp(layer.layer_norm2(hidden)), after_mlp)
    torch.testing.assert_close(returned, hidden)


def test_condition_is_the_adapted_one_and_three_skips_in_full():
    model = adapted("sa_vlc", options=TINY_OPTIONS)
    clipseg = model.clipseg
    tokens = clipseg.tokenize(["a red thing", "a blue one"])
    text = clipseg.read(tokens.ids, tokens.mask)
    states = clipseg.see(torch.randn(2, 3, 48, 48))
    seen, condition = clipseg.bridge(states, text)
    blocks = vlsm_blocks(clipseg.bridge)
    expected = block_of(text.condition, blocks.pop(next(n for n in blocks if "condition" in n)))
    for layer in range(3):
        tap, skip = (
            next(b for n, b in blocks.items() if f"{kind}.{layer}" in n)
            for kind in ("vision", "text")
        )
        expected = expected + block_of(text.skips[:, layer], skip)
        torch.testing.assert_close(seen[layer], block_of(states[layer], tap))
    torch.testing.assert_close(condition, expected)


@pytest.mark.parametrize("method", VARIANTS)
def test_gradients_reach_every_block_and_nothing_frozen(method):
    model = adapted(method, options=TINY_OPTIONS).train()
    batch = batch_of(model)
    model(batch)["loss"].backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    moved = [block for block in vlsm_blocks(model).values() if block.down.weight.grad.any()]  # type: ignore[union-attr]
    assert len(moved) >= 0.8 * len(vlsm_blocks(model))  # a ReLU may be shut


def batch_of(model: PromptedModel, rows: int = 2) -> dict[str, Tensor]:
    tokens = model.clipseg.tokenize(["a red thing", "a blue one"][:rows])
    return {
        "picture": torch.arange(rows),
        "label": torch.zeros(rows, dtype=torch.long),
        "truth": (torch.rand(rows, 48, 48) > 0.5).float(),
        "pixels": torch.randn(rows, 3, 48, 48),
        "ids": tokens.ids,
        "mask": tokens.mask,
    }


def test_kept_states_give_the_logits_of_the_pictures():
    model = adapted("sa_vlc", options=TINY_OPTIONS)
    batch = batch_of(model)
    with torch.no_grad():
        text = model.clipseg.read(batch["ids"], batch["mask"])
        kept = {
            "picture": batch["picture"],
            "states": torch.stack(model.clipseg.see(batch["pixels"]), 1),
            "condition": text.condition,
            "skips": text.skips,
        }
        assert torch.equal(model.logits(kept), model.logits(batch))


def test_rows_take_the_picture_that_they_name():
    model = adapted("sa_v", options={"rank": 3})
    batch = batch_of(model)
    twice = {**batch, "picture": torch.tensor([0, 0])}
    swapped = {**batch, "picture": torch.tensor([1, 0, 1])}
    swapped |= {name: batch[name][[0, 1, 1]] for name in ("ids", "mask")}
    with torch.no_grad():
        plain = model.logits(batch)
        first = model.logits({**twice, "pixels": batch["pixels"][:1]})
        torch.testing.assert_close(first[0], plain[0], rtol=1e-4, atol=1e-5)
        found = model.logits(swapped)
    assert found.shape == (3, 48, 48)
    torch.testing.assert_close(found[2], plain[1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0], plain[0])


def test_only_what_leaves_the_encoders_alone_keeps_features():
    kept = {m for m in (*VARIANTS, "decoder", "full") if adapted(m).untouched}
    assert kept == {"sa_v", "sa_vl", "sa_vlc", "decoder"}
    assert not adapted("lora").untouched


def test_variants_fit_a_text_encoder_of_fewer_layers_and_other_width():
    text = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
    for method in ("da_v", "da_vl", "da_vlc", "sa_v", "decoder", "full"):
        options = TINY_OPTIONS if method in VARIANTS else {}
        config = SegmentationConfig(method=method, options=options)
        model = PromptedModel(tiny_clipseg(text_config=text), config)
        assert model(batch_of(model))["loss"].isfinite()
    for method in ("sa_vl", "sa_vlc"):
        with pytest.raises(ValueError, match="in another width. Take 'sa_v'"):
            PromptedModel(tiny_clipseg(text_config=text), SegmentationConfig(method=method))


# The baseline, and what is told


def test_unet_has_a_channel_for_each_class_and_reads_no_prompt():
    config = SegmentationConfig(method="unet")
    torch.manual_seed(0)
    model = build_model(config, tiny_clipseg(), 3).eval()
    pixels = torch.randn(2, 3, 64, 64)
    batch = {"pixels": pixels, "picture": torch.tensor([0, 1, 1]), "label": torch.tensor([2, 0, 1])}
    with torch.no_grad():
        logits, maps = model.logits(batch), model.network(pixels)  # type: ignore[union-attr]
    assert torch.equal(logits[0], maps[0, 2]) and torch.equal(logits[2], maps[1, 1])


def test_unknown_methods_options_and_encoders_are_told_with_suggestions():
    with pytest.raises(ValueError, match="(?s)da_lv.*Of segmentation itself: da_v.*Did you mean"):
        SegmentationConfig(method="da_lv")
    with pytest.raises(ValueError, match="no option 'ranks'; known: rank, condition_rank.*rank"):
        SegmentationConfig(method="da_vl", options={"ranks": 3})
    for wrong in (0, -1, 2.5, True, "8"):
        with pytest.raises(ValueError, match="Option 'rank' of 'da_vl' is .*; expected 1 or more"):
            SegmentationConfig(method="da_vl", options={"rank": wrong})
    with pytest.raises(ValueError, match="says itself where it goes"):
        SegmentationConfig(method="da_vl", where=("q",))
    with pytest.raises(ValueError, match="goes with adapters alone"):
        SegmentationConfig(method="full", train_decoder=True)
    with pytest.raises(ValueError, match="dice_bce"):
        SegmentationConfig(loss="dice")
    with pytest.raises(ValueError, match="No U-Net encoder 'resnet17'"):
        build_model(
            SegmentationConfig(method="unet", options={"encoder": "resnet17"}), tiny_clipseg(), 1
        )
    with pytest.raises(ValueError, match="nowhere"):
        PromptedModel(tiny_clipseg(), SegmentationConfig(method="lora", where=("nowhere",)))
