import pytest
import torch

from fusion.conditions.injection import inject
from fusion.conditions.weight_patch import WeightPatch, WeightPatchOptions

pytest.importorskip("diffusers")
OPTIONS = WeightPatchOptions(rank=3, alpha=6.0, scale=0.5)


def test_it_is_what_changed_weights_are(unet, run, disturb):
    patch = WeightPatch(unet, OPTIONS)
    disturb(patch)
    injection = inject(unet, {"size": patch})
    found = run()
    injection.remove()
    with torch.no_grad():
        for key, change in patch.convolutions.items():
            layer = unet.get_submodule(key.replace("-", "."))
            merged = torch.einsum("or,rihw->oihw", change.up.weight[..., 0, 0], change.down.weight)
            layer.weight += 0.5 * 6 / 3 * merged
        for key, change in patch.norms.items():
            layer = unet.get_submodule(key.replace("-", "."))
            layer.weight += 0.5 * change.weight
            layer.bias += 0.5 * change.bias
    assert torch.allclose(found, run(), atol=1e-5)


def test_nothing_in_attention_changes(unet):
    patch = WeightPatch(unet, OPTIONS)
    names = [*patch.convolutions, *patch.norms]
    assert names and not any("attn" in name or "transformer" in name for name in names)
    assert len(patch.convolutions) == 2  # one halves, one doubles
    assert len(patch.norms) == 2 * (1 + 1 + 2 + 2 + 2)  # encoder, middle, decoder


def test_it_is_on_at_other_sizes(unet, run, draw, disturb):
    patch = WeightPatch(unet, OPTIONS)
    disturb(patch)
    before = run(latents=draw(1, 12, 12, 20), text=draw(1, 3, 12))
    inject(unet, {"size": patch})
    after = run(latents=draw(1, 12, 12, 20), text=draw(1, 3, 12))
    assert before.shape == after.shape and not torch.allclose(before, after, atol=1e-3)


def test_a_denoiser_of_one_size_is_refused():
    import diffusers

    flat = diffusers.UNet2DConditionModel(
        block_out_channels=(8,),
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=2,
        cross_attention_dim=12,
    )
    with pytest.raises(ValueError, match="expected one of several sizes"):
        WeightPatch(flat, OPTIONS)
