"""Painters are measured by the icons in what they paint."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.mixtures.scenes.icons import render_icons
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
from tools import painted_icons as tool
from tools.icon_reader import IconReader

DIM = 4


def write_heard(folder: Path, rows: int = 3, fold: str = "test") -> Path:
    """Write pictures of icons, the last of which is for training, with random embeddings."""
    folder.mkdir()
    random, pictures = np.random.default_rng(0), []
    for number in range(rows + 1):
        kinds = ["bell", "bird", "drum"][: 1 + number % 3]
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), render_icons(kinds, random, 32)[..., ::-1])
        part = fold if number < rows else "train"
        pictures.append(SoundedPicture(str(number), str(path), part, ", ".join(kinds)))
    write_examples(folder, pictures, torch.randn(rows + 1, 3, DIM))
    return folder


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """Write a painter that nobody trained, of pictures of 32 x 32 pixels."""
    pytest.importorskip("diffusers")
    from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
    from modalities.diffusion.small import SmallDenoiserOptions, build_small
    from tasks.audio_to_image.painting.painter_files import save_painter

    sizes = dict(channels=(16,), attention=(0,), heads=2, groups=4, token_dim=8, tokens=2)
    denoiser = build_small(SmallDenoiserOptions(block=4, **sizes))  # type: ignore[arg-type]
    options = AudioAdapterOptions(sources=3, dim=DIM, hidden=8)
    adapter = AudioAdapter(denoiser, options).eval()
    card = PainterCard("small", "", asdict(options), 2, 1.0, "icons", "CC0-1.0", "-", 1, 1)
    folder = tmp_path_factory.mktemp("painters") / "painter"
    save_painter(folder, denoiser, adapter, card)
    return folder


@pytest.fixture(autouse=True)
def quick_reader(monkeypatch):
    monkeypatch.setattr(tool, "IconReader", lambda size: IconReader(size, each=3))


def test_what_is_painted_is_compared_with_what_sounds():
    truth = [("bell",), ("bell", "bird"), ("drum", "rain", "wind")]
    read = [("bell",), ("bird", "bell"), ("drum", "drum")]
    found = tool.score_icons(read, truth)
    assert found["right"] == pytest.approx(100 * 4 / 6)
    assert found["of_painted"] == pytest.approx(100 * 4 / 5)
    assert found["exact"] == pytest.approx(100 * 2 / 3)
    assert found["in_order"] == pytest.approx(100 / 3)
    assert (found["exact_1"], found["exact_2"], found["exact_3"]) == (100, 100, 0)


def test_each_painter_and_silence_are_scored_beside_the_true_pictures(
    painter, tmp_path, monkeypatch, capsys
):
    heard = write_heard(tmp_path / "heard")
    given = [str(tmp_path / "out"), "--painter", "mine", str(painter), str(heard)]
    monkeypatch.setattr(sys, "argv", ["painted_icons", *given])
    tool.main()
    told = json.loads((tmp_path / "out/scores.json").read_text())
    assert told["sounds"] == 3 and list(told["scores"]) == ["true pictures", "mine", tool.NOTHING]
    assert told["scores"]["true pictures"]["exact"] == 100
    assert 0 <= told["scores"]["mine"]["right"] < 100
    assert cv2.imread(str(tmp_path / "out/painted.png")).shape == (3 * 96, 3 * 96, 3)
    assert "true pictures: right 100.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fold", "count", "told"),
    [
        ("validation", "300", "no sounds of fold test"),
        ("test", "0", "--count is 0"),
        ("", "", "nowhere"),
    ],
)
def test_mistakes_are_one_line(painter, tmp_path, monkeypatch, capsys, fold, count, told):
    heard = write_heard(tmp_path / "heard", fold=fold) if count else tmp_path / "nowhere"
    given = [str(tmp_path / "out"), "--painter", "mine", str(painter), str(heard)]
    monkeypatch.setattr(sys, "argv", ["painted_icons", *given, "--count", count or "1"])
    with pytest.raises(SystemExit) as error:
        tool.main()
    err = capsys.readouterr().err
    assert error.value.code == 2 and told in err and err.count("\n") == 1


def test_painters_of_other_mixtures_are_refused(painter, tmp_path):
    two = {
        name: tool.load(painter, write_heard(tmp_path / name, n), 9)
        for n, name in ((2, "a"), (3, "b"))
    }
    with pytest.raises(ValueError, match="other mixtures"):
        tool.measure(two, tmp_path / "out")


@pytest.mark.parametrize("names", [("mine", "mine"), (tool.NOTHING,), ("true pictures",)])
def test_two_rows_of_one_name_are_refused(painter, tmp_path, monkeypatch, capsys, names):
    given = [part for name in names for part in ("--painter", name, str(painter), "nowhere")]
    monkeypatch.setattr(sys, "argv", ["painted_icons", str(tmp_path / "out"), *given])
    with pytest.raises(SystemExit) as error:
        tool.main()
    err = capsys.readouterr().err
    assert error.value.code == 2 and f"called {names[0]!r}" in err and err.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_painted(
    painter, tmp_path, monkeypatch, capsys
):
    (tmp_path / "out").write_text("")
    given = [str(tmp_path / "out"), "--painter", "mine", str(painter), "nowhere"]
    monkeypatch.setattr(sys, "argv", ["painted_icons", *given])
    with pytest.raises(SystemExit) as error:
        tool.main()
    err = capsys.readouterr().err
    assert error.value.code == 2 and "cannot be written" in err and err.count("\n") == 1


def test_painters_of_other_sizes_are_refused(painter, tmp_path):
    first = tool.load(painter, write_heard(tmp_path / "heard"), 9)
    other = tool.load(painter, tmp_path / "heard", 9)
    other.painter.card.pictures["sizes"] = ["64x64"]
    with pytest.raises(ValueError, match="expected pictures of one size"):
        tool.measure({"a": first, "b": other}, tmp_path / "out")
