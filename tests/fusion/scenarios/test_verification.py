"""A text is accepted where all signs together say so, and kept signs come back from disk."""

from dataclasses import replace

import pytest
import torch

from fusion.scenarios.options import VerifierOptions
from fusion.scenarios.verification import Verifier, fit_verifier
from modalities.network_file import load_network, save_network

OPTIONS = VerifierOptions(("doubt", "agreed"), ("all",), 0.9)


def draw(means: tuple[float, float], windows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, 2, generator=generator) + torch.tensor(means)


@pytest.fixture
def verifier() -> Verifier:
    """Of few windows in which something is said, and many in which something else is."""
    signals = torch.cat([draw((-2.0, 2.0), 50, 0), draw((2.0, -2.0), 500, 1)])
    return fit_verifier(signals, torch.arange(550) < 50, OPTIONS)


def test_both_signs_count_however_few_examples_one_side_has(verifier):
    assert verifier.accepts(torch.tensor([[-2.0, 2.0], [2.0, -2.0]]), [False] * 2) == [True, False]
    # Half way between both sides neither is more likely, though one has ten times the examples.
    assert abs(float(verifier.chance(torch.zeros(1, 2))) - 0.5) < 0.15
    assert sum(verifier.accepts(draw((-2.0, 2.0), 1000, 2), [False] * 1000)) > 750
    assert sum(verifier.accepts(draw((2.0, -2.0), 1000, 2), [False] * 1000)) < 10


def test_least_is_the_probability_from_which_on_a_text_is_accepted(verifier):
    signals = draw((0.0, 0.0), 300, 3)
    chances = verifier.chance(signals).tolist()
    known = [place % 3 == 0 for place in range(300)]
    verifier.options = replace(verifier.options, least_known=0.4)
    found = verifier.accepts(signals, known)
    assert found == [c >= (0.4 if one else 0.9) for c, one in zip(chances, known, strict=True)]
    assert 0 < sum(found) < 300


def test_it_comes_back_from_disk(verifier, tmp_path):
    save_network(verifier, tmp_path / "verification.safetensors")
    again = load_network(Verifier, VerifierOptions, tmp_path / "verification.safetensors")
    assert again.options == verifier.options
    signals = draw((0.0, 0.0), 50, 4)
    torch.testing.assert_close(again.chance(signals), verifier.chance(signals), atol=5e-3, rtol=0)


def test_mistakes():
    with pytest.raises(ValueError, match="'signals' is empty; expected one name or more"):
        VerifierOptions(signals=())
    for name in ("least", "least_known"):
        with pytest.raises(ValueError, match=f"{name!r} is 1.5; expected 0 to 1"):
            VerifierOptions(**{name: 1.5})
    with pytest.raises(ValueError, match="no window with what was said"):
        fit_verifier(draw((0, 0), 9, 0), torch.zeros(9, dtype=torch.bool), OPTIONS)
