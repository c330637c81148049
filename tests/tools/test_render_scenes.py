import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.masks.manifest import read_masks
from data_prep.masks.scenes import render_scene
from tools.render_scenes import PIECE, RenderOptions, main, render_folder

OPTIONS = RenderOptions(count=PIECE + 10, seed=3, size=48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    render_folder(folder, OPTIONS, 1)
    return folder


def read(folder):
    return list(read_masks(folder / "manifest.jsonl"))


def test_pictures_and_masks_lie_where_the_manifest_says(folder):
    rows = read(folder)
    assert len({row.group for row in rows}) == OPTIONS.count
    image = np.asarray(Image.open(rows[0].image))
    scene = render_scene(3_000_000, 48)
    assert np.array_equal(image, scene.image)
    for row in rows:
        mask = np.asarray(Image.open(row.mask).convert("L"))
        assert mask.shape == (48, 48)
        assert set(np.unique(mask)) <= {0, 255}
        assert row.prompts["p1"]


def test_folds_keep_a_picture_together_and_take_eight_one_and_one_of_ten(folder):
    folds = {(row.group, row.fold) for row in read(folder)}
    assert len(folds) == OPTIONS.count
    counts = [sum(fold == name for _, fold in folds) for name in ("train", "validation", "test")]
    assert counts == [48, 6, 6]


def test_a_killed_run_goes_on_to_the_same_manifest(folder, tmp_path):
    whole = (folder / "manifest.jsonl").read_text()
    render_folder(tmp_path, OPTIONS, 1)
    (tmp_path / "manifest.jsonl").write_text(whole[: len(whole) // 2])
    for picture in sorted((tmp_path / "images").iterdir())[-5:]:
        picture.unlink()
    render_folder(tmp_path, OPTIONS, 1)
    assert (tmp_path / "manifest.jsonl").read_text() == whole
    assert len(list((tmp_path / "images").iterdir())) == OPTIONS.count


def test_more_pictures_can_be_added(folder, tmp_path):
    render_folder(tmp_path, RenderOptions(count=7, seed=3, size=48), 1)
    render_folder(tmp_path, OPTIONS, 1)
    assert (tmp_path / "manifest.jsonl").read_text() == (folder / "manifest.jsonl").read_text()


def test_scenes_of_other_options_are_not_mixed(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["render", str(folder), "--size", "64"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "Give another folder" in capsys.readouterr().err


def test_options_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="count is 0"):
        RenderOptions(count=0)


def test_one_look_for_all(tmp_path):
    render_folder(tmp_path, RenderOptions(count=12, size=48, look="ultrasound"), 1)
    for row in read(tmp_path):
        image = np.asarray(Image.open(row.image))
        assert np.ptp(image.astype(int), axis=2).max() == 0  # ultrasound is grey
    with pytest.raises(ValueError, match="No look 'xray'; known: colours"):
        RenderOptions(look="xray")
