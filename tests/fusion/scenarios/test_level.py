import pytest
import torch

from fusion.audio_visual.agreement import Agreement
from fusion.scenarios.level import LevelEstimate, LevelOptions

WINDOWS, FRAMES, STATES = 600, 80, 2
OPTIONS = LevelOptions(states=STATES)


def windows(seed: int = 0):
    """Sound that says nothing of the level in the second category, where lips do."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.rand(WINDOWS, generator=generator) * 24 - 12
    noise = torch.randn(WINDOWS, generator=generator)
    like_voices = torch.arange(WINDOWS) % 2 == 1
    heard = torch.where(like_voices, 6 * noise, level + noise)
    evidence = level / 4 + 2 + 0.2 * torch.randn(WINDOWS, generator=generator)
    agreement = Agreement(
        evidence,
        evidence[:, None].repeat(1, FRAMES),
        heard[:, None].repeat(1, FRAMES),
    )
    probabilities = torch.nn.functional.one_hot(like_voices.long(), 4).float()
    mask = torch.ones(WINDOWS, FRAMES, dtype=torch.bool)
    return level, heard, probabilities, agreement, mask, torch.zeros(WINDOWS, STATES)


@pytest.fixture(scope="module")
def fitted() -> LevelEstimate:
    level, *signs = windows()
    estimate = LevelEstimate(OPTIONS)
    estimate.fit(estimate.describe(*signs), level)
    return estimate


def test_lips_tell_what_two_like_voices_leave_open(fitted):
    level, heard, probabilities, *others = windows(seed=1)
    found = fitted(fitted.describe(heard, probabilities, *others))
    like = probabilities[:, 1] > 0
    assert float((heard - level)[like].abs().mean()) > 6
    assert float((found - level)[like].abs().mean()) < 1.5
    assert float((found - level)[~like].abs().mean()) < 1.5


def test_frames_without_a_mouth_do_not_count(fitted):
    _, heard, probabilities, agreement, mask, states = windows()

    def estimate() -> torch.Tensor:
        return fitted(fitted.describe(heard, probabilities, agreement, mask, states))

    mask[:, 40:] = False
    agreement.local[:, 40:] = -50.0
    found = estimate()
    agreement.local[:, 40:] = 50.0
    assert torch.equal(found, estimate())
    agreement.local[:, 0] = -50.0
    assert not torch.equal(found, estimate())


def test_a_window_without_any_mouth_gives_a_number(fitted):
    _, heard, probabilities, agreement, mask, states = windows()
    nothing = torch.zeros_like(mask)
    found = fitted(fitted.describe(heard, probabilities, agreement, nothing, states))
    assert bool(found.isfinite().all())


def test_too_few_windows_are_told():
    estimate = LevelEstimate(OPTIONS)
    with pytest.raises(ValueError, match="cannot be learnt from 1 window"):
        estimate.fit(torch.zeros(1, 36), torch.zeros(1))


def test_what_the_encoder_heard_counts(fitted):
    level, heard, probabilities, agreement, mask, _ = windows()
    states = torch.stack([level, torch.zeros(WINDOWS)], 1)
    estimate = LevelEstimate(OPTIONS)
    signs = (0 * heard, probabilities, Agreement(*(0 * v for v in vars(agreement).values())), mask)
    estimate.fit(estimate.describe(*signs, states), level)
    found = estimate(estimate.describe(*signs, states))
    assert float(torch.corrcoef(torch.stack([found, level]))[0, 1]) > 0.99
