"""The noise classifier: padding does not count, both heads learn."""

import pytest
import torch

from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions

SMALL = ScenarioOptions(categories=("low", "high"), mel_bins=16, channels=8, hidden=8)


def tones(rows: int, seed: int = 0):
    """Noise in the lower or the upper half of the bins, at levels of -10 to 10 dB."""
    generator = torch.Generator().manual_seed(seed)
    mel = 0.1 * torch.randn(rows, 16, 48, generator=generator)
    category = torch.randint(0, 2, (rows,), generator=generator)
    snr_db = 20 * torch.rand(rows, generator=generator) - 10
    for row in range(rows):
        half = slice(0, 8) if category[row] == 0 else slice(8, 16)
        mel[row, half] += 1 - snr_db[row] / 20
    return mel, category, snr_db


@pytest.fixture(scope="module")
def trained() -> ScenarioClassifier:
    torch.manual_seed(0)
    classifier = ScenarioClassifier(SMALL)
    optimiser = torch.optim.AdamW(classifier.parameters(), 1e-2)
    mel, category, snr_db = tones(128)
    for _ in range(150):
        logits, level = classifier(mel)
        loss = torch.nn.functional.cross_entropy(logits, category)
        loss = loss + 0.01 * (level - snr_db).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return classifier.eval()


def test_both_heads_learn(trained):
    mel, category, snr_db = tones(64, seed=1)
    logits, level = trained(mel)
    found = trained.name(logits.softmax(1), level)
    right = [s.category == SMALL.categories[int(c)] for s, c in zip(found, category, strict=True)]
    assert sum(right) >= 62
    errors = [abs(s.snr_db - float(level)) for s, level in zip(found, snr_db, strict=True)]
    assert sum(errors) / len(errors) < 3


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 7, 8, 9, 30, 47])
def test_padding_does_not_count(trained, frames):
    mel, _, _ = tones(3)
    mask = (torch.arange(48) < frames)[None].expand(3, -1)
    for padded, alone in zip(trained(mel, mask), trained(mel[:, :, :frames]), strict=True):
        torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-4)


def test_mistakes_are_told(trained):
    with pytest.raises(ValueError, match=r"expected \[batch, 16, frames\]"):
        trained(torch.zeros(1, 80, 10))
    with pytest.raises(ValueError, match="no real frame"):
        trained(torch.zeros(1, 16, 10), torch.zeros(1, 10, dtype=torch.bool))
    with pytest.raises(ValueError, match="'steps' is"):
        ScenarioOptions(steps=(1, 1))
    with pytest.raises(ValueError, match="two or more"):
        ScenarioOptions(categories=("noise",))
