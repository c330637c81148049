import pytest
import torch

from fusion.conditions.routing.cycle import (
    Cycle,
    CycleScorer,
    Measured,
    find_threshold,
    keep_sound,
    rows_alike,
)


def closeness(told: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    return -(told - found).abs().flatten(1).mean(1)


# A world in which a picture is one number: "twice" tells 2 x, "minus" tells 100 - 10 x.
CYCLES = {
    "twice": Cycle(lambda painted: 2 * painted, closeness),
    "minus": Cycle(lambda painted: 100 - 10 * painted, closeness),
}


def paint(name: str, data: torch.Tensor) -> torch.Tensor:
    noise = 0.01 * torch.randn(data.shape, generator=torch.Generator().manual_seed(len(name)))
    return (data / 2 if name == "twice" else (100 - data) / 10) + noise


def tell(real: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"twice": 2 * real, "minus": 100 - 10 * real}


@pytest.fixture
def real() -> torch.Tensor:
    return torch.rand(40, 1, generator=torch.Generator().manual_seed(1)) * 5


def build(*measures: str) -> CycleScorer:
    scorer = CycleScorer(CYCLES, measures, closeness)
    clean = torch.rand(200, 1, generator=torch.Generator().manual_seed(2)) * 5
    scorer.calibrate(scorer.measure(tell(clean), paint, clean))
    return scorer


def test_a_cycle_reads_each_type_in_what_each_painted(real):
    measured = build("own").measure(tell(real), paint, real)
    assert measured.read.shape == (40, 2, 2) and measured.image is not None
    minus = (100 - tell(real)["minus"]) / 10  # what "minus" paints, but for noise
    expected = closeness(tell(real)["twice"], 2 * minus)
    assert torch.allclose(measured.read[:, 1, 0], expected, atol=0.1)


def test_scores_of_all_types_are_on_one_scale(real):
    scorer = build("own", "others", "image")
    scores = scorer.score(scorer.measure(tell(real), paint, real))
    assert scores.shape == (40, 2)
    assert scores.mean(0).abs().max() < 0.5 and (scores.std(0) < 1.5).all()


@pytest.mark.parametrize("measure, found", [("own", False), ("others", True), ("image", True)])
def test_what_another_picture_tells_is_found_by_others_and_by_the_real_one(real, measure, found):
    """Alone it is consistent with itself, so that its own cycle cannot know."""
    scorer, told = build(measure), tell(real)
    told["minus"][:20] = 100 - 10 * (real[:20] + 2)
    scores = scorer.score(scorer.measure(told, paint, real))
    low = scores[:20, 1].max() < scores[20:, 1].min()
    assert bool(low) == found


def test_what_cannot_be_painted_is_found_by_its_own_cycle(real):
    """A picture holds one number, so that two that differ are not both read again."""
    scorer = CycleScorer({"pair": Cycle(lambda painted: painted.expand(-1, 2), closeness)})
    sound = real.expand(-1, 2)
    scorer.calibrate(scorer.measure({"pair": sound}, lambda name, data: data.mean(1, True) + 0.01))
    told = sound + torch.tensor([[0.0, 3.0]])
    found = scorer.measure({"pair": told}, lambda name, data: data.mean(1, True) + 0.01)
    assert (scorer.score(found) < -10).all()


def test_conditions_below_the_threshold_are_dropped_but_for_the_best():
    scores = torch.tensor([[0.5, -3.0, -1.0], [-4.0, -3.0, -5.0]])
    kept = keep_sound(scores, -2.0)
    assert kept.tolist() == [[True, False, True], [False, True, False]]
    assert not keep_sound(scores, -2.0, least=0)[1].any()
    with pytest.raises(ValueError, match="least is 4; expected 0 to 3"):
        keep_sound(scores, 0.0, least=4)


def test_the_threshold_parts_sound_ones_from_others():
    scores, sound = torch.tensor([[3.0, 1.0], [2.0, 0.0]]), torch.tensor([[True, False]] * 2)
    assert find_threshold(scores, sound) == 2.0
    with pytest.raises(ValueError, match="expected some of both"):
        find_threshold(scores, torch.ones(2, 2, dtype=torch.bool))


def test_rows_with_the_same_conditions_are_one_batch():
    kept = torch.tensor([[True, False], [True, True], [True, False]])
    groups = {tuple(pattern): rows.tolist() for rows, pattern in rows_alike(kept)}
    assert groups == {(True, False): [0, 2], (True, True): [1]}


def test_what_a_scorer_cannot_know_is_told(real):
    with pytest.raises(ValueError, match="'self'; known: own, others, image"):
        CycleScorer(CYCLES, ("self",))
    with pytest.raises(ValueError, match="needs a way to compare pictures"):
        CycleScorer(CYCLES, ("image",))
    with pytest.raises(ValueError, match="Measures are none of 2 types"):
        CycleScorer(CYCLES, ())
    scorer = CycleScorer(CYCLES, ("image",), closeness)
    with pytest.raises(ValueError, match="needs the real pictures"):
        scorer.measure(tell(real), paint)
    with pytest.raises(ValueError, match="No type 'thrice'; known: twice, minus"):
        scorer.measure({**tell(real), "thrice": real}, paint, real)
    with pytest.raises(ValueError, match="Nothing was told of 'minus'"):
        scorer.measure({"twice": real}, paint, real)
    with pytest.raises(ValueError, match="call calibrate first"):
        CycleScorer(CYCLES).score(Measured(torch.ones(1, 2, 2)))
