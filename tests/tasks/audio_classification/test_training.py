"""From a folder of sounds to a classifier, and what bad input gets."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modalities.audio.ast import random_ast
from tasks.__main__ import run
from tasks.audio_classification import SoundClassifier
from tasks.audio_classification.classifier_files import load_classifier, read_card
from tasks.audio_classification.config import ClassificationConfig, SoundDataOptions
from tasks.audio_classification.model import SoundModel
from tasks.audio_classification.training import SoundClassification
from tasks.scoring.calibration import fit_temperature
from tasks.scoring.classification import accuracy
from tasks.training.loop import LoopOptions, train

from .conftest import RATE_HZ, tone, write_wav

LOOP = LoopOptions(steps=60, batch=8, learning_rate=0.02, warmup=0, measure_every=60)


def experiment(tones: Path, encoder: str, **changes) -> ClassificationConfig:
    data = SoundDataOptions(folder=str(tones), validation=0.2)
    config = ClassificationConfig(data=data, encoder=encoder, window_s=0.5, loop=LOOP)
    return replace(config, **changes)


CONFORMER = {"method": "conformer", "options": {"rank": 4, "kernel": 5}, "norms": True}


@pytest.fixture(scope="module")
def trained(tones, encoder, tmp_path_factory) -> Path:
    """A classifier with batch statistics of its own."""
    folder = tmp_path_factory.mktemp("trained")
    config = experiment(tones, encoder, **CONFORMER)
    train(SoundClassification(config), config.loop, folder, device="cpu")
    return folder


def yaml(path: Path, folder: Path, encoder: str, more: str = "") -> str:
    path.write_text(
        f"""
task: audio_classification
data: {{folder: {folder}, validation: 0.2}}
encoder: {encoder}
window_s: 0.5
{more}
loop: {{steps: 60, batch: 8, learning_rate: 0.02, warmup: 0, measure_every: 60}}
"""
    )
    return str(path)


def test_tones_are_told_apart_by_the_commands(tones, encoder, tmp_path, capsys):
    config = yaml(tmp_path / "tones.yaml", tones, encoder, "method: bottleneck")
    assert run(["train", config, "-o", str(tmp_path / "set"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 100
    unseen = write_wav(tmp_path / "high.wav", tone(2500, 0.5, 99))
    both = write_wav(
        tmp_path / "both.wav", np.concatenate([tone(300, 0.5, 98), tone(2500, 1.1, 97)])
    )
    command = ["classify", str(unseen), str(both), "--sets", str(tmp_path / "set")]
    assert run([*command, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["clips"]
    assert first["whole"]["guesses"][0]["label"] == "high"
    labels = [window["guesses"][0]["label"] for window in second["windows"]]
    assert labels == ["low", "high", "high", "high"]
    assert second["windows"][-1]["end_s"] == pytest.approx(1.6)
    for heard in (first, second):
        assert sum(g["probability"] for g in heard["whole"]["guesses"]) == pytest.approx(1)
    assert run([*command, "--windows", "--top", "1"]) == 0
    assert capsys.readouterr().out.count("\n") == 2 + 1 + 4


@pytest.mark.parametrize("changes", [CONFORMER, {"method": "full"}, {"method": "lora"}, {}])
def test_a_saved_classifier_is_the_one_that_was_trained(tones, encoder, tmp_path, changes):
    config = experiment(tones, encoder, **changes)
    task = SoundClassification(config)
    train(task, config.loop, tmp_path, device="cpu")
    task.model.eval()
    loaded, card = load_classifier(tmp_path)
    windows = task.parts["test"].windows(0)
    batch = {"inputs": windows.inputs, "mask": windows.mask}
    with torch.no_grad():
        torch.testing.assert_close(loaded.logits(batch), task.model.logits(batch))
    assert card.scores["accuracy"] == accuracy(*task.classify("test"))
    assert card.method == config.method


def test_running_statistics_moved_and_were_saved(trained, encoder):
    model, _ = load_classifier(trained)
    moved = [b for name, b in model.named_buffers() if name.endswith("running_mean")]
    assert len(moved) == 2 and all(b.any() for b in moved)


def test_kept_features_are_those_of_the_encoder(tones, encoder):
    """A head alone is trained on what the encoder made once."""
    config = experiment(tones, encoder)
    task = SoundClassification(config)
    assert task.keeps_features
    task.model.eval()
    logits, labels = task.classify("test")
    with torch.no_grad():
        for index, sound in enumerate(task.parts["test"].sounds):
            windows = task.parts["test"].windows(index)
            expected = task.model.logits({"inputs": windows.inputs, "mask": windows.mask})
            expected = expected.log_softmax(-1).mean(0)
            torch.testing.assert_close(logits[index], expected, atol=1e-5, rtol=1e-4)
            assert task.classes[int(labels[index])] == sound.label
    calls: list[int] = []
    pool = task.model.pool
    task.model.pool = lambda *inputs: (calls.append(1), pool(*inputs))[1]  # type: ignore[method-assign]
    for _ in range(3):
        for index in range(task.size):
            task.load(index, np.random.default_rng(0))
    assert len(calls) == 1  # one batch of 32 windows holds all
    assert not SoundClassification(experiment(tones, encoder, **CONFORMER)).keeps_features


def count_pooled(task: SoundClassification, monkeypatch) -> list[int]:
    """Count the batches that go through the encoder."""
    calls: list[int] = []
    pool = task.model.pool
    monkeypatch.setattr(task.model, "pool", lambda *given: (calls.append(1), pool(*given))[1])
    return calls


def test_features_on_disk_spare_a_second_training_the_encoder(
    tones, encoder, tmp_path, monkeypatch
):
    kept = experiment(tones, encoder, features=str(tmp_path / "kept"))
    heads, calls = [], []
    for name, config in (("memory", experiment(tones, encoder)), ("first", kept), ("second", kept)):
        task = SoundClassification(config)
        calls.append(count_pooled(task, monkeypatch))
        train(task, config.loop, tmp_path / name, device="cpu")
        heads.append(load_classifier(tmp_path / name)[0].head.state_dict())
    assert list(map(len, calls)) == [3, 3, 0]  # a batch for each part
    for head in heads[1:]:
        assert all(torch.equal(value, heads[0][key]) for key, value in head.items())
    cards = [read_card(tmp_path / name) for name in ("memory", "first", "second")]
    assert cards[0] == cards[1] == cards[2]
    assert len(list((tmp_path / "kept").rglob("*.safetensors"))) == 1
    assert not SoundClassification(replace(kept, **CONFORMER)).keeps_features


def test_kept_features_are_not_those_of_another_encoder_or_sound(
    tones, encoder, tmp_path, monkeypatch
):
    changed = shutil.copytree(tones, tmp_path / "changed")
    config = experiment(changed, encoder, features=str(tmp_path / "kept"))
    first = SoundClassification(config)
    first.classify("test")
    first.features.flush()
    again = SoundClassification(config)
    calls = count_pooled(again, monkeypatch)
    again.classify("test")
    assert not calls
    sound = again.parts["test"].sounds[0]
    write_wav(Path(sound.media), tone(400, 0.5, 77))  # under the same name
    heard = SoundClassification(config)
    calls = count_pooled(heard, monkeypatch)
    heard.classify("test")
    assert len(calls) == 1
    place = shutil.copytree(encoder, tmp_path / "encoder")
    config = replace(config, encoder=str(place))
    identities = [SoundClassification(config).features.identity]
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
    random_ast(num_hidden_layers=2, initializer_range=0.2, **sizes).model.save_pretrained(place)
    identities.append(SoundClassification(config).features.identity)
    assert identities[0]["weights"] != identities[1]["weights"]
    assert identities[0] == {**identities[1], "weights": identities[0]["weights"]}


def test_the_best_classifier_is_exported_calibrated_and_scored_as_itself(tones, encoder, tmp_path):
    loop = replace(LOOP, measure_every=5, best="-accuracy")  # the worst, which is not the last
    config = experiment(tones, encoder, loop=loop)
    task = SoundClassification(config)
    found = train(task, loop, tmp_path, device="cpu")
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    worst = min(row["accuracy"] for row in rows)
    assert found["accuracy"] == worst < rows[-1]["accuracy"]
    task.model.eval()
    assert accuracy(*task.classify("validation")) == worst
    card = read_card(tmp_path)
    assert card.command == f"mcgurk train, {found['step']:.0f} steps, seed 0"
    assert card.temperature == fit_temperature(*task.classify("validation"))
    assert card.scores["accuracy"] == accuracy(*task.classify("test"))


def test_the_command_tells_the_best_and_what_it_is_best_by(tones, encoder, tmp_path, capsys):
    config = yaml(tmp_path / "tones.yaml", tones, encoder)
    changes = ["loop.best=-validation_loss", "loop.measure_every=0", "loop.stop_after=1"]
    changes += ["loop.schedule=plateau", "loop.watch=-validation_loss", "loop.learning_rate=1.0"]
    assert run(["train", config, *changes, "-o", str(tmp_path / "set")]) == 0
    told = capsys.readouterr().out
    rows = [json.loads(row) for row in (tmp_path / "set/metrics.jsonl").read_text().splitlines()]
    best = min(rows, key=lambda row: row["validation_loss"])
    assert f"The best by -validation_loss, kept of step {best['step']}: losses" in told
    assert f"validation loss: {best['validation_loss']:.4g}" in told
    assert rows[-1]["step"] < 60 and rows[-2] == best
    assert rows[0]["step"] == 2  # an epoch: 16 sounds by 8


def test_the_same_seed_gives_the_same_classifier_and_another_one_another(tones, encoder, tmp_path):
    def weights(seed: int) -> torch.Tensor:
        config = experiment(tones, encoder, loop=replace(LOOP, seed=seed, steps=3))
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        train(SoundClassification(config), config.loop, folder, device="cpu")
        return load_classifier(folder)[0].head.linear.weight

    first = weights(1)
    assert torch.equal(first, weights(1))
    assert not torch.allclose(first, weights(2))


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 48_000])
def test_any_rate_and_two_channels_sound_the_same(trained, tmp_path, rate_hz):
    classifier = SoundClassifier(trained, device="cpu")
    one = tone(300, 0.5, 50, rate_hz)
    path = write_wav(tmp_path / "two.wav", np.stack([one, one], 1), rate_hz)
    found = classifier.classify(path)
    assert found.whole.label == "low"
    again = classifier.classify(one, rate_hz=rate_hz)
    assert again.whole.label == "low"
    ratio = found.whole.guesses[0].probability / again.whole.guesses[0].probability
    assert ratio == pytest.approx(1, abs=0.05)


def test_a_long_sound_is_read_piece_by_piece_to_the_same_windows(trained, tmp_path):
    """Windows of a file and of its waveform are the same where pieces are whole windows."""
    classifier = SoundClassifier(trained, device="cpu")
    sound = np.concatenate([tone((300, 2500)[n % 2], 0.5, n) for n in range(40)])
    path = write_wav(tmp_path / "long.wav", sound)
    found = classifier.classify(path)
    assert [window.label for window in found.windows] == ["low", "high"] * 20
    assert len(classifier.classify(sound).windows) == 40


# Bad input


def fails(capsys, *arguments: object) -> str:
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 2 and out == "", err
    assert err.startswith("mcgurk: ") and err.count("\n") == 1
    return err


@pytest.fixture
def bad(tones, tmp_path) -> Path:
    folder = tmp_path / "bad"
    shutil.copytree(tones, folder)
    (folder / "high/broken.wav").write_bytes(b"RIFF, and nothing else")
    write_wav(folder / "low/silent.wav", np.zeros(RATE_HZ // 2))
    return folder


def test_sounds_that_cannot_be_used_are_listed_and_left_out_on_demand(
    bad, encoder, tmp_path, capsys
):
    config = yaml(tmp_path / "a.yaml", bad, encoder)
    told = fails(capsys, "train", config, "-o", tmp_path / "out")
    assert "broken.wav" in told or "silent.wav" in told
    assert "--skip-bad" in told
    assert not (tmp_path / "out/classifier.json").exists()
    assert run(["train", config, "-o", str(tmp_path / "out"), "--skip-bad"]) == 0
    told = capsys.readouterr().err
    assert "broken.wav" in told and "silent.wav is silent" in told
    assert len(read_card(tmp_path / "out").left_out) == 2


def test_folders_that_cannot_train_are_told(tones, encoder, tmp_path, capsys):
    empty, one = tmp_path / "empty", tmp_path / "one"
    empty.mkdir()
    shutil.copytree(tones / "high", one / "high")
    parts = tmp_path / "parts"
    shutil.copytree(tones, parts / "train")
    shutil.copytree(tones, parts / "test")
    (parts / "test/low").rename(parts / "test/lower")
    for folder, words in (
        (empty, "expected a folder for each class"),
        (one, "has only the class 'high'; expected two or more"),
        (parts, "Class 'lower' is in test and not in train"),
        (tmp_path / "nowhere", "nowhere"),
    ):
        config = yaml(tmp_path / "a.yaml", folder, encoder)
        assert words in fails(capsys, "train", config, "-o", tmp_path / "out")


def test_entries_that_cannot_be_are_told(tones, encoder, tmp_path, capsys):
    config = yaml(tmp_path / "a.yaml", tones, encoder)
    for change, words in (
        ("loop.seed=ten", "ten"),
        ("norms=maybe", "maybe"),
        ("method=loar", "loar"),
        ("options={rank: 2}", "which has no options"),
        ("window_s=-1", "window_s is -1"),
        ("pooling=most", "known: mean, special"),
        ("data.dataset=esc51", "known: esc50"),
        ("encoder=ast-huge", "No audio encoder 'ast-huge'"),
        ("encoder=whisper-tiny.en window_s=31", "takes up to 30 s"),
        ("data.shots=100", "at most"),
        ("loop.best=acuracy", "loop.best is 'acuracy', and no 'acuracy' is measured"),
        ("loop.best=test_accuracy", "known: loss, accuracy, validation_loss."),
    ):
        changes = change.split(" ") if change.startswith("encoder") else [change]
        told = fails(capsys, "train", config, *changes, "-o", tmp_path / "out")
        assert words in told, told


def test_no_is_no(tones, encoder, tmp_path):
    """The reference parses every boolean as true."""
    from tasks.config import read_config

    config = yaml(tmp_path / "a.yaml", tones, encoder, "method: bottleneck\nnorms: true")
    read = read_config(ClassificationConfig, config, ["norms=false", "loop.seed=7"])
    assert read.norms is False and read.loop.seed == 7


def test_sets_and_clips_that_do_not_fit_are_told(trained, tones, tmp_path, capsys):
    good = tones / "high/0.wav"
    silent = write_wav(tmp_path / "silent.wav", np.zeros(RATE_HZ))
    short = write_wav(tmp_path / "short.wav", tone(300, 0.01, 0))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    for clip, words in (
        (silent, "silent.wav is silent"),
        (short, "too little sound"),
        (text, "text.wav"),
        (tmp_path / "none.wav", "none.wav"),
    ):
        assert words in fails(capsys, "classify", clip, "--sets", trained)
    assert run(["classify", str(good), str(silent), "--sets", str(trained), "--skip-bad"]) == 0
    found = capsys.readouterr()
    assert "high" in found.out and "left out" in found.err
    assert "There is no set 'birds'" in fails(capsys, "classify", good, "--sets", "birds")
    other = ("classify", good, "--sets", trained, "--model", "whisper-tiny.en")
    assert "does not fit whisper-tiny.en" in fails(capsys, *other)
    assert "top is 0" in fails(capsys, "classify", good, "--sets", trained, "--top", 0)
    damaged = tmp_path / "damaged"
    shutil.copytree(trained, damaged)
    (damaged / "head.safetensors").write_bytes(b"x")
    assert "head.safetensors is damaged" in fails(capsys, "classify", good, "--sets", damaged)
    (damaged / "classifier.json").unlink()
    assert "holds no classifier.json" in fails(capsys, "classify", good, "--sets", damaged)


def test_a_waveform_of_two_channels_is_refused(trained):
    with pytest.raises(ValueError, match=r"has shape \(8000, 2\); expected \[samples\]"):
        SoundClassifier(trained, device="cpu").classify(np.zeros((8000, 2), np.float32))


def test_models_of_one_call_do_not_share(trained):
    one, _ = load_classifier(trained)
    two, _ = load_classifier(trained)
    assert isinstance(one, SoundModel)
    one.head.bias.data.fill_(3)
    assert not torch.equal(one.head.bias, two.head.bias)
