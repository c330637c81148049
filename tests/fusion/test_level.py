import pytest
import torch

from fusion.agreement import Agreement
from fusion.level import LevelEstimate

WINDOWS, FRAMES = 600, 80


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
    return level, heard, probabilities, agreement, torch.ones(WINDOWS, FRAMES, dtype=torch.bool)


@pytest.fixture(scope="module")
def fitted() -> LevelEstimate:
    level, *signs = windows()
    estimate = LevelEstimate()
    estimate.fit(estimate.describe(*signs), level)
    return estimate


def test_lips_tell_what_two_like_voices_leave_open(fitted):
    level, heard, probabilities, agreement, mask = windows(seed=1)
    found = fitted(fitted.describe(heard, probabilities, agreement, mask))
    like = probabilities[:, 1] > 0
    assert float((heard - level)[like].abs().mean()) > 6
    assert float((found - level)[like].abs().mean()) < 1.5
    assert float((found - level)[~like].abs().mean()) < 1.5


def test_frames_without_a_mouth_do_not_count(fitted):
    _, heard, probabilities, agreement, mask = windows()

    def estimate() -> torch.Tensor:
        return fitted(fitted.describe(heard, probabilities, agreement, mask))

    mask[:, 40:] = False
    agreement.local[:, 40:] = -50.0
    found = estimate()
    agreement.local[:, 40:] = 50.0
    assert torch.equal(found, estimate())
    agreement.local[:, 0] = -50.0
    assert not torch.equal(found, estimate())


def test_a_window_without_any_mouth_gives_a_number(fitted):
    _, heard, probabilities, agreement, mask = windows()
    found = fitted(fitted.describe(heard, probabilities, agreement, torch.zeros_like(mask)))
    assert bool(found.isfinite().all())


def test_too_few_windows_are_told():
    estimate = LevelEstimate()
    with pytest.raises(ValueError, match=r"3 windows are too few for 23 features"):
        estimate.fit(torch.zeros(3, 23), torch.zeros(3))
