import pytest
import torch

from modalities.diffusion.measure.sizes import EvenSizes, FarSizes

SIZES = ((128, 128), (256, 256), (512, 512), (1024, 1024))


def test_far_sizes_are_drawn_by_the_square_of_how_far_they_are():
    sampler = FarSizes((512, 512), SIZES)
    squares = torch.tensor([384.0**2, 256.0**2, 0.0, 512.0**2], dtype=torch.float64)
    torch.testing.assert_close(sampler.probabilities, squares / squares.sum())
    generator = torch.Generator().manual_seed(0)
    drawn = [sampler.draw(generator) for _ in range(4000)]
    for size, expected in zip(SIZES, sampler.probabilities.tolist(), strict=True):
        assert drawn.count(size) / 4000 == pytest.approx(expected, abs=0.03)
    assert (512, 512) not in drawn


def test_rectangles_are_as_far_as_height_and_width_together():
    chances = FarSizes((8, 8), ((8, 12), (11, 4), (8, 8))).probabilities
    torch.testing.assert_close(chances, torch.tensor([16, 25, 0]).double() / 41)


def test_even_sizes_are_drawn_alike():
    generator = torch.Generator().manual_seed(0)
    drawn = [EvenSizes(SIZES).draw(generator) for _ in range(4000)]
    assert all(drawn.count(size) / 4000 == pytest.approx(0.25, abs=0.03) for size in SIZES)


@pytest.mark.parametrize("make", [lambda: EvenSizes(()), lambda: FarSizes((8, 8), ((8, 8),))])
def test_no_size_to_draw_is_told(make):
    with pytest.raises(ValueError, match="no size to draw"):
        make()
