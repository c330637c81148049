"""From a folder of sounds to a separator: what is mixed, learnt, measured and written."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.media import read_audio
from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MANIFEST, MixedSound, Source, write_mixtures
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.separation.clips import Clip, Clips
from tasks.audio_to_image.separation.config import (
    ClipOptions,
    LossOptions,
    MixtureOptions,
    SeparationConfig,
)
from tasks.audio_to_image.separation.model import SeparationModel
from tasks.audio_to_image.separation.separator import Separator
from tasks.audio_to_image.separation.training import Separation
from tasks.config import read_config
from tasks.training.loop import LoopOptions, train

RATE_HZ = 16000
LOOP = LoopOptions(steps=4, batch=4, learning_rate=0.01, warmup=0, measure_every=4)
MIXTURES = MixtureOptions(equal_levels=True, gain_db=6, measured=(2,), count=4)
FULL = LossOptions(alignment=1, ranking=1, schedule="handed_over")


@pytest.fixture(scope="module")
def tones(tmp_path_factory) -> Path:
    """Tones of three pitches, in folders that are named after the band of `PitchText`."""
    folder, random = tmp_path_factory.mktemp("tones"), np.random.default_rng(0)
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    for band, hz in ((0, 300), (2, 1500), (8, 5500)):
        (folder / f"band {band}").mkdir()
        for number in range(4):
            sound = 0.3 * np.sin(2 * np.pi * hz * random.uniform(0.9, 1.1) * time)
            (folder / f"band {band}" / f"{number}.wav").write_bytes(encode_wav(sound))
    return folder


@pytest.fixture
def experiment(tones, small) -> SeparationConfig:
    return SeparationConfig(
        data={"tones": ClipOptions(folder=str(tones), validation=0.25)},
        network=small,
        mixtures=MIXTURES,
        prompt="the {label}",
        loop=LOOP,
    )


def test_full_size_learns_the_published_number_of_weights(audio_text):
    with torch.device("meta"):
        model = SeparationModel(SeparationNetwork(SeparatorOptions()), FULL, audio_text)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 58_085_983


def test_training_takes_tones_apart(experiment, tmp_path):
    loop = replace(LOOP, steps=40, batch=8, measure_every=40)
    measured = train(Separation(experiment), loop, tmp_path, device="cpu")
    assert measured["sisdri_2"] > 5
    assert measured["bound_sisdri_2"] > measured["sisdri_2"]
    separator = Separator.load(tmp_path, "cpu")
    time = np.arange(RATE_HZ) / RATE_HZ
    tones = np.stack(
        [level * np.sin(2 * np.pi * hz * time) for level, hz in ((0.1, 290), (0.3, 1550))]
    )
    found = separator.separate(tones.sum(0), RATE_HZ)
    loudest = found.sources[0]
    assert abs(np.corrcoef(loudest, tones[1])[0, 1]) > 0.9
    assert separator.card.scores["sisdri_2"] == pytest.approx(measured["sisdri_2"])


def test_a_training_can_begin_with_a_trained_separator(experiment, tmp_path):
    train(Separation(experiment), LOOP, tmp_path, device="cpu")
    trained = Separator.load(tmp_path, "cpu").network.state_dict()
    begun = Separation(replace(experiment, start=str(tmp_path)))
    for name, value in begun.model.network.state_dict().items():
        torch.testing.assert_close(value, trained[name], atol=0, rtol=0)
    more = tmp_path / "more"
    train(begun, LOOP, more, device="cpu")
    assert f"begun with {tmp_path}" in Separator.load(more, "cpu").card.command


def test_what_a_training_cannot_begin_with_is_told(experiment, tmp_path):
    with pytest.raises(FileNotFoundError):
        Separation(replace(experiment, start=str(tmp_path / "none")))
    wider = replace(experiment, network=replace(experiment.network, widths=(16, 16)))
    with pytest.raises(
        ValueError, match=r"scenes.* has sources 3, not .*; expected the same sizes"
    ):
        Separation(replace(wider, network=replace(wider.network, sources=4), start="scenes"))


def test_sources_and_mixture_are_embedded_in_one_pass_with_gradients(experiment, audio_text):
    config = replace(experiment, audio_text="pitch", loss=FULL)
    task = Separation(config, audio_text)
    batch = task.collate([task.load(n, np.random.default_rng(n)) for n in range(3)])
    task.model.learnt.fill_(8)
    losses = task.model(batch)
    assert audio_text.batches == [3 * (3 + 1)]
    assert set(losses) == {"loss", "reconstruction_loss", "alignment_loss", "ranking_loss"}
    without = task.model.options.reconstruction * losses["reconstruction_loss"]
    (losses["loss"] - without).backward()
    assert task.model.scale.grad is not None
    grads = [p.grad for p in task.model.network.parameters() if p.grad is not None]
    assert any(grad.abs().sum() > 0 for grad in grads)


def test_reconstruction_never_vanishes():
    for options in (LossOptions(), FULL, replace(FULL, least=0.01)):
        for progress in np.linspace(0, 1, 11):
            own, _ = options.parts(progress)
            assert own > 0
    assert FULL.parts(0.0) == (1, 0)
    assert FULL.parts(1.0) == (pytest.approx(0.1), pytest.approx(0.9))
    with pytest.raises(ValueError, match="without it nothing is taken apart"):
        replace(FULL, least=0.0)


def test_losses_are_handed_over_as_training_goes_on_also_after_an_interrupt(
    experiment, audio_text, tmp_path
):
    config = replace(experiment, audio_text="pitch", loss=FULL)

    class Stopped(Exception):
        pass

    def stop(done: float, _: float | None) -> None:
        if done == 2 and not stopped:
            stopped.append(done)
            raise Stopped

    stopped: list[float] = []
    loop = replace(LOOP, checkpoint_every=1)
    whole = train(Separation(config, audio_text), loop, tmp_path / "whole", device="cpu")
    with pytest.raises(Stopped):
        train(Separation(config, audio_text), loop, tmp_path / "two", stop, device="cpu")
    task = Separation(config, audio_text)
    assert train(task, loop, tmp_path / "two", device="cpu") == whole
    assert int(task.model.learnt) == LOOP.steps
    assert whole["rank_agreement_2"] <= 1


def test_a_mixture_has_clips_of_different_labels_and_silence_for_what_it_has_less(experiment):
    options = replace(MIXTURES, fewest=1, most=3)
    task = Separation(replace(experiment, mixtures=options))
    heard = set()
    for number in range(12):
        example = task.load(number % task.size, np.random.default_rng(number))
        labels = [n for n in example["labels"].tolist() if n >= 0]
        loud = example["references"].abs().amax(1) > 0
        assert len(set(labels)) == len(labels) == int(loud.sum())
        assert task.labels[labels[0]] == task.trained.clips[number % task.size].labels[0]
        heard.add(len(labels))
    assert heard == {1, 2, 3}


def test_references_can_be_mixtures_themselves(experiment):
    options = replace(MIXTURES, fewest=1, most=1, clips=3)
    task = Separation(replace(experiment, mixtures=options))
    examples = [task.load(0, np.random.default_rng(number)) for number in range(12)]
    assert {int((example["labels"] >= 0).sum()) for example in examples} == {1, 2, 3}
    assert all(example["references"].shape == (1, 8000) for example in examples)


def test_held_out_mixtures_are_the_same_each_time(experiment):
    task = Separation(experiment)
    task.model.eval()
    assert task.measure() == task.measure()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {}}, "data is empty"),
        ({"loss": FULL}, "name the model that embeds sounds"),
        ({"mixtures": replace(MIXTURES, measured=(4,))}, "sources is 3 and a mixture has 4"),
        ({"prompt": "sound"}, "expected {label} in it"),
    ],
)
def test_experiments_that_cannot_be_are_refused(experiment, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(experiment, **changes)


def test_too_few_labels_are_told_before_the_training(experiment):
    with pytest.raises(ValueError, match="9 sounds of 3 different 'label' cannot be mixed 4"):
        Separation(replace(experiment, mixtures=replace(MIXTURES, clips=2)))


def test_silent_sounds_are_told_or_left_out(experiment, tones, tmp_path):
    shutil.copytree(tones, tmp_path, dirs_exist_ok=True)
    (tmp_path / "band 0/silent.wav").write_bytes(encode_wav(np.zeros(8000)))
    data = ClipOptions(folder=str(tmp_path), validation=0.25)
    with pytest.raises(ValueError, match="1 of .*silent.wav is silent"):
        Separation(replace(experiment, data={"tones": data}))
    task = Separation(replace(experiment, data={"tones": replace(data, skip_bad=True)}))
    assert len(task.left_out) == 1


def test_known_sources_of_a_manifest_are_sounds_of_their_own_unless_mixtures_are_taken_whole(
    experiment, tones, tmp_path
):
    files = [sorted((tones / f"band {band}").iterdir()) for band in (0, 2, 8)]
    rows = []
    for number in range(4):
        sources = tuple(
            Source(str(of[number]), f"band {band}", 0.0, 1 / 3)
            for of, band in zip(files, (0, 2, 8), strict=True)
        )
        fold = "train" if number < 3 else "test"
        labels = tuple(source.label for source in sources)
        media = str(files[0][number])  # of a true manifest, their sum
        rows.append(MixedSound(str(number), media, labels, fold, sources=sources))
    write_mixtures(tmp_path / MANIFEST, rows)
    data = ClipOptions("manifest", str(tmp_path))
    task = Separation(replace(experiment, data={"mixed": data}))
    assert (task.size, len(task.measured), task.trained.most_labels) == (9, 3, 1)
    data, mixed = replace(data, whole=True), replace(MIXTURES, apart="clip", measured=(1,))
    task = Separation(replace(experiment, data={"mixed": data}, mixtures=mixed))
    assert (task.size, len(task.measured), task.trained.most_labels) == (3, 1, 3)
    write_mixtures(tmp_path / MANIFEST, [rows[0], replace(rows[-1], start_s=99.0)])
    with pytest.raises(ValueError, match=r"1 of 1 sounds .* ends before 99 s"):
        Separation(replace(experiment, data={"mixed": data}, mixtures=mixed))
    assert task.load(0, np.random.default_rng(0))["labels"].tolist() == [0, 1, 2, -1, -1, -1]


def test_a_small_model_of_sound_and_text_lies_beside_the_separator(experiment, tmp_path):
    small_models = pytest.importorskip("modalities.audio_text.small_audio_text")
    texts, sizes = ("band 0", "band 2", "band 8"), dict(dim=8, mel_bins=16, widths=(8, 8))
    model = small_models.build_small_audio_text(texts, **sizes)
    small_models.save_small_audio_text(model, tmp_path / "at")
    config = replace(
        experiment,
        audio_text=str(tmp_path / "at"),
        keep_audio_text=True,
        loss=FULL,
        prompt="the sound of {label}",
    )
    measured = train(Separation(config), LOOP, tmp_path / "out", device="cpu")
    assert {*measured, "step"} == {*config.measures, "step"}
    shutil.rmtree(tmp_path / "at")
    separator = Separator.load(tmp_path / "out", "cpu")
    found = separator.separate(0.1 * np.sin(np.arange(9000)), RATE_HZ)
    assert found.embeddings is not None and found.embeddings.shape == (3, 8)
    assert separator.name_sources(found.embeddings)[0][0] in texts
    other = small_models.build_small_audio_text(texts, 1, **sizes)
    with pytest.raises(ValueError, match="is another model, of 8"):
        Separator.load(tmp_path / "out", "cpu", other)


def test_an_experiment_is_read_from_yaml(tmp_path):
    path = tmp_path / "separation.yaml"
    path.write_text(
        "task: separation\n"
        "data:\n"
        "  digits: {dataset: fsdd_digit, folder: digits, speakers: [lucas]}\n"
        "  noise: {folder: noise}\n"
        "network: {sources: 4, widths: [16, 32, 64], reads: log_power, window_s: 2}\n"
        "mixtures: {fewest: 2, most: 3, measured: [2, 3]}\n"
        "loop: {steps: 10, best: sisdri_2}\n"
    )
    config = read_config(SeparationConfig, path, ["loss.least=0.2", "data.noise.skip_bad=true"])
    assert config.data["digits"] == ClipOptions("fsdd_digit", "digits", ("lucas",))
    assert config.data["noise"].skip_bad
    assert config.network.widths == (16, 32, 64) and config.loss.least == 0.2


def test_a_recording_is_decoded_once_for_all_its_stretches(tmp_path, monkeypatch):
    path = tmp_path / "long.wav"
    path.write_bytes(encode_wav(np.random.default_rng(0).normal(size=4 * RATE_HZ) * 0.1))
    read, decoded = read_audio, []
    monkeypatch.setattr(
        "tasks.audio_to_image.separation.clips.read_audio",
        lambda media: decoded.append(media) or read(media),
    )
    stretches = [Clip(str(n), str(path), ("noise",), "noise", n, n + 1) for n in range(4)]
    clips = Clips(stretches, MIXTURES, RATE_HZ, RATE_HZ)
    found = [clips.read(clip) for clip in stretches]
    assert decoded == [str(path)]
    np.testing.assert_array_equal(np.concatenate(found), read(path))
    assert all(sound.base is None or sound.base.nbytes == sound.nbytes for sound in found)


def test_voices_are_hastened_and_slowed_in_training_alone(experiment):
    options = replace(MIXTURES, gain_db=0, speed=1.5)
    task = Separation(replace(experiment, mixtures=options))

    def pitches(clips):
        drawn = [clips.draw(1, np.random.default_rng(n), 0)[0][0] for n in range(12)]
        return [np.abs(np.fft.rfft(one)).argmax() * RATE_HZ / len(one) for one in drawn]

    varied, same = pitches(task.trained), pitches(task.measured)
    assert max(varied) / min(varied) > 1.5 and max(same) / min(same) < 1.02
    with pytest.raises(ValueError, match="speed is 0.5"):
        replace(MIXTURES, speed=0.5)
