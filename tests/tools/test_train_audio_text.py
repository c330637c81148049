"""A small embedding of sounds from an experiment's sounds: what it is told, and what it becomes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from modalities.audio_text.models import load_audio_text
from modalities.separation.network import SeparatorOptions
from tasks.audio_to_image.separation.config import ClipOptions, MixtureOptions, SeparationConfig
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tools.train_audio_text import COLOUR_DB, AudioTextLearning, colour, read_separation

RATE_HZ = 16000
LOOP = LoopOptions(steps=30, batch=12, learning_rate=3e-3, warmup=0, measure_every=30)


@pytest.fixture
def config(tmp_path) -> SeparationConfig:
    """Low, middle and high tones of half a second."""
    random, time = np.random.default_rng(0), np.arange(RATE_HZ // 2) / RATE_HZ
    for label, hz in (("low", 300), ("middle", 1500), ("high", 5500)):
        (tmp_path / "tones" / label).mkdir(parents=True)
        for number in range(6):
            sound = 0.3 * np.sin(2 * np.pi * hz * random.uniform(0.9, 1.1) * time)
            (tmp_path / "tones" / label / f"{number}.wav").write_bytes(encode_wav(sound))
    return SeparationConfig(
        data={"tones": ClipOptions(folder=str(tmp_path / "tones"), validation=0.3)},
        network=SeparatorOptions(sources=3, window_s=0.5, widths=(8, 8), squeeze=4),
        mixtures=MixtureOptions(gain_db=10, equal_levels=True, measured=(2,)),
    )


def test_it_learns_to_name_sounds_and_the_louder_of_two(config, tmp_path):
    folder = tmp_path / "sounds"
    found = train(AudioTextLearning(config, 8, (8, 16)), LOOP, folder, device="cpu")
    assert found["named"] > 90 and found["louder_named"] > 70
    model = load_audio_text(Path(folder))
    assert (model.dim, model.rate_hz) == (8, RATE_HZ)
    tone = 0.2 * torch.sin(2 * torch.pi * 5600 * torch.arange(8000) / RATE_HZ)
    texts = model.embed_text(["low", "middle", "The sound of high"])
    assert int((model.embed_audio(tone[None]) @ texts.T).argmax()) == 2


def test_on_a_whisper_its_layer_alone_learns(config, tmp_path):
    task = AudioTextLearning(config, 8, (8, 16), whisper="whisper-tiny.en")
    batch = task.collate([task.load(n, np.random.default_rng(n)) for n in range(3)])
    task.module(batch)["loss"].backward()
    learnt = {name for name, p in task.module.named_parameters() if p.grad is not None}
    assert learnt == {"audio_text.network.weight", "audio_text.network.bias"}
    task.export(tmp_path, {})
    model = load_audio_text(tmp_path)
    assert (model.dim, model.embed_text(["high"]).shape) == (8, (1, 8))


def test_what_is_heard_is_told_by_its_energy(config):
    task = AudioTextLearning(config, 8, (8, 16))
    for number in range(8):
        example = task.load(number, np.random.default_rng(number))
        assert example["waves"].shape == (8000,)
        assert example["amounts"].sum() == pytest.approx(1)
    alone = task._mix(task.trained, 1, np.random.default_rng(0), 0)
    assert sorted(alone["amounts"].tolist()) == [0, 0, 1]


def test_sounds_that_train_are_varied_and_those_that_are_measured_are_not(config):
    plain, varied = (AudioTextLearning(config, 8, (8, 16), varied=v) for v in (False, True))
    for part, same in (("trained", False), ("measured", True)):
        one, other = (
            t._mix(getattr(t, part), 1, np.random.default_rng(1)) for t in (plain, varied)
        )
        assert torch.equal(one["waves"], other["waves"]) == same
        assert torch.equal(one["amounts"], other["amounts"])


def test_colour_changes_bands_by_so_much_at_most():
    sound = np.zeros(1024, np.float32)
    sound[512] = 1
    for number in range(5):
        gains = np.abs(np.fft.rfft(colour(sound, np.random.default_rng(number))))
        assert np.abs(20 * np.log10(gains)).max() < COLOUR_DB + 0.1 and np.ptp(gains) > 0.1


def test_an_experiment_of_another_task_is_refused(tmp_path):
    (tmp_path / "base.yaml").write_text("task: painting\nstage: base\n")
    with pytest.raises(ValueError, match="base.yaml is an experiment of painting; expected one of"):
        read_separation(tmp_path / "base.yaml", ())
