"""CLIPSeg in three steps against transformers' own forward, and its numbers."""

import numpy as np
import pytest
import torch
from torch import Tensor

from modalities.tap import Skip, Tap
from modalities.vision_language.clipseg import LEGACY_END, ClipSeg, Pictures
from modalities.vision_language.clipseg_files import PUBLISHED, SMALL, random_clipseg

from .conftest import PROMPTS, build, pixels_of, sizes


@torch.no_grad()
def of_transformers(clipseg: ClipSeg, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    return clipseg.model(input_ids=ids, attention_mask=mask, pixel_values=pixels).logits


CASES = {
    "as trained": (48, {}),
    "larger pictures": (80, {}),
    "smaller pictures": (32, {}),
    "simple upsampler, patches of 8": (48, dict(patch=8, complex_upsampler=False)),
    "end of the text by 2": (48, dict(eos_token_id=LEGACY_END)),
}


@pytest.mark.parametrize("case", CASES)
def test_without_adapters_it_is_transformers_own_to_the_bit(case):
    side, changes = CASES[case]
    clipseg = build(side, **changes)
    tokens = clipseg.tokenize(PROMPTS)
    pixels = pixels_of(clipseg, len(PROMPTS))
    with torch.no_grad():
        logits = clipseg(pixels, tokens.ids, tokens.mask)
    assert logits.shape == (3, side, side) and logits.std() > 0
    assert torch.equal(logits, of_transformers(clipseg, pixels, tokens.ids, tokens.mask))
    assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("config", [SMALL, PUBLISHED], ids=["small", "published"])
def test_named_sizes_are_transformers_own_to_the_bit(config):
    pictures = Pictures() if config is PUBLISHED else None
    clipseg = random_clipseg(config=config, pictures=pictures)
    tokens = clipseg.tokenize(PROMPTS[:1])
    pixels = pixels_of(clipseg, 1)
    with torch.no_grad():
        logits = clipseg(pixels, tokens.ids, tokens.mask)
    assert torch.equal(logits, of_transformers(clipseg, pixels, tokens.ids, tokens.mask))
    assert logits.abs().mean() < 10  # transformers' own start gives hundreds


def test_decoder_reads_what_the_named_layers_return_and_not_what_they_are_given():
    clipseg = build()
    returned: dict[int, Tensor] = {}
    for number, layer in enumerate(clipseg.model.clip.vision_model.encoder.layers):
        layer.register_forward_hook(lambda _m, _i, out, n=number: returned.update({n: out}))
    states = clipseg.see(pixels_of(clipseg, 2))
    assert len(states) == 3 and states[0].shape == (2, 10, 32)
    for layer, seen in zip(clipseg.layers, states, strict=True):
        assert torch.equal(seen, returned[layer])


def test_text_skips_are_the_raw_states_at_the_end_of_each_prompt():
    clipseg = build()
    tokens = clipseg.tokenize(PROMPTS)
    returned: dict[int, Tensor] = {}
    for number, layer in enumerate(clipseg.model.clip.text_model.encoder.layers):
        layer.register_forward_hook(lambda _m, _i, out, n=number: returned.update({n: out}))
    features = clipseg.read(tokens.ids, tokens.mask)
    ends = tokens.mask.sum(1) - 1  # the last token that is no padding
    for number, layer in enumerate(clipseg.layers):
        expected = returned[layer][torch.arange(3), ends]
        assert torch.equal(features.skips[:, number], expected)
    assert features.condition.shape == (3, 24)


def test_both_ways_to_find_the_end_find_the_first_end_mark():
    by_id, by_highest = build(), build(eos_token_id=LEGACY_END)
    tokens = by_id.tokenize(PROMPTS)
    for one, other in zip(
        by_id.read(tokens.ids, tokens.mask), by_highest.read(tokens.ids, tokens.mask), strict=True
    ):
        assert torch.equal(one, other)  # the end mark is the highest id of this vocabulary
    end = by_id.tokenizer.eos_token_id  # type: ignore[union-attr]
    # A word of a higher id than the end mark: the highest id is no longer where the prompt ends.
    higher = torch.tensor([[5, end + 1, 7, end, end]])
    wide = random_clipseg(config=sizes(vocab_size=end + 2), pictures=Pictures(side=48))
    mask = torch.ones_like(higher)
    wide.model.config.text_config.eos_token_id = end
    assert torch.equal(wide._ends(higher), torch.tensor([3]))
    pixels = pixels_of(wide, 1)
    with torch.no_grad():
        assert torch.equal(wide(pixels, higher, mask), of_transformers(wide, pixels, higher, mask))


def test_padding_changes_nothing_and_its_mask_is_looked_at():
    clipseg = build()
    tokens = clipseg.tokenize(PROMPTS)
    alone = clipseg.tokenize(PROMPTS[:1])
    assert alone.ids.shape[1] < tokens.ids.shape[1]
    together = clipseg.read(tokens.ids, tokens.mask)
    one = clipseg.read(alone.ids, alone.mask)
    torch.testing.assert_close(together.condition[:1], one.condition, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(together.skips[:1], one.skips, rtol=1e-5, atol=1e-6)
    gap = tokens.mask.clone()
    gap[1, 3] = 0  # a token ahead of the end, which the causal mask lets through
    assert not torch.allclose(clipseg.read(tokens.ids, gap).condition[1], together.condition[1])


def test_several_prompts_share_one_picture():
    clipseg = build()
    tokens = clipseg.tokenize(PROMPTS)
    pixels = pixels_of(clipseg, 1)
    with torch.no_grad():
        text = clipseg.read(tokens.ids, tokens.mask)
        shared = clipseg.decode(clipseg.see(pixels), text)
        repeated = clipseg(pixels.expand(3, -1, -1, -1), tokens.ids, tokens.mask)
    torch.testing.assert_close(shared, repeated, rtol=1e-5, atol=1e-5)


def test_taps_stand_where_the_decoder_reads_and_skips_where_widths_agree():
    clipseg = build()
    assert [tap.dim for tap in clipseg.bridge.vision] == [32, 32, 32]  # type: ignore[union-attr]
    assert len(clipseg.bridge.text) == 0  # 16 wide, where 24 are asked for
    same = dict(sizes(), projection_dim=16)
    clipseg = random_clipseg(config=same, pictures=Pictures(side=48))
    assert [type(skip) for skip in clipseg.bridge.text] == [Skip] * 3
    assert type(clipseg.bridge.condition) is Tap and clipseg.bridge.condition.dim == 16


def test_dropout_stays_off_while_it_is_trained():
    config = sizes()
    for part in ("vision_config", "text_config"):
        config[part]["attention_dropout"] = 0.5
    clipseg = random_clipseg(config=config, pictures=Pictures(side=48))
    tokens = clipseg.tokenize(PROMPTS)
    pixels = pixels_of(clipseg, 3)
    still = clipseg.eval()(pixels, tokens.ids, tokens.mask)
    assert torch.equal(clipseg.train()(pixels, tokens.ids, tokens.mask), still)
    assert not torch.equal(
        clipseg.model.train()(  # transformers alone does drop
            input_ids=tokens.ids, attention_mask=tokens.mask, pixel_values=pixels
        ).logits,
        still,
    )


def test_gradients_reach_what_an_encoder_is_given():
    clipseg = build()
    tokens = clipseg.tokenize(PROMPTS)
    assert not any(p.requires_grad for p in clipseg.parameters())
    pixels = pixels_of(clipseg, 3).requires_grad_()
    clipseg(pixels, tokens.ids, tokens.mask).sum().backward()
    assert pixels.grad is not None and pixels.grad.abs().sum() > 0


# Prompts as numbers


def test_prompts_are_cut_at_77_and_keep_their_end():
    clipseg = build()
    tokens = clipseg.tokenize(["a red square", " ".join(["red"] * 200), " ".join(["red"] * 75)])
    assert clipseg.longest == 77 and tokens.ids.shape == (3, 77)
    assert tokens.cut == (1,)
    end = clipseg.tokenizer.eos_token_id  # type: ignore[union-attr]
    assert tokens.ids[1, -1] == end and tokens.mask[1].sum() == 77
    assert torch.equal(tokens.ids[1], tokens.ids[2])
    assert clipseg.read(tokens.ids, tokens.mask).condition.isfinite().all()


def test_what_is_in_any_script_or_nothing_becomes_numbers_of_the_vocabulary():
    clipseg = build()
    tokens = clipseg.tokenize(
        ["", "  ", "Tumor № 5, größer", "乳腺の腫瘍", "\N{LEFT-TO-RIGHT MARK}"]
    )
    size = clipseg.model.config.text_config.vocab_size
    assert 0 <= int(tokens.ids.min()) and int(tokens.ids.max()) < size
    assert tokens.cut == () and (tokens.mask.sum(1) >= 2).all()


# Pictures


def test_pictures_are_prepared_as_transformers_does():
    from transformers import ViTImageProcessor

    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 12, 3))
    picture = np.kron(coarse, np.ones((13, 11, 1), int)).astype(np.uint8)  # 117 x 132
    for side, source in ((48, picture), (160, picture), (117, picture[:, :117])):
        pictures = Pictures(side=side)
        own = ViTImageProcessor(
            size={"height": side, "width": side},
            image_mean=list(pictures.mean),
            image_std=list(pictures.deviation),
        )
        expected = own(images=source, return_tensors="pt")["pixel_values"][0]
        found = pictures.prepare(source.astype(np.float32) / 255)
        # transformers resizes bytes, and rounds them after each of the two axes
        step = 1.01 / 255 / min(pictures.deviation) if side != 117 else 1e-5
        assert found.shape == (3, side, side)
        assert (found - expected).abs().max() <= step


def test_a_picture_of_any_size_is_prepared():
    pictures = Pictures(side=32)
    for height, width in ((1, 1), (1, 900), (33, 7)):
        found = pictures.prepare(np.full((height, width, 3), 0.5, np.float32))
        assert found.shape == (3, 32, 32)
        expected = (0.5 - torch.tensor(pictures.mean)) / torch.tensor(pictures.deviation)
        torch.testing.assert_close(found, expected[:, None, None].expand(3, 32, 32))


def test_pictures_that_do_not_part_into_patches_are_refused():
    with pytest.raises(ValueError, match="50 pixels do not part into patches of 16"):
        build(50)
