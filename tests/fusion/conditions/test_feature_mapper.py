import pytest
import torch

from fusion.conditions.backbones import build_control_net
from fusion.conditions.condition import Condition
from fusion.conditions.feature_mapper import FeatureMapper, MapperOptions
from fusion.conditions.injection import inject
from fusion.conditions.unet import skipped_widths

pytest.importorskip("diffusers")
SIZES = dict(source="small", heads=2, groups=4, larger=1, pixels=2, places=0)


@pytest.fixture
def told(draw):
    return (
        Condition("map", "map", draw(2, 3, 16, 24)),
        Condition("map", "tokens", draw(2, 4, 10)),
    )


def test_widths_are_those_that_the_decoder_takes(unet, draw):
    net = build_control_net("small")
    found, _ = net(draw(2, 4, 8, 12), 5, draw(2, 4, 10), draw(2, 3, 16, 24), return_dict=False)
    assert [one.shape[1] for one in found] == skipped_widths(net)
    assert skipped_widths(unet) == [8, 8, 8, 16]


def test_features_that_are_not_mapped_stay(unet, run, told, disturb):
    """diffusers drops those of its own beyond a shorter list, and then fails in its decoder."""
    mapper = FeatureMapper(unet, MapperOptions(**SIZES | {"places": 1}, skip_latents=True))
    disturb(mapper.maps)
    before = run()
    with inject(unet, {"map": mapper}).tell(*told):
        assert not torch.allclose(run(), before, atol=1e-4)
    assert len(mapper.maps) == 1


def test_the_source_sees_a_time_as_far_into_its_own_noise(unet, run, told):
    mapper = FeatureMapper(unet, MapperOptions(**SIZES, source_times=100, skip_latents=True))
    seen = []
    mapper.source.register_forward_pre_hook(lambda _, args: seen.append(args[1].tolist()))
    with inject(unet, {"map": mapper}).tell(*told):
        for time in (999, 500, 4):
            run(time=time)
    assert seen == [[99, 99], [50, 50], [0, 0]]


def test_latents_are_skipped_where_the_source_cannot_read_them(unet, run, told, draw):
    mapper = FeatureMapper(unet, MapperOptions(**SIZES, skip_latents=True))
    found = []
    mapper.source.register_forward_hook(lambda *call: found.append(call[2][1]))
    with inject(unet, {"map": mapper}).tell(*told):
        for latents in (draw(2, 12, 8, 12), draw(2, 12, 8, 12) + 1):
            run(latents=latents)
    assert torch.equal(*found)
    seeing = FeatureMapper(unet, MapperOptions(**SIZES))
    with inject(unet, {"map": seeing}).tell(*told):
        with pytest.raises(ValueError, match="4 channels, and the denoiser has 12; set skip"):
            run()


def test_features_grow_with_the_latents(unet, run, told, draw, disturb):
    """A source for pictures of half the height, as Stable Diffusion 1.5's is for SDXL."""
    mapper = FeatureMapper(unet, MapperOptions(**SIZES | {"larger": 2}, skip_latents=True))
    disturb(mapper.maps)
    before, seen = run(), []
    mapper.source.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    injection = inject(unet, {"map": mapper})
    with injection.tell(*told):
        assert not torch.allclose(run(), before, atol=1e-4)
        assert seen == [(2, 4, 4, 6)]
    uneven = Condition("map", "map", draw(2, 3, 20, 24)), told[1]
    with injection.tell(*uneven):
        with pytest.raises(ValueError, match="is 20 x 24 pixels; expected multiples of 8"):
            run(latents=draw(2, 12, 10, 12))


def test_a_trained_source_takes_the_place_of_a_random_one(unet):
    mapper = FeatureMapper(unet, MapperOptions(**SIZES))
    trained = build_control_net("small")
    mapper.load_source(trained)
    assert torch.equal(mapper.source.conv_in.weight, trained.conv_in.weight)
    assert not any(name.startswith("source") for name in mapper.weights())
    own = sum(p.numel() for p in trained.parameters())
    count = mapper.count()
    assert count.added == count.trained + own and count.stored == count.trained
    with torch.device("meta"):
        large = build_control_net("sd15")
    with pytest.raises(ValueError, match="other sizes than 'small'"):
        mapper.load_source(large)


def test_a_source_is_read_from_the_folder_that_diffusers_saved(unet, tmp_path):
    trained = build_control_net("small")
    trained.save_pretrained(tmp_path)
    mapper = FeatureMapper(unet, MapperOptions(**SIZES | {"source": str(tmp_path)}))
    assert torch.equal(mapper.source.conv_in.weight, trained.conv_in.weight)
    assert not any(p.requires_grad for p in mapper.source.parameters())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="no ControlNet that can be read"):
        FeatureMapper(unet, MapperOptions(**SIZES | {"source": str(tmp_path)}))


def test_what_does_not_fit_is_refused(unet, draw, run):
    mapper = FeatureMapper(unet, MapperOptions(**SIZES, skip_latents=True))
    injection = inject(unet, {"map": mapper})
    picture, tokens = draw(2, 3, 16, 24), draw(2, 4, 10)
    for data, text, message in (
        (picture[:, :2], tokens, "The map 'map' has 2 channels; expected 3"),
        (picture, tokens[..., :8], "The tokens 'map' has 8 channels; expected 10"),
        (picture[..., :16], tokens, "is 16 x 16 pixels; expected 16 x 24"),
    ):
        told = Condition("map", "map", data), Condition("map", "tokens", text)
        with pytest.raises(ValueError, match=message), injection.tell(*told):
            run()
    with pytest.raises(ValueError, match="places is 9; expected up to 4"):
        FeatureMapper(unet, MapperOptions(**SIZES | {"places": 9}))
    with pytest.raises(ValueError, match="No ControlNet 'sd'; known: sd15, small"):
        build_control_net("sd")
