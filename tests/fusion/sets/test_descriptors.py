"""Descriptors: scores by hand, thresholds from held-out clips, growth in a stream of kinds."""

import pytest
import torch
from torch import Tensor, nn

from fusion.sets.descriptors import (
    AutoencoderDescriptor,
    GaussianDescriptor,
    averages_of,
    calibrate,
    judge,
)

DIM = 24


def kind(name: str, clips: int, seed: int) -> Tensor:
    """Draw features of a kind: a mixture through a frozen random network, [clips, 24]."""
    place = torch.Generator().manual_seed(sum(map(ord, name)))
    centres = 2 * torch.randn(3, 8, generator=place)
    chance = torch.Generator().manual_seed(seed)
    hidden = centres[torch.randint(3, (clips,), generator=chance)]
    hidden = hidden + 0.3 * torch.randn(clips, 8, generator=chance)
    frozen = torch.randn(8, DIM, generator=torch.Generator().manual_seed(0))
    noise = 0.1 * torch.randn(clips, DIM, generator=chance)
    return (hidden @ frozen).tanh() + noise


def gaussian(features: Tensor) -> GaussianDescriptor:
    descriptor = GaussianDescriptor(DIM)
    descriptor.fit(features)
    return descriptor


def autoencoder(features: Tensor) -> AutoencoderDescriptor:
    torch.manual_seed(0)
    descriptor = AutoencoderDescriptor(DIM, width=8)
    descriptor.fit(features, steps=200, generator=torch.Generator().manual_seed(0))
    return descriptor


FITTERS = {"gaussian": gaussian, "autoencoder": autoencoder}


@pytest.fixture(params=list(FITTERS))
def fit(request):
    return FITTERS[request.param]


def test_the_gaussian_s_score_is_the_root_mean_square_of_standardised_features():
    descriptor = GaussianDescriptor(2)
    descriptor.fit(torch.tensor([[1.0, 10.0], [3.0, 10.0], [2.0, 40.0]]))
    score = descriptor.score(torch.tensor([[2.0, 20.0], [5.0, 20.0]]))
    torch.testing.assert_close(score, torch.tensor([0.0, 3 / 2**0.5]))


def test_the_gaussian_s_density_is_that_of_independent_normals():
    clips = kind("A", 200, 1).double()
    descriptor = gaussian(clips)
    normal = torch.distributions.Normal(clips.mean(0), clips.std(0))
    expected = normal.log_prob(clips).sum(1)
    found = descriptor.log_density(clips)
    torch.testing.assert_close(found - found[0], expected - expected[0], atol=1e-4, rtol=1e-4)
    chance = torch.Generator().manual_seed(0)
    narrow, wide = (gaussian(s * torch.randn(200, DIM, generator=chance)) for s in (0.1, 3.0))
    clip = torch.full((1, DIM), 0.15)
    assert narrow.score(clip) > wide.score(clip)
    assert narrow.log_density(clip) > wide.log_density(clip)


def test_the_autoencoder_s_score_is_two_sided():
    descriptor = autoencoder(kind("A", 200, 1))
    clips = kind("A", 50, 2)
    errors = descriptor.errors(clips).detach()
    strange = (errors - descriptor.mean).abs() / descriptor.spread
    torch.testing.assert_close(descriptor.score(clips), strange)
    descriptor.mean.fill_(100.0)
    assert (descriptor.score(clips) > strange).all()  # far below the usual is strange too


def test_autoencoder_counts_are_those_of_sema():
    descriptor = AutoencoderDescriptor(768, 128)
    assert sum(p.numel() for p in descriptor.parameters()) == 197_504


def test_scores_are_kept_with_the_weights(fit):
    clips = kind("B", 20, 3)
    descriptor = fit(kind("A", 200, 1))
    fresh = type(descriptor)(DIM, *([8] if isinstance(descriptor, AutoencoderDescriptor) else []))
    fresh.load_state_dict(descriptor.state_dict())
    assert torch.equal(fresh.score(clips), descriptor.score(clips))


def test_fresh_clips_of_its_own_kind_are_called_unknown_as_seldom_as_was_asked(fit):
    descriptor = fit(kind("A", 400, 1))
    generator = torch.Generator().manual_seed(0)
    threshold = calibrate(descriptor, kind("A", 400, 2), 8, 0.05, generator=generator)
    scores = descriptor.score(kind("A", 8 * 500, 3)).view(500, 8).mean(1)
    assert 0.01 < (scores > threshold).double().mean().item() < 0.12


def test_growth_comes_exactly_at_the_new_kinds_of_a_stream(fit):
    """A B A C B D: a set is added at the first A, at B, C and D, and not when one returns."""
    descriptors: dict[str, nn.Module] = {}
    thresholds: dict[str, float] = {}
    found = []
    for number, name in enumerate("ABACBD"):
        clips = kind(name, 32, 100 + number)
        told = judge(descriptors, clips, thresholds) if descriptors else None
        if told is None or not told.known:
            descriptors[name] = fit(kind(name, 300, number))
            generator = torch.Generator().manual_seed(0)
            thresholds[name] = calibrate(
                descriptors[name], kind(name, 200, 50 + number), 32, 0.001, generator=generator
            )
            found.append(name)
        else:
            found.append(told.nearest.lower())
    assert found == ["A", "B", "a", "C", "b", "D"]


def test_an_average_tells_a_narrow_kind_from_the_wide_one_that_holds_it():
    chance = torch.Generator().manual_seed(0)
    wide = 3 * torch.randn(300, DIM, generator=chance)
    narrow = 1.5 + 0.1 * torch.randn(64, DIM, generator=chance)
    descriptor = gaussian(wide[:200])
    by_clip = calibrate(descriptor, wide[200:], 32, 0.01, generator=chance)
    assert judge({"wide": descriptor}, narrow, {"wide": by_clip}).known
    rows = averages_of(wide[200:], 32, generator=chance)
    threshold = calibrate(descriptor, rows, 1, 0.01, generator=chance)
    assert not judge({"wide": descriptor}, narrow[:32].mean(0)[None], {"wide": threshold}).known
    own = 3 * torch.randn(32, DIM, generator=chance)
    assert judge({"wide": descriptor}, own.mean(0)[None], {"wide": threshold}).known
    with pytest.raises(ValueError, match="0 clips are given for averages of 32"):
        averages_of(narrow[:0], 32)


def test_the_nearest_is_told_with_all_scores():
    descriptors = {name: gaussian(kind(name, 200, 1)) for name in "AB"}
    told = judge(descriptors, kind("B", 16, 5), {"A": 1.2, "B": 1.2})
    assert told.nearest == "B" and told.known
    assert told.score == told.scores["B"] < told.scores["A"]
    assert not judge(descriptors, kind("C", 16, 5), {"A": 1.2, "B": 1.2}).known


def test_a_feature_that_does_not_vary_does_not_divide_by_zero():
    clips = kind("A", 20, 1)
    clips[:, 0] = 3.0
    for fitter in FITTERS.values():
        assert fitter(clips).score(clips).isfinite().all()


def test_what_cannot_be_decided_is_refused():
    descriptor = gaussian(kind("A", 20, 1))
    with pytest.raises(ValueError, match=r"Features are \[1, 24\]; expected \[clips, 24\] with 2"):
        descriptor.fit(kind("A", 1, 1))
    with pytest.raises(ValueError, match="NaN or infinite"):
        descriptor.fit(torch.full((3, DIM), torch.nan))
    with pytest.raises(ValueError, match="1 descriptors and 0 clips are given"):
        judge({"A": descriptor}, torch.zeros(0, DIM), {"A": 1.0})
    with pytest.raises(ValueError, match="No threshold for A"):
        judge({"A": descriptor}, kind("A", 2, 1), {})
    with pytest.raises(ValueError, match="1 clips are held out; expected 2"):
        calibrate(descriptor, kind("A", 1, 1))
    with pytest.raises(ValueError, match="false alarms is 0.0 on 8 clips"):
        calibrate(descriptor, kind("A", 9, 1), 8, 0.0)
