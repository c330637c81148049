import pytest
import torch

from bench import conditions
from modalities.diffusion.small_transformers import SmallTransformerOptions

pytest.importorskip("diffusers")


def test_exponents_are_those_of_a_power():
    times_s = [3e-4 * count**1.5 for count in conditions.COUNTS]
    assert conditions._exponent(times_s) == pytest.approx(1.5)


def test_each_row_runs(monkeypatch):
    """At tiny sizes; what is timed there says nothing."""
    tiny = SmallTransformerOptions(layers=1, single_layers=1, heads=2)
    for name, value in {"FLUX": tiny, "SIDE": 2, "TEXT": 3, "STEPS": 2, "PLACES": 4}.items():
        monkeypatch.setattr(conditions, name, value)
    with torch.inference_mode():
        kept = conditions.kept_tokens(1)
        found = [kept, *conditions.aligned_attention(1), *conditions.kept_features(1)]
    assert [row.target for row in found] == ["<= 0.35", "ours < 1.2", "<= 0.25", *["<= 1.15"] * 2]
    assert all(row.ours for row in found) and "4 conditions of 2²" in kept.what
