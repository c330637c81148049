"""mcgurk train on two processes, and mcgurk sets on a collection made here."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from fusion.adapters.interface import attach
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from fusion.sets.card import SetCard
from fusion.sets.files import save_set
from modalities.network_file import save_network
from modalities.speech.whisper import load_whisper
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.__main__ import run
from tasks.avsr.sets.collection import Collection, read_collection, write_collection
from tasks.avsr.sets.set_recogniser import SetRecogniser


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_prepared) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared"), 1.0)


def lips_config(prepared: Path, path: Path, objective: str = "frames") -> Path:
    path.write_text(
        f"""
task: lips
objective: {objective}
data: {{folder: {prepared}}}
lips: {{channels: [4, 8], dim: 16, layers: 1}}
loop: {{steps: 4, batch: 4, warmup: 1, checkpoint_every: 2, measure_every: 4}}
"""
    )
    return path


@pytest.mark.parametrize("objective", ["frames", "ctc"])
def test_lips_are_trained_by_the_command(prepared, tmp_path, capsys, objective):
    config = lips_config(prepared, tmp_path / "lips.yaml", objective)
    assert run(["train", str(config), "-o", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"loss", "frame_accuracy", "word_error_rate"} <= set(found)
    assert (tmp_path / "out/lips.safetensors").is_file()


@pytest.mark.parametrize("holds", [False, True], ids=["no evaluation", "a classifier"])
def test_training_says_whose_measures_it_prints_and_what_comes_next(
    prepared, tmp_path, capsys, holds
):
    out = tmp_path / "my out"
    if holds:  # as training on sounds writes it
        out.mkdir()
        (out / "classifier.json").touch()
    assert run(["train", str(lips_config(prepared, tmp_path / "lips.yaml")), "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "what was measured on the validation data:\n  " in printed
    assert printed.endswith(f"\nTest it with `mcgurk evaluate '{out}'`.\n") == holds
    assert ("mcgurk evaluate" in printed) == holds


def launch_two(logs: Path, *arguments: str) -> tuple[str, dict[str, list[str]]]:
    """Train in two processes; return what the launcher told, and what each process wrote."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]  # any free port
    launch += ["--redirects", "3", "--log-dir", str(logs), "-m", "tasks", "train"]
    ended = subprocess.run([*launch, *arguments], capture_output=True, text=True, timeout=250)
    assert not ended.stdout
    written = {
        name: [path.read_text() for path in sorted(logs.glob(f"*/attempt_0/*/{name}.log"))]
        for name in ("stdout", "stderr")
    }
    return ended.stderr, written


@pytest.mark.slow
def test_of_two_processes_the_first_alone_prints(prepared, tmp_path):
    config = lips_config(prepared, tmp_path / "lips.yaml")
    arguments = [str(config), "--device", "cpu", "--json", "-o", str(tmp_path / "out")]
    told, written = launch_two(tmp_path / "logs", *arguments)
    assert (tmp_path / "out/lips.safetensors").is_file(), (told, written)
    first, second = written["stdout"]
    assert json.loads(first)["step"] == 4
    assert second == "" and written["stderr"] == ["", ""]


def test_a_mistake_of_two_processes_is_one_line(prepared, tmp_path):
    config = lips_config(prepared, tmp_path / "lips.yaml")
    arguments = [str(config), "loop.batch=1", "-o", str(tmp_path / "out")]
    told, written = launch_two(tmp_path / "logs", *arguments)
    assert written["stdout"] == ["", ""]
    assert re.search(r"rank +: 0 .*\n +exitcode +: 2 ", told)
    (line,) = "".join(written["stderr"]).splitlines()
    assert line.startswith("mcgurk: Option 'batch' is 1; expected 2 or more")


def test_mistakes_of_train_are_one_line(prepared, tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("task: dance\n")
    (tmp_path / "b.yaml").write_text("task: lips\nloop: {stesp: 1}\n")
    (tmp_path / "c.yaml").write_text("task: lips\n")
    for path, words in (("a", "known: "), ("b", "stesp"), ("c", "mcgurk prepare"), ("d", "no ")):
        assert run(["train", str(tmp_path / f"{path}.yaml"), "-o", str(tmp_path / "o")]) == 2
        told = capsys.readouterr().err
        assert words in told and told.count("\n") == 1


def test_a_task_without_sounds_to_skip_says_so(prepared, tmp_path, capsys):
    config = lips_config(prepared, tmp_path / "lips.yaml")
    assert run(["train", str(config), "--skip-bad", "-o", str(tmp_path / "o")]) == 2
    told = capsys.readouterr().err
    assert "lips has no data.skip_bad" in told and told.count("\n") == 1


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    whisper = load_whisper("whisper-tiny.en")
    adapters = attach(whisper.model, "lora", {"rank": 2}, ("q", "k", "v", "o"), name="low")
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in adapters.parameters("low"):
            parameter.normal_(0, 0.02)
    save_set(folder / "low", adapters, None, SetCard("low", "whisper-tiny.en"))
    lips = LipNetwork(LipOptions(words=("a",), channels=(4, 8), dim=16, layers=1))
    save_network(lips, folder / "lips.safetensors")
    network = AgreementNetwork(AgreementOptions(lip_dim=16, channels=8, dim=4))
    save_network(network, folder / "agreement.safetensors")
    save_network(ScenarioClassifier(ScenarioOptions(channels=4)), folder / "selector.safetensors")
    groups = {"audio": ["low"], "level": ["low"]}
    described = Collection(
        "made", "whisper-tiny.en", "lips.safetensors", groups, choose_by="level", data="noise"
    )
    write_collection(folder, described)
    return folder


def test_a_merged_set_is_a_whisper_that_says_the_same(collection, tmp_path, capsys):
    assert run(["sets", "merge", str(collection), "low", "-o", str(tmp_path / "merged")]) == 0
    merged = WhisperForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    recogniser = SetRecogniser(load_whisper("whisper-tiny.en"), collection)
    recogniser.adapted.adapters.use("low")
    mel = torch.randn(1, 80, 3000)
    with torch.no_grad():
        one = recogniser.adapted.model.model.encoder(mel).last_hidden_state
        two = merged.model.encoder(mel).last_hidden_state
        recogniser.adapted.adapters.use(None)
        frozen = recogniser.adapted.model.model.encoder(mel).last_hidden_state
    torch.testing.assert_close(one, two, atol=2e-3, rtol=1e-3)
    assert (one - frozen).abs().max() > 0.05
    assert load_whisper(tmp_path / "merged").name.endswith("merged")


def test_an_exported_set_is_one_that_peft_reads(collection, tmp_path):
    from peft import PeftModel

    assert run(["sets", "export", str(collection), "low", "-o", str(tmp_path / "set")]) == 0
    model = load_whisper("whisper-tiny.en").model
    adapted = PeftModel.from_pretrained(model, str(tmp_path / "set"))
    assert sum("lora_A" in name for name, _ in adapted.named_parameters()) == 48


def test_sets_are_listed_and_shown(collection, capsys):
    assert run(["sets", "list", "--json"]) == 0
    json.loads(capsys.readouterr().out)
    assert run(["sets", "show", str(collection), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cards"]["low"]["model"] == "whisper-tiny.en"
    assert found["bytes"] > 100_000
    assert run(["sets", "show", str(collection)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\blow\b.* none ", shown)
    assert max(map(len, shown.splitlines())) <= 80


def test_scores_are_shown_as_a_table(collection, tmp_path, capsys):
    copy = tmp_path / "scored"
    shutil.copytree(collection, copy)
    scores = {"a talker": {"plain": {"clean": 30.5, "0 dB": 109.86}}, "hours": 4}
    write_collection(copy, replace(read_collection(copy), scores=scores))
    assert run(["sets", "show", str(copy)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["plain", "30.5", "109.9"] in [line.split() for line in lines]
    assert "hours: 4" in lines and not any("{" in line for line in lines)


def test_mistakes_of_sets_are_one_line(collection, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").write_text("")
    (tmp_path / "a.yaml").write_text("task: lips\n")
    for arguments, words in (
        (["show", "nothing"], "with mcgurk come"),
        (["show", str(tmp_path)], "holds no collection.json"),
        (["merge", str(collection), "high", "-o", str(tmp_path / "x")], "known: low"),
        (["merge", str(collection), "low", "-o", str(tmp_path / "full")], "is there already"),
        (["export", str(collection), "low", "-o", str(tmp_path / "full")], "is there already"),
        (["collect", str(tmp_path / "a.yaml"), "-o", str(tmp_path / "x")], "use `mcgurk train"),
        (["collect", str(tmp_path / "no.yaml"), "-o", str(tmp_path / "x")], "There is no"),
    ):
        assert run(["sets", *arguments]) == 2
        told = capsys.readouterr().err
        assert words in told and told.count("\n") == 1


def test_sets_of_another_model_are_refused(collection):
    whisper = load_whisper("whisper-tiny.en")
    with pytest.raises(ValueError, match="are for whisper-tiny.en, not for other"):
        SetRecogniser(type(whisper)(whisper.model, whisper.tokenizer, "other", 80), collection)
