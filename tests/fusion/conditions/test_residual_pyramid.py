from typing import Any

import pytest
import torch
from torch.nn import functional

from fusion.conditions.backbones import build_backbone
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.residual_pyramid import (
    HeterogeneousConv,
    PyramidOptions,
    ResidualPyramid,
    TextAttention,
)

diffusers: Any = pytest.importorskip("diffusers")


@pytest.mark.parametrize(
    ("kind", "widths", "light", "layers"),
    [("full_adapter", (8, 16), False, 2), ("light_adapter", (8,), True, 4)],
)
def test_features_are_those_of_diffusers_t2i_adapter(
    unet, draw, disturb, run, kind, widths, light, layers
):
    if light:  # diffusers' has one width more than it says
        diffusers_unet = {"block_out_channels": (8, 8)}
        unet = diffusers.UNet2DConditionModel.from_config({**unet.config, **diffusers_unet}).eval()
    ours = ResidualPyramid(unet, PyramidOptions(pixels=2, light=light, layers=layers))
    disturb(ours)
    theirs = diffusers.T2IAdapter(3, widths, layers, 2, kind)
    theirs.adapter.load_state_dict(ours.weights())
    picture, latents = draw(2, 3, 16, 24), draw(2, 12, 8, 12)
    text = draw(2, 3, 12)
    with torch.no_grad():
        plain = unet(latents, 500, text).sample
        features = theirs(picture)
        expected = unet(
            latents, 500, text, down_intrablock_additional_residuals=list(features)
        ).sample
        with inject(unet, {"edges": ours}).tell(Condition("edges", "map", picture)):
            for _ in range(2):  # diffusers empties the list that it is given
                assert torch.allclose(unet(latents, 500, text).sample, expected, atol=1e-6)
    assert not torch.allclose(plain, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("backbone", "kind", "channels", "factor", "options"),
    [
        ("sd15", "full_adapter", (320, 640, 1280, 1280), 8, {}),
        ("sdxl", "full_adapter_xl", (320, 640, 1280, 1280), 16, {"middle": True}),
        ("sd15", "light_adapter", (320, 640, 1280), 8, {"light": True, "layers": 4}),
    ],
)
def test_layout_is_that_of_diffusers(backbone, kind, channels, factor, options):
    with torch.device("meta"):
        theirs = diffusers.T2IAdapter(
            channels=channels,
            num_res_blocks=options.get("layers", 2),
            downscale_factor=factor,
            adapter_type=kind,
        )
        ours = ResidualPyramid(build_backbone(backbone), PyramidOptions(**options))
        picture = torch.zeros(1, 3, 64 * factor // 8 * 8, 64 * factor // 8 * 8)
        features = theirs(picture)
        latents = torch.zeros(1, 4, *(side // 8 for side in picture.shape[2:]))
    expected = {name: value.shape for name, value in theirs.adapter.state_dict().items()}
    assert {name: value.shape for name, value in ours.weights().items()} == expected
    sizes = [(one.shape[2], latents.shape[2]) for one in features]
    assert [side * 2**level for (side, _), level in zip(sizes, ours.levels, strict=True)] == [
        whole for _, whole in sizes
    ]


def test_nothing_is_added_to_what_attention_to_text_finds(draw):
    """As in the published code: what was there is told by its query alone."""
    block = TextAttention(8, PyramidOptions(heads=2, head_dim=4), 12)
    features, tokens = draw(2, 8, 4, 6), draw(2, 5, 12)
    layers = block.attention
    places = functional.layer_norm(features.flatten(2).mT, (8,))
    query, keys, values = (
        layer(read).unflatten(-1, (2, 4)).transpose(1, 2)
        for layer, read in ((layers.to_q, places), (layers.to_k, tokens), (layers.to_v, tokens))
    )
    weights = (query @ keys.mT / 2).softmax(-1)  # 2 is the root of head_dim
    expected = layers.to_out[0]((weights @ values).transpose(1, 2).flatten(2))
    found = block(features, tokens, None)
    assert torch.allclose(found, expected.mT.unflatten(2, (4, 6)), atol=1e-6)
    one = block(features, tokens[:, :1], None)  # a single token: the same at all places
    assert torch.allclose(one, one.mean((2, 3), keepdim=True).expand_as(one), atol=1e-6)


def test_where_it_is_asked_for_it_is_added(draw):
    plain, added = (
        TextAttention(8, PyramidOptions(text=True, heads=2, head_dim=4, residual=residual), 12)
        for residual in (False, True)
    )
    added.load_state_dict(plain.state_dict())
    features, tokens = draw(2, 8, 4, 6), draw(2, 5, 12)
    expected = features + plain(features, tokens, None)
    assert torch.allclose(added(features, tokens, None), expected, atol=1e-6)


@pytest.mark.parametrize("light", [False, True])
def test_with_it_added_a_fresh_one_is_nothing_and_an_idle_one_a_t2i_adapter(
    unet, draw, disturb, run, light
):
    options = {"pixels": 2, "light": light}
    text = {"text": True, "heads": 2, "head_dim": 4, "residual": True}
    known = ResidualPyramid(unet, PyramidOptions(**options))
    pyramid = ResidualPyramid(unet, PyramidOptions(**options, **text))  # type: ignore[arg-type]
    picture, tokens = draw(2, 3, 16, 24), draw(2, 4, 12)
    told = [Condition("map", "map", picture), Condition("map", "tokens", tokens)]
    plain = run()
    injection = inject(unet, {"map": pyramid})
    with injection.tell(*told):
        assert torch.equal(run(), plain)
    disturb(known)
    pyramid.load_state_dict(known.state_dict(), strict=False)
    with injection.tell(*told):
        found = run()
    injection.remove()
    with inject(unet, {"map": known}).tell(told[0]):
        expected = run()
    assert torch.equal(found, expected) and not torch.equal(found, plain)


def test_tokens_that_are_not_real_are_not_read(unet, draw, disturb, run):
    pyramid = ResidualPyramid(unet, PyramidOptions(pixels=2, text=True, heads=2, head_dim=4))
    disturb(pyramid)
    injection, tokens = inject(unet, {"map": pyramid}), draw(2, 4, 12)
    picture, found = Condition("map", "map", draw(2, 3, 16, 24)), []
    padded = torch.cat([tokens, 9 * torch.ones(2, 3, 12)], 1)
    for data, lengths in ((tokens, None), (padded, torch.tensor([4, 4])), (padded, None)):
        with injection.tell(picture, Condition("map", "tokens", data, lengths=lengths)):
            found.append(run())
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert not torch.allclose(found[0], found[2], atol=1e-4)


def test_groups_act(unet):
    """In the published code a plain convolution takes the place of the one in groups."""
    slim = ResidualPyramid(unet, PyramidOptions(pixels=2, groups=2))
    kinds = {type(layer.block1) for block in slim.body for layer in block.resnets}  # type: ignore[union-attr]
    assert kinds == {HeterogeneousConv}
    prime = ResidualPyramid(unet, PyramidOptions(pixels=2))
    fewer = sum(2 * (9 * w * w + w - 9 * w * w // 2 - w * w) for w in (8, 16))
    assert slim.count().trained == prime.count().trained - fewer
    conv = HeterogeneousConv(8, 4)
    picture = torch.zeros(1, 8, 5, 5)
    picture[0, 0, 2, 2] = 1  # one channel: only its group sees it from beside
    reached = conv(picture)[0].abs().sum((1, 2)) - conv(picture)[0, :, 2, 2].abs()
    assert (reached[:2] > 0).all() and not reached[2:].any()


@pytest.mark.parametrize("light", [False, True])
def test_text_reaches_every_form(unet, draw, disturb, run, light):
    """In the published code the light form and several maps at once are not passed the text."""
    options = PyramidOptions(pixels=2, text=True, heads=2, head_dim=4, light=light)
    pyramids = {name: ResidualPyramid(unet, options) for name in ("edges", "depth")}
    disturb(*pyramids.values())
    injection, found = inject(unet, pyramids), []
    for text in (draw(2, 4, 12), draw(2, 4, 12).flip(1, 2)):
        told = [Condition(name, "map", draw(2, 3, 16, 24)) for name in pyramids]
        told += [Condition("edges", "tokens", draw(2, 4, 12)), Condition("depth", "tokens", text)]
        with injection.tell(*told):
            found.append(run())
    assert not torch.allclose(*found, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "latents", "message"),
    [
        ((16, 16), (8, 12), "The map 'edges' is 16 x 16 pixels; expected 16 x 24"),
        ((32, 48), (8, 12), "is 32 x 48 pixels; expected 16 x 24"),
    ],
)
def test_a_map_of_another_size_is_refused(unet, draw, run, side, latents, message):
    pyramid = ResidualPyramid(unet, PyramidOptions(pixels=2))
    told = Condition("edges", "map", draw(2, 3, *side))
    with (
        inject(unet, {"edges": pyramid}).tell(told),
        pytest.raises(ValueError, match=message),
    ):
        run(latents=draw(2, 12, *latents))


def test_options_that_cannot_be_are_refused(unet):
    with pytest.raises(ValueError, match="'pixels' is 0"):
        PyramidOptions(pixels=0)
    with pytest.raises(ValueError, match="exclude each other"):
        PyramidOptions(light=True, groups=2)
    with pytest.raises(ValueError, match="set 'text' as well"):
        PyramidOptions(residual=True)
    with pytest.raises(ValueError, match="groups is 3; expected a number that parts 8"):
        ResidualPyramid(unet, PyramidOptions(groups=3))
