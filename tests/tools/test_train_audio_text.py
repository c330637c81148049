"""A small embedding of sounds from an experiment's sounds: what it is told, and what it becomes."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from modalities.audio_text.models import load_audio_text
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.config import ClipOptions, MixtureOptions, SeparationConfig
from tasks.audio_to_image.separation.separator_files import save_separator
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tools.train_audio_text import (
    COLOUR_DB,
    AudioTextLearning,
    colour,
    load_taker,
    read_separation,
    take_one,
)

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


class Halves:
    """Takes a mixture apart into what is heard first, what is heard later, and nothing."""

    device = "cpu"

    @staticmethod
    def network(waves: torch.Tensor) -> torch.Tensor:
        first = torch.arange(waves.shape[1]) < waves.shape[1] // 2
        return torch.stack([waves * first, waves * ~first, torch.zeros_like(waves)], 1)


def test_a_source_that_was_taken_out_is_what_most_of_it_is():
    time = np.arange(800) / RATE_HZ
    low, high = (np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (400, 4000))
    sounds = np.stack([low * (time < 0.025), 0.5 * high * (time >= 0.02)])
    drawn = set()
    for number in range(12):
        random = np.random.default_rng(number)
        source, amounts = take_one(sounds.sum(0), sounds, Halves(), random)
        later = int(source[600:].any())
        drawn.add(later)
        assert later != source[:300].any() and int(amounts.argmax()) == later
        kept = np.square([sounds[0, :400], sounds[1, 400:]]).sum(1)[later]
        assert amounts[later] == pytest.approx(kept**2 / np.square(sounds[later]).sum(), rel=0.05)
    assert drawn == {0, 1}


def test_half_of_the_mixtures_are_taken_apart(config):
    plain, apart = (AudioTextLearning(config, 8, (8, 16), separator=s) for s in (None, Halves()))
    taken = []
    for number in range(40):
        one, other = (t._mix(t.trained, 2, np.random.default_rng(number)) for t in (plain, apart))
        taken.append(not torch.equal(one["waves"], other["waves"]))
        assert float(other["amounts"].sum()) == pytest.approx(1, abs=1e-5)
        alone = apart._mix(apart.trained, 1, np.random.default_rng(number))
        assert sorted(alone["amounts"].tolist()) == [0, 0, 1]
    assert 10 < sum(taken) < 30


def test_a_separator_of_another_rate_is_refused(config, tmp_path):
    options = SeparatorOptions(2, 0.5, 8000, 128, 64, (8, 8), 4)
    save_separator(tmp_path, SeparationNetwork(options), SeparatorCard(network=asdict(options)))
    with pytest.raises(ValueError, match="sound of 8000 Hz apart; expected 16000"):
        load_taker(str(tmp_path), config, "cpu")


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
