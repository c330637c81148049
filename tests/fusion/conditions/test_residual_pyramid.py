from typing import Any

import pytest
import torch

from fusion.conditions.backbones import build_backbone
from fusion.conditions.contract import Condition
from fusion.conditions.injection import inject
from fusion.conditions.residual_pyramid import PyramidOptions, ResidualPyramid

diffusers: Any = pytest.importorskip("diffusers")


def test_features_are_those_of_diffusers_t2i_adapter(unet, draw, disturb):
    ours = ResidualPyramid(unet, PyramidOptions(pixels=2))
    disturb(ours)
    theirs = diffusers.T2IAdapter(3, (8, 16), 2, 2, "full_adapter")
    theirs.adapter.load_state_dict(ours.weights())
    picture, latents = draw(2, 3, 16, 24), draw(2, 12, 8, 12)
    features = [one.detach() for one in theirs(picture)]
    expected = unet(
        latents, 500, draw(2, 3, 12), down_intrablock_additional_residuals=list(features)
    ).sample
    injection = inject(unet, {"edges": ours})
    with torch.no_grad(), injection.tell(Condition("edges", "map", picture)):
        for _ in range(2):
            found = unet(latents, 500, draw(2, 3, 12)).sample
            assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(unet(latents, 500, draw(2, 3, 12)).sample, expected, atol=1e-3)


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
    expected = {name: value.shape for name, value in theirs.adapter.state_dict().items()}
    assert {name: value.shape for name, value in ours.weights().items()} == expected
