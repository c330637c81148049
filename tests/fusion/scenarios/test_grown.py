"""One more noise is told from what was known, seldom taken for it, and kept as it was fitted."""

import pytest
import torch

from fusion.scenarios.grown import GrownNoise, GrownOptions, fit_grown
from modalities.network_file import load_network, save_network


def draw(mean: float, windows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, 6, generator=generator) + mean


def test_new_noise_is_told_and_known_noise_is_taken_for_it_as_seldom_as_asked():
    known = draw(0.0, 400, 0)
    for distance, share in ((4.0, 1.0), (0.7, None)):
        check = fit_grown(draw(distance, 300, 1), known, [draw(0.0, 2000, 2)], "hall")
        assert float((check.margin(draw(0.0, 4000, 3)) > 0).float().mean()) < 0.035
        told = float((check.margin(draw(distance, 500, 4)) > 0).float().mean())
        assert told == share if share else 0.3 < told < 0.95
        assert check.options.categories == ("known", "hall") and check.options.least >= 0.5


def test_it_comes_back_from_disk(tmp_path):
    check = fit_grown(draw(2.0, 50, 0), draw(0.0, 50, 1), [draw(0.0, 50, 2)], "hall")
    save_network(check, tmp_path / "noise.safetensors")
    again = load_network(GrownNoise, GrownOptions, tmp_path / "noise.safetensors")
    assert again.options == check.options
    torch.testing.assert_close(
        again.chance(draw(1, 9, 3)), check.chance(draw(1, 9, 3)), atol=2e-3, rtol=0
    )


def test_mistakes():
    with pytest.raises(ValueError, match="expected two, and 0 to 1"):
        GrownOptions(("a", "b", "c"))
    with pytest.raises(ValueError, match="expected two, and 0 to 1"):
        GrownOptions(least=1.5)
    with pytest.raises(ValueError, match="one window or more that are new"):
        fit_grown(draw(1, 0, 0), draw(0, 5, 0), [draw(0, 5, 0)], "hall")
    with pytest.raises(ValueError, match="false_alarms is 1"):
        fit_grown(draw(1, 5, 0), draw(0, 5, 0), [draw(0, 5, 0)], "hall", 1)
