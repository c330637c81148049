import pytest
import torch

from modalities.diffusion.codecs import PixelCodec


@pytest.mark.parametrize("block", [1, 2, 4])
def test_pixels_come_back_as_they_were(block):
    codec = PixelCodec(block)
    pictures = torch.rand(2, 8, 12, 3)
    latents = codec.encode(pictures)
    assert latents.shape == (2, *codec.shape(8, 12))
    assert latents.amin() >= -1 and latents.amax() <= 1
    assert torch.allclose(codec.decode(latents), pictures, atol=1e-6)


def test_grey_pictures_come_back_in_three_equal_colours():
    codec = PixelCodec(2, colours=1)
    grey = torch.rand(1, 4, 6, 1).expand(-1, -1, -1, 3)
    assert torch.allclose(codec.decode(codec.encode(grey)), grey, atol=1e-6)
    colour = torch.rand(1, 4, 6, 3)
    found = codec.decode(codec.encode(colour))
    assert torch.allclose(found[..., 0], colour.mean(-1), atol=1e-6)


@pytest.mark.parametrize(("block", "colours"), [(0, 3), (1, 2)])
def test_other_forms_of_pixels_are_refused(block, colours):
    with pytest.raises(ValueError, match="expected 1"):
        PixelCodec(block, colours)
