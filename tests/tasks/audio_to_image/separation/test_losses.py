"""Losses of separation against loops, and what each clip's loss may depend on."""

from itertools import permutations, product

import pytest
import torch
from torch import Tensor

from tasks.audio_to_image.separation.losses import (
    alignment_loss,
    mixit_loss,
    ranking_loss,
    si_sdr,
    soft_rank,
)


def plain_si_sdr(estimate: Tensor, reference: Tensor) -> Tensor:
    estimate, reference = estimate.double(), reference.double()
    target = (estimate @ reference) / (reference @ reference) * reference
    return 10 * torch.log10(target.square().sum() / (target - estimate).square().sum())


def unit(*shape: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


@pytest.mark.parametrize(("sources", "mixtures"), [(6, 2), (4, 3)])
def test_mixit_is_the_least_of_a_loop_over_all_ways(sources, mixtures):
    estimates = torch.randn(3, sources, 400)
    references = torch.stack([estimates[:, n::mixtures].sum(1) for n in range(mixtures)], 1)
    references = references + 0.3 * torch.randn_like(references)
    expected = []
    for row, wanted in zip(estimates, references, strict=True):
        losses = []
        for groups in product(range(mixtures), repeat=sources):
            sums = [
                sum((row[s] for s in range(sources) if groups[s] == m), torch.zeros(400))
                for m in range(mixtures)
            ]
            if all(total.abs().sum() > 0 for total in sums):
                losses.append(-sum(map(plain_si_sdr, sums, wanted)))
        expected.append(min(losses))
    found = mixit_loss(estimates, references)
    torch.testing.assert_close(found.double(), torch.stack(expected), atol=0.01, rtol=1e-4)


def test_without_splitting_each_sound_is_one_source_in_the_best_order():
    estimates = torch.randn(2, 3, 400)
    references = estimates[:, [2, 0, 1]] + 0.3 * torch.randn(2, 3, 400)
    expected = [
        min(
            -sum(plain_si_sdr(row[one], wanted[n]) for n, one in enumerate(order))
            for order in permutations(range(3))
        )
        for row, wanted in zip(estimates, references, strict=True)
    ]
    found = mixit_loss(estimates, references, split=False)
    torch.testing.assert_close(found.double(), torch.stack(expected), atol=0.01, rtol=1e-4)


def test_a_sound_in_two_sources_is_as_good_as_whole_only_where_it_may_be_split():
    sound = torch.randn(1, 400)
    whole = torch.stack([sound, 0 * sound, 0 * sound], 1)
    halves = torch.stack([0.5 * sound, 0.5 * sound, 0 * sound], 1)
    for references in (sound[:, None], whole):  # whether or not silence is given
        split, apart = (mixit_loss(halves, references, split=how) for how in (True, False))
        assert split == mixit_loss(whole, references)
        assert apart > mixit_loss(whole, references, split=False) + 20  # dB


def test_what_is_clean_enough_has_little_left_to_teach():
    """Against the plain ratio: as it is far below the bound, at most the bound far above it."""
    reference = torch.randn(1, 1, 4000)
    noise = torch.randn_like(reference)
    noise -= (noise * reference).sum() / reference.square().sum() * reference
    noise *= reference.norm() / noise.norm()
    slopes = []
    for level_db in (-5.0, 40.0):
        amount = torch.tensor(10 ** (-level_db / 20), requires_grad=True)
        estimates = torch.stack([reference[:, 0] + amount * noise[:, 0], 0 * reference[:, 0]], 1)
        loss = mixit_loss(estimates, reference, split=False, most_db=20.0)
        nothing = mixit_loss(estimates, 0 * reference, split=False, most_db=20.0)
        assert bool(nothing.isfinite())
        slopes.append(float(torch.autograd.grad(loss.sum(), amount)[0] * amount))  # a dB of noise
    assert slopes[0] > 8 and 0 < slopes[1] < 0.1  # of 8.7, all that a plain ratio would have


def test_mixit_has_the_gradient_of_the_best_way():
    estimates = torch.randn(1, 3, 300, requires_grad=True)
    with torch.no_grad():
        references = torch.stack([estimates[:, 0] + estimates[:, 2], estimates[:, 1]], 1)
        references += 0.5 * torch.randn_like(references)
    (found,) = torch.autograd.grad(mixit_loss(estimates, references).sum(), estimates)
    sums = (estimates[0, 0] + estimates[0, 2], estimates[0, 1])
    direct = -sum(map(plain_si_sdr, sums, references[0]))
    assert isinstance(direct, Tensor)
    (expected,) = torch.autograd.grad(direct, estimates)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


def test_si_sdr_does_not_depend_on_levels_and_nothing_gets_the_worst():
    estimate, reference = torch.randn(2, 500)
    estimate = reference + 0.2 * estimate

    def measure(estimate: Tensor, reference: Tensor) -> Tensor:
        return si_sdr(estimate @ reference, estimate @ estimate, reference @ reference)

    expected = plain_si_sdr(estimate, reference).float()
    for level, other in ((1, 1), (1e-5, 1), (1, 1e-5), (100, 1e-3)):
        found = measure(level * estimate, other * reference)
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    assert measure(0 * estimate, reference) == pytest.approx(-60, abs=0.01)
    assert measure(reference, reference) == pytest.approx(60, abs=3)


def test_a_silent_mixture_is_best_left_empty_and_has_finite_gradients():
    estimates = torch.randn(1, 3, 300)
    loud, quiet = estimates.sum(1), torch.zeros(1, 300)
    everything = estimates.requires_grad_()
    loss = mixit_loss(everything, torch.stack([loud, quiet], 1))
    assert float(loss.detach()) < -80  # 60 dB for the one, -30 dB for nothing in the other
    silence = mixit_loss(0 * everything, torch.zeros(1, 2, 300))
    (gradient,) = torch.autograd.grad(loss.sum() + silence.sum(), everything)
    assert gradient.isfinite().all()


def test_a_clips_ranking_does_not_depend_on_the_other_clips():
    significance = torch.rand(4, 6)
    alone = ranking_loss(significance[:1], 0.1)
    for other in (significance, significance[[0, 3, 1, 2]], 100 * significance):
        other = torch.cat([significance[:1], other[1:]])
        torch.testing.assert_close(ranking_loss(other, 0.1)[:1], alone)


def test_ranking_is_0_in_order_and_2_in_reverse():
    falling = torch.tensor([[0.9, 0.7, 0.4, 0.1], [0.1, 0.4, 0.7, 0.9]])
    torch.testing.assert_close(ranking_loss(falling, 1e-3), torch.tensor([0.0, 2.0]))


def test_soft_ranks_become_ranks_and_keep_their_sum():
    values = torch.randn(5, 7)
    ranks = values.argsort(1).argsort(1) + 1.0
    torch.testing.assert_close(soft_rank(values, 1e-4), ranks)
    torch.testing.assert_close(soft_rank(values, 10.0).sum(1), ranks.sum(1))
    equal = torch.zeros(1, 4, requires_grad=True)
    soft_rank(equal, 0.1)[0, 0].backward()
    assert equal.grad is not None and equal.grad[0, 0] > 0 > equal.grad[0, 1]


def test_padding_texts_changes_nothing():
    sounds, texts = unit(2, 3, 8), unit(2, 4, 8)
    known = torch.tensor([[True] * 4, [True, True, False, False]])
    scale = torch.tensor(14.0)
    found = alignment_loss(sounds, texts, known, scale)
    texts[1, 2:] = unit(2, 8)
    torch.testing.assert_close(alignment_loss(sounds, texts, known, scale), found)
    alone = alignment_loss(sounds[1:], texts[1:, :2], known[1:, :2], scale)
    torch.testing.assert_close(alone, found[1:])


def test_alignment_is_small_where_each_source_has_its_text_and_large_where_all_share_one():
    texts = torch.eye(3)[None]
    known = torch.ones(1, 3, dtype=torch.bool)
    scale = torch.tensor(14.0)
    assert alignment_loss(texts, texts, known, scale).item() < 1e-3
    same = texts[:, :1].expand(1, 3, 3)
    assert alignment_loss(same, texts, known, scale).item() == pytest.approx(1.0986, abs=1e-3)
    nothing = alignment_loss(same, texts, ~known, scale)
    assert nothing.item() == 0
