import pytest
import torch

from fusion.scenarios.category import KindOptions, NoiseKind
from modalities.network_file import load_network, save_network

OPTIONS = KindOptions(("babble", "music", "natural"), features=6)


def windows(count: int = 300, seed: int = 0):
    """Kinds that differ in two of six features, on scales far apart."""
    generator = torch.Generator().manual_seed(seed)
    category = torch.arange(count) % 3
    features = torch.randn(count, 6, generator=generator)
    features[:, 0] += 4.0 * (category == 1)
    features[:, 3] += 4.0 * (category == 2)
    return features * torch.tensor([1.0, 10.0, 0.1, 0.01, 1.0, 1.0]) + 5.0, category


def test_new_windows_are_told_apart():
    kind = NoiseKind(OPTIONS)
    kind.fit(*windows())
    features, category = windows(seed=1)
    found = kind(features).softmax(1)
    assert float((found.argmax(1) == category).float().mean()) > 0.9
    assert float(found.max(1).values.mean()) < 0.97  # the ridge keeps it from being too sure


def test_it_learns_the_same_again_and_survives_its_file(tmp_path):
    first, again = NoiseKind(OPTIONS), NoiseKind(OPTIONS)
    first.fit(*windows())
    again.fit(*windows())
    assert torch.equal(first.weight, again.weight)
    save_network(first, tmp_path / "kind.safetensors")
    read = load_network(NoiseKind, KindOptions, tmp_path / "kind.safetensors")
    features, _ = windows(seed=1)
    assert torch.equal(read(features).argmax(1), first(features).argmax(1))


def test_what_counts_for_more_is_missed_less_often():
    features, category = windows()
    features[:, 3] -= 0.6 * 0.04 * (category == 2)  # nearer to the others
    missed = []
    for importance in (1.0, 10.0):
        kind = NoiseKind(OPTIONS)
        kind.fit(features, category, torch.tensor([1.0, 1.0, importance]))
        missed.append(int((kind(features).argmax(1)[category == 2] != 2).sum()))
    assert missed[1] < missed[0]


def test_a_feature_that_never_varies_does_no_harm():
    features, category = windows()
    features[:, 5] = 1.0
    kind = NoiseKind(OPTIONS)
    kind.fit(features, category)
    assert bool(kind(features).isfinite().all())


def test_mistakes():
    features, category = windows()
    with pytest.raises(ValueError, match="There is no window with natural"):
        NoiseKind(OPTIONS).fit(features, category % 2)
    with pytest.raises(ValueError, match="expected two or more"):
        KindOptions(("babble",))
