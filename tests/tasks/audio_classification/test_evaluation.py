"""mcgurk evaluate on trained classifiers of sounds."""

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

from tasks.__main__ import run
from tasks.audio_classification.card import CARD, read_card
from tasks.audio_classification.config import ClassificationConfig, SoundDataOptions
from tasks.audio_classification.training import SoundClassification
from tasks.training.loop import LoopOptions, train

LOOP = LoopOptions(steps=6, batch=8, warmup=1, learning_rate=0.05)


@pytest.fixture(scope="module")
def trained(tones, encoder, tmp_path_factory) -> Path:
    """A head that hears the two tones well, not perfectly."""
    data = SoundDataOptions("classes", str(tones), validation=0.25)
    config = ClassificationConfig(data=data, encoder=encoder, window_s=0.5, loop=LOOP)
    folder = tmp_path_factory.mktemp("trained") / "tones"
    train(SoundClassification(config), config.loop, folder, device="cpu")
    return folder


def evaluates(capsys, *arguments: object) -> str:
    code = run(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def fails(capsys, *arguments: object) -> str:
    code = run(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.startswith("mcgurk: ") and err.count("\n") == 1
    return err


def test_a_classifier_scores_what_training_measured(capsys, trained, tmp_path):
    out = evaluates(capsys, trained, "-o", tmp_path / "out", "--device", "cpu", "--json")
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found == json.loads((tmp_path / "out/scores.json").read_text())
    for name, value in read_card(trained).scores.items():
        assert found["scores"][name] == pytest.approx(value)
    assert sum(of["sounds"] for of in found["by_class"].values()) == 6
    counted = [count for row in found["confusion"].values() for count in row.values()]
    assert sum(counted) == 6


def test_the_tables_are_printed_and_written(capsys, trained, tmp_path):
    out = " ".join(evaluates(capsys, trained, "-o", tmp_path / "out").split())
    assert "mean average precision" in out and "head alone" in out
    report = (tmp_path / "out/report.md").read_text()
    assert "| class | sounds | accuracy, % | average precision, % |" in report
    assert "| | high | low |" in report.replace("|  |", "| |")


def test_any_folder_or_table_of_labelled_sounds_is_evaluated(capsys, trained, tones, tmp_path):
    table = tmp_path / "sounds.csv"
    places = [(tones / label / f"{n}.wav", label) for label in ("high", "low") for n in range(3)]
    table.write_text("path,label\n" + "".join(f"{path},{label}\n" for path, label in places))
    for sounds, count in ((tones, 24), (table, 6)):
        out = evaluates(capsys, trained, "--sounds", sounds, "-o", tmp_path / "out", "--json")
        found = json.loads(out)
        assert sum(of["sounds"] for of in found["by_class"].values()) == count
        assert str(sounds) in found["facts"]["sounds"]


def test_a_part_is_chosen_and_a_file_says_the_same(capsys, trained, tmp_path):
    path = tmp_path / "evaluation.yaml"
    path.write_text(f"task: audio_classification_evaluation\nclassifier: {trained}\npart: train\n")
    out = ("-o", tmp_path / "out", "--json")
    found = json.loads(evaluates(capsys, path, *out))
    assert found == json.loads(evaluates(capsys, trained, "--part", "train", *out))
    every = json.loads(evaluates(capsys, path, "part=all", *out))
    assert sum(of["sounds"] for of in every["by_class"].values()) == 24


def test_a_folder_with_a_dot_in_its_name_has_a_report_of_its_own(
    capsys, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("tones.1", "tones.2"):
        shutil.copytree(trained, tmp_path / name)
        evaluates(capsys, tmp_path / name, "--device", "cpu")
    path = tmp_path / "of.a.yaml"
    path.write_text(f"task: audio_classification_evaluation\nclassifier: {trained}\n")
    evaluates(capsys, path, "device=cpu")
    folders = sorted(place.name for place in (tmp_path / "build/evaluation").iterdir())
    assert folders == ["of.a", "tones.1", "tones.2"]


def test_mistakes_are_one_line(capsys, trained, tones, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tones, other)
    (other / "high").rename(other / "bird")
    old = tmp_path / "old"
    shutil.copytree(trained, old)
    card = json.loads((old / CARD).read_text())
    (old / CARD).write_text(json.dumps({**card, "sounds": {}}))
    (tmp_path / "a.yaml").write_text("task: audio_classification_evaluation\nclassifer: a\n")
    for arguments, words in (
        ((trained, "--sounds", tmp_path / "nowhere"), "nowhere"),
        ((trained, "--sounds", other), "Class 'bird'"),
        ((trained, "--part", "tests"), "known: train, validation, test, all"),
        ((trained, "--snr", 0), "--snr is no option of audio_classification_evaluation"),
        ((trained, "--noise", tones), "which has --model, --sounds, --part, --skip-bad"),
        ((tones, "--part", "test"), "--part is no option of avsr_evaluation, which has --model"),
        ((old,), "name some with --sounds"),
        ((tmp_path / "a.yaml",), "Did you mean: 'classifier'"),
    ):
        assert words in fails(capsys, *arguments, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_used_stops_or_is_told(capsys, trained, tones, tmp_path):
    sounds = tmp_path / "sounds"
    shutil.copytree(tones, sounds)
    with wave.open(str(sounds / "low/silent.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(8000, "<i2").tobytes())
    arguments = (trained, "--sounds", sounds, "-o", tmp_path / "out")
    assert "silent.wav is silent" in fails(capsys, *arguments)
    out = " ".join(evaluates(capsys, *arguments, "--skip-bad").split())
    assert "Left out:" in out and "silent.wav" in out.replace(" ", "")


def test_a_report_by_its_default_name_is_not_replaced_by_one_on_other_sounds(
    capsys, trained, tones, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    report = Path("build/evaluation", trained.name, "report.md")
    evaluates(capsys, trained)
    first = report.read_text()
    evaluates(capsys, trained)  # of the same
    told = fails(capsys, trained, "--sounds", tones)
    assert 'sounds was ""' in told and "-o" in told
    assert report.read_text() == first
    report.write_text("my notes")
    assert "was changed since mcgurk wrote it" in fails(capsys, trained)
    assert report.read_text() == "my notes"
    evaluates(capsys, trained, "--sounds", tones, "-o", report.parent)  # typed, so meant
    assert report.read_text() != "my notes"
