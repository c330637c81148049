from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
from modalities.diffusion.sampling import sample
from modalities.diffusion.small_mmdit import SmallMmditOptions, build_small_mmdit

diffusers = pytest.importorskip("diffusers")
TINY = SmallMmditOptions(
    height=8, width=12, layers=1, single_layers=1, heads=2, head_dim=8, token_dim=6, pooled_dim=5
)


@pytest.fixture(params=["flux", "sd3"])
def mmdit(request):
    found = build_small_mmdit(replace(TINY, kind=request.param), seed=1)
    found.freeze()
    return found


def _text(rows: int) -> Prompt:
    return Prompt(torch.randn(rows, 4, 6), None, torch.randn(rows, 5))


def test_it_comes_back_from_its_folder(mmdit, tmp_path):
    save_denoiser(mmdit, tmp_path)
    again = load_denoiser(tmp_path)
    assert again.identity == mmdit.identity and again.side == (8, 12)
    assert again.noise == mmdit.noise and type(again.network) is type(mmdit.network)
    assert torch.equal(sample(again, [3], steps=2), sample(mmdit, [3], steps=2))


def test_weights_go_by_the_seed_and_leave_torchs_generator(mmdit):
    state = torch.get_rng_state()
    same, other = (build_small_mmdit(mmdit.options, seed) for seed in (1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert same.identity == mmdit.identity != other.identity


def test_it_is_called_as_diffusers_calls_it(mmdit):
    """FLUX's latents are packed as its pipeline packs them, and its time is in 0 to 1."""
    noisy, text, times = torch.randn(2, 3, 8, 12), _text(2), torch.tensor([900.0, 20.0])
    with torch.no_grad():
        found = mmdit(noisy, times, text)
        told = {"encoder_hidden_states": text.text, "pooled_projections": text.vector}
        if mmdit.options.kind == "sd3":
            expected = mmdit.transformer(noisy, timestep=times, **told).sample
        else:
            pipeline = diffusers.FluxPipeline
            packed = pipeline._pack_latents(noisy, 2, 3, 8, 12)
            ids = pipeline._prepare_latent_image_ids(2, 4, 6, "cpu", torch.float32)
            told |= {"img_ids": ids, "txt_ids": torch.zeros(4, 3), "timestep": times / 1000}
            expected = mmdit.transformer(packed, **told).sample
            expected = pixel_shuffle(expected.mT.unflatten(2, (4, 6)), 2)
            assert torch.equal(packed, pixel_unshuffle(noisy, 2).flatten(2).mT)
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, mmdit(noisy, times, mmdit.prompt(2)), atol=1e-4)


def test_guidance_leads_away_from_the_empty_text(mmdit):
    text, empty = _text(2), mmdit.prompt(2)
    plain, without = (sample(mmdit, [1, 2], steps=3, text=t, guidance=1) for t in (text, empty))
    assert torch.equal(without, sample(mmdit, [1, 2], steps=3))
    assert not torch.allclose(plain, without, atol=1e-4)
    zero = sample(mmdit, [1, 2], steps=3, text=text, guidance=0)
    assert torch.allclose(zero, without, atol=1e-5)
    noisy, time = torch.randn(2, 3, 8, 12), torch.tensor(1000.0)
    mmdit.codec.decode = lambda latents: latents
    with torch.no_grad():
        told, rest = mmdit(noisy, time, text), mmdit(noisy, time, empty)
    from modalities.diffusion import sampling

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "draw_noise", lambda *_: noisy)
        found = sample(mmdit, [1, 2], steps=1, text=text, guidance=3.0)
    assert torch.allclose(found, noisy - (rest + 3 * (told - rest)), atol=1e-4)


def test_a_text_without_its_vector_has_that_of_the_empty_text(mmdit):
    text = _text(1)
    whole = Prompt(text.text, None, mmdit.prompt(1).vector)
    found, expected = (sample(mmdit, [1], steps=2, text=t) for t in (Prompt(text.text), whole))
    assert torch.equal(found, expected)


def test_what_cannot_be_told_is_told(mmdit):
    with pytest.raises(ValueError, match=r"tokens are \[1, 4, 6\]; expected \[2, 4, 6\]"):
        sample(mmdit, [1, 2], steps=2, text=_text(1))
    with pytest.raises(ValueError, match="sounds and a text; expected one"):
        sample(mmdit, [1], audio=torch.randn(1, 2, 6), steps=2, text=_text(1))
    with pytest.raises(ValueError, match="reads no tokens of sounds"):
        sample(mmdit, [1], audio=torch.randn(1, 2, 6), steps=2)
    with pytest.raises(ValueError, match=r"vector is \[3, 5\] .* as many rows"):
        Prompt(torch.randn(2, 4, 6), None, torch.randn(3, 5))
    with pytest.raises(ValueError, match="multiples of 2"):
        sample(mmdit, [1], steps=2, size=(7, 8))


def test_what_reads_sounds_by_a_unet_says_what_stands_on_an_mmdit(mmdit):
    kind = type(mmdit.network).__name__
    stands = {"FluxTransformer2DModel": "token_branch", "SD3Transformer2DModel": "instructed"}
    with pytest.raises(ValueError, match=f"small is a {kind}, on which stands {stands[kind]}"):
        AudioAdapter(mmdit, AudioAdapterOptions())


def test_parts_that_do_not_fit_each_other_are_told(mmdit):
    parts = mmdit.network, mmdit.codec, mmdit.empty.data
    with pytest.raises(ValueError, match="a vector of None; the .* reads 6 and 5"):
        Denoiser(*parts, mmdit.noise, mmdit.side, "odd")
    with pytest.raises(ValueError, match="does not fit latents of 1"):
        grey = replace(TINY, colours=1)
        codec = build_small_mmdit(grey).codec
        Denoiser(parts[0], codec, parts[2], mmdit.noise, (8, 8), "odd", mmdit.vector.data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "unet"}, "No MM-DiT of kind 'unet'"),
        ({"tokens": 0}, "'tokens' is 0; expected 1 or more"),
        ({"shift": -1.0}, r"shift is -1\.0"),
    ],
)
def test_sizes_that_cannot_be_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        SmallMmditOptions(**options)


def test_a_picture_with_more_tokens_on_a_side_than_sd3_has_places_is_refused():
    with pytest.raises(ValueError, match="8 or fewer on a side"):
        build_small_mmdit(replace(TINY, kind="sd3", places=4))
