"""mcgurk evaluate, with a recogniser that writes the same whatever it hears."""

import json
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_prep.clips.prepare import prepare
from data_prep.datasets.speech.grid import find_grid_clips
from fusion.scenarios.classifier import Scenario
from tasks.__main__ import run
from tasks.avsr.sets.contract import Heard

NAMES = ("bbaf2n", "sgwo1p", "pwbz5s")


class Fake:
    """Always hears bbaf2n, and babble."""

    groups = {"audio": ("audio",), "category": ("babble", "music")}

    def plain(self, utterances):
        return [Heard("bin blue at F2") for _ in utterances]

    def with_set(self, utterances, name):
        return [Heard("Bin blue at F2, now.") for _ in utterances]

    def describe(self, utterances):
        return [Scenario("babble", 0.9, 0.0, 1.0) for _ in utterances]

    def choose(self, scenario, by):
        return scenario.category


@pytest.fixture
def loaded(monkeypatch):
    """What the loader was asked for."""
    asked = []

    def load_all(model, sets, device):
        asked.append((model, sets, device))
        return Fake()

    monkeypatch.setitem(
        sys.modules,
        "tasks.avsr.sets.talker_sets",
        SimpleNamespace(load_all=load_all),
    )
    return asked


def write_wav(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).integers(-9000, 9000, 8000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())


@pytest.fixture
def raw(tmp_path) -> Path:
    for number, name in enumerate(NAMES):
        write_wav(tmp_path / f"s1/{name}.wav", number)
    return tmp_path / "s1"


@pytest.fixture
def clips(raw, tmp_path) -> Path:
    """The same, prepared."""
    prepare(find_grid_clips(raw), tmp_path / "prepared", 1)
    return tmp_path / "prepared"


@pytest.fixture
def noise(tmp_path) -> Path:
    write_wav(tmp_path / "noise/music/piece.wav", 9)
    return tmp_path / "noise"


def succeeds(capsys, *arguments: object) -> str:
    code = run(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def fails(capsys, *arguments: object) -> str:
    code = run(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == "" and err.startswith("mcgurk: ") and err.count("\n") == 1
    return err


def test_json_is_the_list_of_rows(capsys, raw, noise, tmp_path, loaded):
    options = ("--noise", noise, "--category", "music", "--snr", -5, "--snr", "0", "--json")
    sets = ("--sets", "grid", "--device", "cpu")
    out = succeeds(capsys, raw, *options, *sets, "--output", tmp_path / "out")
    assert out.count("\n") == 1
    rows = json.loads(out)
    assert rows == json.loads((tmp_path / "out/rows.json").read_text())
    assert {(row["category"], row["snr_db"]) for row in rows} == {
        ("clean", None),
        ("music", -5),
        ("music", 0),
    }
    rates = {row["row"]: row["wer"] for row in rows}
    assert rates["AV category sets + selector"] < rates["plain Whisper"]
    assert loaded == [("whisper-tiny.en", "grid", "cpu")]


def test_tables_say_what_was_done_and_what_was_left_out(capsys, clips, tmp_path, loaded):
    out = " ".join(succeeds(capsys, clips, "-o", tmp_path / "out").split())
    assert "normaliser: grid" in out and "3, 0 of them with video" in out
    assert "plain Whisper" in out and "clean" in out
    assert "Left out: wrong video, for fewer than two clips have video." in out
    assert str(tmp_path / "out/report.md") in out.replace(" ", "")


def test_a_blank_line_stands_after_each_table(capsys, clips, noise, tmp_path, loaded):
    options = ("--noise", noise, "--category", "music", "--snr", 0, "-o", tmp_path / "out")
    lines = [line.strip() for line in succeeds(capsys, clips, *options).splitlines()]
    assert [line.split() for line in lines if line.startswith("row ")] == [["row", "clean"]]
    [noisy] = [at for at, line in enumerate(lines) if line.startswith("music ")]
    assert lines[noisy - 1] == "" and lines[noisy - 2] != ""
    assert lines.count("") == 3


def test_it_goes_on_in_the_same_folder_and_refuses_other_settings(capsys, clips, tmp_path, loaded):
    first = succeeds(capsys, clips, "-o", tmp_path / "out", "--json")
    written = (tmp_path / "out/results.jsonl").read_bytes()
    assert succeeds(capsys, clips, "-o", tmp_path / "out", "--json") == first
    assert (tmp_path / "out/results.jsonl").read_bytes() == written
    assert "seed was 0, is 1" in fails(capsys, clips, "-o", tmp_path / "out", "--seed", 1)


def test_a_configuration_is_taken_and_options_win_over_it(capsys, clips, noise, tmp_path, loaded):
    path = tmp_path / "evaluation.yaml"
    path.write_text(
        f"task: avsr_evaluation\ntarget: {clips}\nnoise: {noise}\ncategories: [music]\n"
        "snr_db: [0]\nmodel: other\n"
    )
    out = succeeds(capsys, path, "--snr", 5, "--json", "-o", tmp_path / "out")
    assert {row["snr_db"] for row in json.loads(out)} == {None, 5}
    assert loaded == [("other", None, "auto")]
    path.write_text(f"task: avsr_evaluation\ntarget: {clips}\nnormalizer: grid\n")
    assert "Did you mean: 'normaliser'" in fails(capsys, path, "-o", tmp_path / "out")


def test_mistakes_are_told_before_a_model_is_loaded(capsys, clips, raw, noise, tmp_path, loaded):
    out = ("-o", tmp_path / "out")
    assert "--noise" in fails(capsys, clips, "--category", "music", *out)
    assert "--noise" in fails(capsys, clips, "--snr", 0, *out)
    assert "rain" in fails(capsys, clips, "--noise", noise, "--category", "rain", *out)
    assert "natural" in fails(capsys, clips, "--noise", noise, "--category", "natural", *out)
    assert "known: whisper, basic, lower" in fails(capsys, clips, "--normaliser", "nothing", *out)
    assert "nowhere" in fails(capsys, tmp_path / "nowhere", *out)
    assert "nowhere.yaml" in fails(capsys, tmp_path / "nowhere.yaml", *out)
    write_wav(raw / "hello.wav", 4)
    assert "without transcript: hello" in fails(capsys, raw, *out)
    assert loaded == [] and not (tmp_path / "out").exists()


def test_too_few_voices_are_told(capsys, clips, noise, tmp_path, loaded):
    options = ("--noise", noise, "--category", "babble", "-o", tmp_path / "out")
    assert "needs 6 recordings besides the clip" in fails(capsys, clips, *options)


@pytest.mark.parametrize("file", ["separator.json", "denoiser.safetensors", "checkpoint.pt"])
def test_a_folder_of_what_is_not_measured_is_told_by_what_it_holds(tmp_path, capsys, file):
    (tmp_path / file).write_text("")
    assert run(["evaluate", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert f"({file}), which is measured while it is trained" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
