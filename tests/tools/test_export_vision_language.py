"""A model that was trained as a whole becomes one that others start from."""

import sys
from dataclasses import asdict, replace

import pytest
import torch

from modalities.vision_language.vl_files import load_vision_language
from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.training import VisionLanguageTraining
from tools import export_vision_language as tool
from tools.export_vision_language import export_vision_language
from tools.exporting import write_model_card


@pytest.fixture(scope="module")
def trained(experiment, tmp_path_factory):
    """What one step of each method left, by method."""
    folder = tmp_path_factory.mktemp("trained")
    for method, options in (("full", {}), ("adapter", {"rank": 4})):
        loop = {"steps": 1, "warmup": 0, "learning_rate": 0.01}
        config = experiment(method=method, options=options, loop=loop, licence="CC0-1.0")
        task = VisionLanguageTraining(config)
        train(task, config.loop, folder / method, device="cpu", settings=asdict(config))
    return folder


def logits_of(vl, features):
    asked, said = vl.tokenize(["is it red ?"]), vl.tokenize(["yes"])
    with torch.no_grad():
        return vl.logits(vl.encode(asked.ids, asked.mask, features), said.ids)


def test_it_answers_as_what_was_trained(trained, asked_folder, tmp_path):
    expected = Answerer.load(trained / "full", "cpu").tuned.vl
    features = torch.randn(1, 4, expected.visual_embedding.feature_dim)
    logits = logits_of(expected, features)
    for name, tolerance in (("whole", 1e-5), ("half", 0.02)):
        export_vision_language(trained / "full", tmp_path / name, half=name == "half")
        found = logits_of(load_vision_language(tmp_path / name), features)
        torch.testing.assert_close(found, logits, atol=tolerance * float(logits.std()), rtol=0)
    before = logits_of(load_vision_language(asked_folder / "bart"), features)
    assert (before - logits).abs().max() > 0.02 * logits.std()
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]


def test_the_card_tells_scores_and_licence_and_what_it_is_not(trained, tmp_path):
    card = Answerer.load(trained / "full", "cpu").card
    card = replace(card, scores={"test_vqa": 61.46, "validation_loss": 1.0})
    text = tool.describe(card, "shapes")
    assert text.startswith("---\nlicense: cc0-1.0\n---\n# shapes\n") and "vqa 61.5." in text
    assert "validation" not in text and "not a model of the world" not in text
    assert "What it is not: a model of the world." in text and card.data in text
    assert "not measured" in tool.describe(replace(card, scores={}), "shapes")


def test_a_cards_lines_are_no_longer_than_a_page_is_wide(tmp_path):
    words = " ".join(["some/folder"] * 20)
    write_model_card(tmp_path, f"---\nlicense: x\n---\n# a\n\nIt saw {words}\nand more.\n\nb\nc\n")
    write_model_card(tmp_path / "list", f"* {words}\n* b\n")
    assert "\n* b\n" in (tmp_path / "list/README.md").read_text()
    text = (tmp_path / "README.md").read_text()
    assert max(map(len, text.splitlines())) <= 100 and text.endswith("\n\nb\nc\n")
    assert text.split() == f"--- license: x --- # a It saw {words} and more. b c".split()


def test_what_was_not_trained_as_a_whole_is_refused_in_one_line(
    trained, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["export", str(trained / "adapter"), str(out)])
    with pytest.raises(SystemExit) as stop:
        tool.main()
    err = capsys.readouterr().err
    assert stop.value.code == 2 and not out.exists() and err.count("\n") == 1
    assert "trained by method 'adapter'; expected 'full'" in err


def test_the_command_writes_a_model_and_its_card(trained, tmp_path, monkeypatch, capsys):
    out = tmp_path / "small"
    monkeypatch.setattr(sys, "argv", ["export", str(trained / "full"), str(out), "--half"])
    tool.main()
    assert str(out) in capsys.readouterr().out
    assert "# small" in (out / "README.md").read_text(encoding="utf-8")
    assert load_vision_language(out).visual_embedding.feature_dim
