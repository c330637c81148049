"""What was trained to take apart and paint sounds becomes what comes along, each with a card."""

import json
import sys
from dataclasses import asdict, replace

import pytest
import torch

from modalities.audio_text.models import load_audio_text
from modalities.audio_text.small_audio_text import build_small_audio_text, save_small_audio_text
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.separator_files import load_separator, save_separator
from tools import export_audio_to_image as tool

SIZES = dict(height=8, width=8, channels=(16,), attention=(0,), heads=2, groups=4)
MEASURED = {"step": 4, "measured": 1.0, "named": 98.25, "validation_loss": 0.12345}


def run(monkeypatch, *given):
    monkeypatch.setattr(sys, "argv", ["tool", *map(str, given)])
    tool.main()


def write_measured(folder):
    rows = [{"step": 2, "measured": 1.0, "named": 3.0}, MEASURED, {"step": 4, "loss": 1.0}]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture
def painter(tmp_path):
    """Write an untrained denoiser, and a painter on it by its place."""
    pytest.importorskip("diffusers")
    from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
    from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
    from modalities.diffusion.small import SmallDenoiserOptions, build_small
    from tasks.audio_to_image.painting.painter_files import save_painter

    base = tmp_path / "base"
    save_denoiser(build_small(SmallDenoiserOptions(**SIZES, token_dim=8)), base, half=True)  # type: ignore[arg-type]
    write_measured(base)
    denoiser, options = load_denoiser(base), AudioAdapterOptions(2, 4, 8)
    adapter = AudioAdapter(denoiser, options).eval()
    card = PainterCard(str(base), "", asdict(options), 2, 2.0, "9 icons", "CC0-1.0", "-", 5000, 1)
    save_painter(tmp_path / "painter", denoiser, adapter, replace(card, separator="scenes"))
    return tmp_path / "painter"


def test_an_embedding_comes_along_with_what_it_knows(tmp_path, monkeypatch, capsys):
    model = build_small_audio_text(("bell", "bird"), dim=8, widths=(8, 8))
    save_small_audio_text(model, tmp_path / "ear")
    write_measured(tmp_path / "ear")
    run(monkeypatch, "audio_text", tmp_path / "ear", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "audio_text.safetensors",
        "README.md",
    }
    again = load_audio_text(tmp_path / "out").identity
    assert again == load_audio_text(tmp_path / "ear").identity
    text = (tmp_path / "out/README.md").read_text()
    assert text.startswith("---\nlicense: cc0-1.0\n---\n# out\n") and "bell, bird" in text
    assert "named 98.2" in text and "What it is not" in text
    assert str(tmp_path / "out") in capsys.readouterr().out


def test_a_separator_leaves_what_ranks_it_to_its_name(tmp_path, monkeypatch):
    options = SeparatorOptions(sources=2, window_s=0.5, widths=(8, 8), squeeze=4)
    card = SeparatorCard(
        *("scenes", "id", 8),
        labels=("bell",),
        network=json.loads(json.dumps(asdict(options))),
        data="12 sounds of a folder",
        licence="CC0-1.0",
        scores={"sisdri_2": 9.87},
    )
    model = build_small_audio_text(("bell",), dim=8, widths=(8, 8))
    save_separator(tmp_path / "trained", SeparationNetwork(options), card, model)
    run(monkeypatch, "separator", tmp_path / "trained", tmp_path / "out")
    found, again = load_separator(tmp_path / "out")
    known = load_separator(tmp_path / "trained")[0].state_dict()
    assert again == card and not (tmp_path / "out/audio_text").exists()
    assert all(torch.equal(value, known[name]) for name, value in found.state_dict().items())
    text = (tmp_path / "out/README.md").read_text()
    assert "sisdri 2 9.9" in text and "12 sounds" in text and "What it is not" in text


def test_a_painter_stands_on_a_denoiser_by_name_and_tells_what_it_painted(
    painter, tmp_path, monkeypatch
):
    from tasks.audio_to_image.painting.painter import Painter

    (tmp_path / "scores").mkdir()
    found = {"right": 81.25, "of_painted": 80.0, "exact": 62.0, "exact_1": 90.0, "in_order": 50.0}
    told = {"sounds": 30, "scores": {"separated": found}}
    (tmp_path / "scores/scores.json").write_text(json.dumps(told))
    run(monkeypatch, "painter", painter, tmp_path / "out", "--scores", tmp_path / "scores")
    files = {path.name for path in (tmp_path / "out").rglob("*")}
    assert files == {"adapter.safetensors", "painter.json", "README.md"}
    first, second = (Painter.load(at, "cpu") for at in (painter, tmp_path / "out"))
    assert second.card.weights == first.denoiser.identity == second.denoiser.identity
    sounds = torch.randn(1, 2, 4)
    torch.testing.assert_close(first.paint(sounds), second.paint(sounds), atol=0.02, rtol=0)
    text = (tmp_path / "out/README.md").read_text()
    assert (
        "30 mixtures" in text and "| separated | 81.2 | 80.0 | 62.0 | 90.0 |  |  | 50.0 |" in text
    )
    tool.export_painter(painter, tmp_path / "bare")
    assert "Not measured." in (tmp_path / "bare/README.md").read_text()


def test_a_denoiser_comes_along_in_half_the_room(painter, tmp_path, monkeypatch):
    run(monkeypatch, "denoiser", tmp_path / "base", tmp_path / "out")
    text = (tmp_path / "out/README.md").read_text()
    assert "8 x 8 pixels" in text and "validation loss 0.1235" in text


def test_a_painter_on_another_denoiser_than_named_is_refused(
    painter, tmp_path, monkeypatch, capsys
):
    from modalities.diffusion.denoiser_files import save_denoiser
    from modalities.diffusion.small import SmallDenoiserOptions, build_small

    options = SmallDenoiserOptions(**SIZES, token_dim=8)  # type: ignore[arg-type]
    save_denoiser(build_small(options, seed=9), tmp_path / "base")
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "painter", painter, tmp_path / "out")
    err = capsys.readouterr().err
    assert error.value.code == 2 and "another denoiser" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["audio_text", "denoiser", "separator", "painter"])
def test_a_training_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys, kind):
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, kind, tmp_path / "nowhere", tmp_path / "out")
    err = capsys.readouterr().err
    assert error.value.code == 2 and "nowhere" in err and err.count("\n") == 1


def test_damaged_scores_are_told(painter, tmp_path):
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/scores.json").write_text("{}")
    with pytest.raises(ValueError, match="is damaged .* paint the icons again"):
        tool.export_painter(painter, tmp_path / "out", tmp_path / "scores")


def test_a_training_that_measured_nothing_leaves_nothing(painter, tmp_path, monkeypatch, capsys):
    (tmp_path / "base/metrics.jsonl").unlink()
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "denoiser", tmp_path / "base", tmp_path / "out")
    err = capsys.readouterr().err
    assert error.value.code == 2 and "metrics.jsonl" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_training_is_not_written_over(painter, tmp_path, monkeypatch, capsys):
    before = {path: path.read_bytes() for path in painter.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "painter", painter, tmp_path / "base/../painter")
    err = capsys.readouterr().err
    assert error.value.code == 2 and "is the input itself" in err and err.count("\n") == 1
    assert {path: path.read_bytes() for path in painter.rglob("*") if path.is_file()} == before


def test_a_separator_whose_card_tells_no_sizes_is_exported(tmp_path):
    options = SeparatorOptions(sources=2, window_s=0.5, widths=(8, 8), squeeze=4)
    save_separator(tmp_path / "trained", SeparationNetwork(options), SeparatorCard())
    tool.export_separator(tmp_path / "trained", tmp_path / "out")
    assert "into 2 sounds" in " ".join((tmp_path / "out/README.md").read_text().split())


def test_a_folder_of_another_kind_is_told_by_what_it_holds(painter, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds a painter \(painter.json\); expected"):
        tool.export_separator(painter, tmp_path / "out")


def test_an_adapter_of_conditions_comes_along_in_halves(painter, tmp_path, monkeypatch):
    from fusion.conditions.catalog import build_preset
    from modalities.diffusion.denoiser_files import load_denoiser
    from tasks.audio_to_image.painting.conditions.card import ConditionCard, read_condition_card
    from tasks.audio_to_image.painting.conditions.files import load_condition, save_condition

    denoiser = load_denoiser(tmp_path / "base")
    known = build_preset(denoiser.unet, "t2i_adapter", {"map": {"channels": 1, "pixels": 2}})
    base = str(tmp_path / "base")
    card = ConditionCard("edges", "t2i_adapter", base, denoiser.identity, "9 icons", "", "-", 5000)
    save_condition(tmp_path / "trained", known, card)
    run(monkeypatch, "condition", tmp_path / "trained", tmp_path / "out")
    assert read_condition_card(tmp_path / "out") == card
    sizes = [
        (tmp_path / one / "condition.safetensors").stat().st_size for one in ("trained", "out")
    ]
    assert sizes[1] < 0.6 * sizes[0]
    found = load_condition(tmp_path / "out", card, denoiser)["map"].weights()
    for name, value in known["map"].weights().items():
        torch.testing.assert_close(found[name], value, atol=1e-3, rtol=1e-3)
    assert "`--edges`" in (tmp_path / "out/README.md").read_text()
