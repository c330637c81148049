"""Every method learns: a few steps on a real task lower the loss."""

import numpy as np
import pytest
import torch
from torch import Tensor

from fusion.adapters.interface import attach
from fusion.methods.catalog import METHODS
from modalities.audio.log_mel import LogMel
from modalities.catalog import load_encoder

STEPS, CLIPS_PER_CLASS, FRAMES = 12, 1, 100
# Where the step size that suits most methods does not.
RATES: dict[str, float] = {"prefix": 3e-2, "gated_prompts": 3e-2}
OPTIONS: dict[str, dict] = {}


def spoken_digits(shared_data) -> tuple[list[np.ndarray], list[int]]:
    from data_prep.media import read_audio

    folder = shared_data / "fsdd"
    paths = [
        path
        for digit in range(10)
        for path in sorted(folder.rglob(f"{digit}_jackson_*.wav"))[:CLIPS_PER_CLASS]
    ]
    return [read_audio(path) for path in paths], [int(path.name[0]) for path in paths]


def tones() -> tuple[list[np.ndarray], list[int]]:
    rng = np.random.default_rng(0)
    time_s = np.arange(16_000) / 16_000
    labels = list(range(10)) * CLIPS_PER_CLASS
    sounds = [np.sin(2 * np.pi * 200 * 1.3**label * time_s) for label in labels]
    return [(0.3 * s + rng.normal(0, 0.02, len(s))).astype(np.float32) for s in sounds], labels


@pytest.fixture(scope="module")
def task(request) -> tuple[Tensor, Tensor]:
    """Log-mel of short clips, [clips, 80, frames], and their classes."""
    try:
        sounds, labels = spoken_digits(request.getfixturevalue("shared_data"))
    except pytest.skip.Exception:
        sounds, labels = tones()
    log_mel = LogMel(80)
    padded = np.stack([np.resize(np.pad(s, (0, 16_000)), 16_000)[: FRAMES * 160] for s in sounds])
    mel = log_mel(log_mel.pad(torch.from_numpy(padded.astype(np.float32))))[..., :FRAMES]
    return mel, torch.tensor(labels)


@pytest.mark.parametrize("name", list(METHODS))
def test_a_few_steps_lower_the_loss(name, task):
    mel, labels = task
    torch.manual_seed(0)
    encoder = load_encoder("whisper-tiny.en")
    head = torch.nn.Linear(384, 10)

    def loss_of(model) -> Tensor:
        pooled = model(mel).values.mean(1)
        return torch.nn.functional.cross_entropy(head(pooled), labels)

    def calibrate(model):
        yield loss_of(encoder)

    where = None
    adapters = attach(encoder, name, OPTIONS.get(name), where, calibrate=calibrate)
    # The head stays as it is, so that what is learnt is learnt by the adapter.
    optimiser = torch.optim.AdamW(adapters.parameters("default"), lr=RATES.get(name, 3e-3))
    encoder.train()
    losses = []
    for _ in range(STEPS):
        loss = loss_of(encoder)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < losses[0] - 0.02, losses


@pytest.mark.parametrize(
    ("method", "options"), [("mosa", {}), ("lora", {"dropout": 0.5}), ("convpass", {})]
)
def test_adapters_in_a_frozen_encoder_follow_its_mode_and_the_rest_does_not(method, options, task):
    mel, _ = task
    encoder = load_encoder("whisper-tiny.en")
    frozen = [module for module in encoder.modules() if not list(module.children())]
    adapters = attach(encoder, method, options)
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter.normal_(std=0.1)

        def twice() -> bool:
            first, second = (encoder(mel[:1]).values for _ in range(2))
            return torch.equal(first, second)

        assert twice()
        encoder.train()
        assert not twice()
        assert not any(module.training for module in frozen)
        encoder.eval()
        assert twice()
