"""Sets that grow: beginnings, the pull to the mean, and retrieval, on weights of few numbers."""

import pytest
import torch
from torch import nn

from fusion.sets.growth import MeanPull, begin, mean_of, retrieve

SETS = {
    "car": {"down": torch.tensor([[1.0, 2.0]]), "up": torch.tensor([4.0])},
    "babble": {"down": torch.tensor([[3.0, 0.0]]), "up": torch.tensor([-2.0])},
}


def test_a_new_set_begins_from_the_mean_from_zeros_or_from_the_nearest():
    mean, zeros, near = (begin(SETS, start, "babble") for start in ("mean", "zeros", "nearest"))
    assert (mean["down"].tolist(), mean["up"].tolist()) == ([[2.0, 1.0]], [1.0])
    assert (zeros["down"].tolist(), zeros["up"].tolist()) == ([[0.0, 0.0]], [0.0])
    assert (near["down"].tolist(), near["up"].tolist()) == ([[3.0, 0.0]], [-2.0])


@pytest.mark.parametrize("start", ["mean", "zeros", "nearest"])
def test_training_a_new_set_leaves_the_others_alone(start):
    alone = {"car": SETS["car"]}
    new = begin(alone, start, "car")
    new["up"] += 1.0
    assert SETS["car"]["up"].tolist() == [4.0]


def test_means_of_half_precision_do_not_overflow():
    large = {"w": torch.tensor([60_000.0], dtype=torch.float16)}
    assert mean_of([large, large, large])["w"].tolist() == [60_000.0]
    assert mean_of([large])["w"].dtype == torch.float16


def test_what_cannot_begin_is_refused_with_both_sides():
    with pytest.raises(ValueError, match="No set 'rain' to begin with; known: babble, car"):
        begin(SETS, "nearest", "rain")
    with pytest.raises(ValueError, match="Option 'start' is 'meen'; known: mean, zeros, nearest"):
        begin(SETS, "meen")
    with pytest.raises(ValueError, match="There is no set"):
        begin({}, "mean")
    other = {"down": torch.zeros(2, 2), "up": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"down is \[1, 2\] in car and \[2, 2\] in other"):
        begin({"car": SETS["car"], "other": other}, "mean")
    with pytest.raises(ValueError, match=r"up is \[1\] in car and missing in other"):
        begin({"car": SETS["car"], "other": {"down": torch.zeros(1, 2)}}, "mean")


def test_every_step_goes_its_share_to_the_mean_of_the_others():
    own = {"down": nn.Parameter(torch.tensor([[0.0, 11.0]])), "up": nn.Parameter(torch.zeros(1))}
    pull = MeanPull(own, list(SETS.values()), 0.1)
    pull.step()
    torch.testing.assert_close(own["down"].data, torch.tensor([[0.2, 10.0]]))
    torch.testing.assert_close(own["up"].data, torch.tensor([0.1]))
    for _ in range(200):
        pull.step()
    torch.testing.assert_close(own["down"].data, torch.tensor([[2.0, 1.0]]))
    assert SETS["car"]["down"].tolist() == [[1.0, 2.0]]


def test_a_pull_of_nothing_changes_nothing_and_of_all_is_the_mean():
    own = {name: nn.Parameter(5 * torch.ones_like(t)) for name, t in SETS["car"].items()}
    MeanPull(own, list(SETS.values()), 0.0).step()
    assert own["up"].item() == 5.0
    MeanPull(own, list(SETS.values()), 1.0).step()
    assert own["up"].item() == 1.0


def test_the_pull_lowers_the_error_on_few_noisy_samples():
    """Tasks near each other: 6 samples of the next one, at the least squares' own training."""
    chance = torch.Generator().manual_seed(0)
    shared = torch.randn(12, generator=chance)
    others = [{"w": shared + 0.3 * torch.randn(12, generator=chance)} for _ in range(4)]
    errors = {0.0: 0.0, 0.02: 0.0}
    for _ in range(20):
        truth = shared + 0.3 * torch.randn(12, generator=chance)
        features = torch.randn(6, 12, generator=chance)
        labels = features @ truth + 0.5 * torch.randn(6, generator=chance)
        for share in errors:
            weights = nn.Parameter(torch.zeros(12))
            pull = MeanPull({"w": weights}, others, share)
            optimiser = torch.optim.SGD([weights], 0.05)
            for _ in range(200):
                optimiser.zero_grad()
                (features @ weights - labels).square().mean().backward()
                optimiser.step()
                pull.step()
            errors[share] += (weights.detach() - truth).square().mean().item() / 20
    assert errors[0.02] < 0.5 * errors[0.0]


def test_a_pull_that_means_nothing_is_refused():
    own = {"w": nn.Parameter(torch.zeros(2))}
    with pytest.raises(ValueError, match="The share is 1.5; expected 0 to 1"):
        MeanPull(own, [{"w": torch.zeros(2)}], 1.5)
    with pytest.raises(ValueError, match="There is no set"):
        MeanPull(own, [])
    with pytest.raises(ValueError, match=r"w is \[2\] in the set and \[3\] in the others"):
        MeanPull(own, [{"w": torch.zeros(3)}])


def named_by(names: dict[str, str]):
    calls = []

    def refine(name: str) -> str:
        calls.append(name)
        return names[name]

    return refine, calls


def test_retrieval_ends_where_a_set_names_itself_and_runs_no_set_twice():
    refine, calls = named_by({"car": "babble", "babble": "music", "music": "music"})
    found = retrieve("car", refine)
    assert (found.name, found.passes, found.settled) == ("music", ("car", "babble", "music"), True)
    assert calls == ["car", "babble", "music"]


def test_a_good_guess_takes_one_pass():
    refine, calls = named_by({"car": "car"})
    assert retrieve("car", refine).settled and calls == ["car"]


def test_retrieval_stops_after_four_passes_and_in_a_circle():
    chain = {str(number): str(number + 1) for number in range(9)}
    found = retrieve("0", named_by(chain)[0])
    assert (found.name, found.passes, found.settled) == ("4", ("0", "1", "2", "3"), False)
    circle = retrieve("a", named_by({"a": "b", "b": "a"})[0])
    assert (circle.name, circle.passes, circle.settled) == ("a", ("a", "b"), False)
    with pytest.raises(ValueError, match="0 passes are allowed"):
        retrieve("a", lambda name: name, 0)
