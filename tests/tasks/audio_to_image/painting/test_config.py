import pytest

from modalities.diffusion.measure.times import Late
from tasks.audio_to_image.painting.config import PaintingConfig
from tasks.audio_to_image.painting.found_examples import find_examples
from tasks.config import filled


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"stage": "both"}, "stage"),
        ({"stage": "adapter"}, "expected the name of a frozen one"),
        ({"stage": "base", "denoiser": "x"}, "none with 'base'"),
        ({"stage": "base", "separator": "x", "embeddings": "y"}, "which hears nothing"),
        ({"stage": "base", "audio_text": "x", "embeddings": "y"}, "which hears nothing"),
        ({"stage": "adapter", "denoiser": "x", "separator": "y"}, "embeddings is empty"),
        ({"stage": "base", "drop": 1.0}, "drop is 1.0"),
        ({"stage": "base", "hints": 1.0}, "hints is 1.0"),
        ({"stage": "base", "late": 0.0}, "late is 0.0"),
        ({"stage": "base", "confused": 0.5}, "confused is 0.5 in stage 'base'"),
        ({"denoiser": "scenes", "confused": 1.0}, "confused is 1.0"),
        ({"stage": "base", "late": float("inf")}, "late is inf"),
        ({"stage": "base", "measure": {"time": "x"}}, "known: uniform, late, cubic, logit_normal"),
        ({"stage": "base", "measure": {"weight": "min_snr", "weight_options": {"g": 1}}}, "gamma"),
        ({"stage": "base", "late": 2.0, "measure": {"time": "cubic"}}, "two ways to say one thing"),
        ({"stage": "base", "shown": -1}, "shown is -1"),
        ({"stage": "base", "steps": 0}, "steps is 0"),
        ({"stage": "base", "data": {"validation": 1.0}}, "data.validation is 1.0"),
        ({"stage": "base", "data": {"seed": -1}}, "data.seed is -1; expected 0 or more"),
        ({"stage": "base", "adapter": {"dropout": 1.0}}, "'dropout' is 1.0"),
        ({"stage": "base", "adapter": {"sources": 0}}, "'sources' is 0"),
        ({"stage": "base", "small": {"noise": "x"}}, "noise"),
        ({"stage": "base", "mmdit": {"kind": "unet"}}, "No MM-DiT of kind 'unet'"),
        ({"denoiser": "scenes", "mmdit": {"kind": "sd3"}}, "mmdit is set in stage 'adapter'"),
        ({"stage": "base", "loop": {"best": "-test_loss"}}, "best"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_read(entries, told):
    with pytest.raises(ValueError, match=told):
        filled(PaintingConfig, entries, "file.yaml")


def test_pictures_are_not_looked_for_in_the_current_folder():
    config = filled(PaintingConfig, {"stage": "base"}, "file.yaml")
    with pytest.raises(ValueError, match="folder of pictures .data.folder. is empty"):
        find_examples(config)


def test_yaml_sets_an_mmdit_in_the_place_of_a_unet():
    entries = {"stage": "base", "mmdit": {"kind": "sd3", "layers": 3}}
    found = filled(PaintingConfig, entries, "file.yaml").mmdit
    assert found is not None and (found.kind, found.layers, found.patch) == ("sd3", 3, 2)
    assert filled(PaintingConfig, {"stage": "base"}, "file.yaml").mmdit is None


def test_yaml_sets_a_measure_and_its_defaults():
    entries = {
        "stage": "base",
        "measure": {"time": "logit_normal", "time_options": {"mean": 0.5}, "weight": "min_snr"},
    }
    measure = filled(PaintingConfig, entries, "file.yaml").measure
    assert measure.time_options == {"mean": 0.5, "deviation": 1.0}
    assert measure.weight_options == {"gamma": 5.0} and measure.coupling == "given"
    late = filled(
        PaintingConfig, {"stage": "base", "late": 2.0, "measure": {"weight": "gibbs"}}, ""
    )
    assert late.sampler == Late(2.0)


def test_yaml_sets_sizes_and_levels():
    entries = {
        "stage": "adapter",
        "denoiser": "stable-diffusion-v1-4",
        "data": {"sizes": ["512x512", "288x512"], "flip": True},
        "small": {"channels": [16, 32], "attention": [1]},
    }
    config = filled(PaintingConfig, entries, "file.yaml")
    assert config.data.sizes == ("512x512", "288x512")
    assert config.small.channels == (16, 32)
    assert config.adapter.hidden == 2048 and config.drop == 0.1
    assert config.measures == ("loss", "validation_loss", "validation_loss_without_sounds")
