"""The small VL-BART as it begins: of any words, the same from the same seed, in one command."""

import sys

import pytest
import torch

from data_prep.questions.manifest import Question, write_questions
from modalities.vision_language.vl_files import load_vision_language
from tools import start_vision_language as start

TINY = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16, decoder_ffn_dim=16)


@pytest.fixture(autouse=True)
def eyes(monkeypatch, tmp_path, save_tiny_clipseg):
    """Have models made of the smallest size, and seen for by a tiny encoder."""
    save_tiny_clipseg(tmp_path / "eyes")
    monkeypatch.setattr(start, "SIZES", start.SIZES | TINY)
    return str(tmp_path / "eyes")


def words_of(model, text):
    return len(model.tokenize([text]).ids[0]) - 2


def test_it_knows_words_of_scenes_and_spells_others(tmp_path, eyes):
    start.start_vision_language(tmp_path / "start", images=eyes)
    model = load_vision_language(tmp_path / "start")
    assert words_of(model, "how many red circles") == 4
    assert words_of(model, "zebra") == len(" zebra")
    assert model.spell(model.tokenize(["a zebra"]).ids) == ["a zebra"]
    assert model.visual_embedding.feature_dim == start.load_grid_encoder(eyes).dim


def test_words_and_signs_of_a_manifest_are_one_token_each(tmp_path, eyes):
    rows = [
        Question("1", "vqa", ("a.png",), "Is it a Zebra ?", {"striped": 1.0}),
        Question("2", "caption", ("a.png",), "", {"sunny": 1.0}, ("On a sunny , dry day .",)),
    ]
    write_questions(tmp_path / "manifest.jsonl", rows)
    start.start_vision_language(tmp_path / "start", str(tmp_path), images=eyes)
    model = load_vision_language(tmp_path / "start")
    assert words_of(model, "is it a zebra ?") == 5
    assert words_of(model, "on a sunny , dry day .") == 7
    assert words_of(model, "striped") == words_of(model, "true") == words_of(model, "false") == 1
    assert words_of(model, "circle") == len(" circle")


def test_the_seed_fixes_all_weights(tmp_path, eyes):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        start.start_vision_language(tmp_path / name, seed=seed, images=eyes)
    one, same, other = (load_vision_language(tmp_path / name).state_dict() for name in "abc")
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(one["model.model.shared.weight"], other["model.model.shared.weight"])


def test_the_command_says_what_it_wrote_or_in_one_line_why_not(tmp_path, eyes, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["start", str(tmp_path / "start"), "--images", eyes])
    start.main()
    assert "a VL-BART of " in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["start", str(tmp_path / "no"), "--words", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        start.main()
    assert stop.value.code == 2 and not (tmp_path / "no").exists()
    err = capsys.readouterr().err
    assert str(tmp_path) in err and err.count("\n") == 1
