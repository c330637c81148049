import pytest
import torch

from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer
from modalities.tensor_hash import hash_weights


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_it_is_of_diffusers_class_and_the_same_for_a_seed(kind):
    diffusers = pytest.importorskip("diffusers")
    classes = {"flux": diffusers.FluxTransformer2DModel, "sd3": diffusers.SD3Transformer2DModel}
    options = SmallTransformerOptions(kind=kind, layers=1, single_layers=1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, again, other = (build_small_transformer(options, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(first, classes[kind]) and not first.training
    assert hash_weights(first) == hash_weights(again) != hash_weights(other)
    assert sum(p.numel() for p in first.parameters()) < 500_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "unet"}, "No MM-DiT of kind 'unet'; known: flux, sd3"),
        ({"layers": 0}, "'layers' is 0; expected 1 or more"),
        ({"single_layers": -1}, "'single_layers' is -1; expected 0 or more"),
        ({"head_dim": 12}, "head_dim is 12; expected a multiple of 8"),
    ],
)
def test_sizes_that_cannot_be_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        SmallTransformerOptions(**options)
