"""Sources of long mixtures: nothing is lost, faded twice, or changes its place."""

import pytest
import torch
from torch import Tensor

from modalities.separation.stream import SourceStream

WINDOW, OVERLAP = 400, 50


class Swapping:
    """Takes apart by the sign of samples, and returns the two in another order each time."""

    def __init__(self):
        self.calls = 0

    def __call__(self, mixture: Tensor) -> Tensor:
        self.calls += 1
        parts = torch.stack([mixture.clamp_min(0), mixture.clamp_max(0)])
        return parts.flip(0) if self.calls % 2 == 0 else parts


def run(stream: SourceStream, mixture: Tensor, block: int) -> Tensor:
    pieces = [piece for part in mixture.split(block) for piece in stream.push(part)]
    return torch.cat([*pieces, *stream.flush()], 1)


@pytest.mark.parametrize("length", [1, 100, 400, 401, 749, 750, 751, 1100, 3217])
@pytest.mark.parametrize("block", [37, 4000])
def test_sources_keep_their_place_and_their_samples(length, block):
    mixture = torch.randn(length)
    found = run(SourceStream(Swapping(), WINDOW, OVERLAP), mixture, block)
    torch.testing.assert_close(found, torch.stack([mixture.clamp_min(0), mixture.clamp_max(0)]))


def test_memory_does_not_grow_with_the_length():
    stream = SourceStream(Swapping(), WINDOW, OVERLAP)
    for _ in range(100):
        stream.push(torch.randn(123))
        assert len(stream.sound) <= 2 * WINDOW


def test_a_pause_over_the_border_of_windows_does_not_exchange_sources():
    """Two sounds of other pitch; neither is heard where windows meet."""
    time = torch.arange(2000) / 100
    low, high = torch.sin(6.28 * 2 * time), torch.sin(6.28 * 30 * time)
    mixture = low + high
    for border in range(350, 2000, 350):
        mixture[border - 10 : border + 60] = 0

    def by_pitch(window: Tensor) -> Tensor:
        calls.append(1)
        spectrum = torch.fft.rfft(window)
        lows = torch.where(torch.arange(len(spectrum)) < 60, spectrum, 0)
        both = torch.stack([torch.fft.irfft(part, len(window)) for part in (lows, spectrum - lows)])
        both = torch.where(window == 0, 0, both)
        return both.flip(0) if len(calls) % 2 == 0 else both

    calls: list[int] = []
    found = run(SourceStream(by_pitch, WINDOW, OVERLAP), mixture, 2000)
    heard = mixture != 0
    for place, expected in enumerate((low, high)):
        others = (low, high)[1 - place]
        for stretch in range(0, 2000, 350):
            part = slice(stretch, stretch + 330)
            own, other = (
                (found[place][part] * sound[part] * heard[part]).sum().abs()
                for sound in (expected, others)
            )
            assert own > other


def test_an_overlap_of_more_than_half_a_window_is_refused():
    with pytest.raises(ValueError, match="overlap by 201; expected 1 to 200"):
        SourceStream(Swapping(), 400, 201)
