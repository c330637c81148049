import numpy as np
import pytest
import torch

from tasks.audio_to_image.painting.config import PictureDataOptions, read_size
from tasks.audio_to_image.painting.examples import fit_picture, nearest_size, part_rows
from tasks.audio_to_image.painting.manifest import (
    MANIFEST,
    SoundedPicture,
    read_examples,
    write_examples,
)


def rows_of(folds: str) -> list[SoundedPicture]:
    names = {"t": "train", "v": "validation", "x": "test", "-": ""}
    return [SoundedPicture(f"{n}", f"/p/{n // 2}.png", names[f]) for n, f in enumerate(folds)]


def test_examples_come_back_with_absolute_paths(tmp_path):
    rows = [SoundedPicture("a", str(tmp_path / "a.png"), "train", "bell")]
    embeddings = torch.randn(1, 3, 5)
    write_examples(tmp_path, rows, embeddings)
    assert '"picture": "a.png"' in (tmp_path / MANIFEST).read_text()
    found, numbers = read_examples(tmp_path, with_sounds=True)
    assert found == rows and numbers is not None and torch.equal(numbers, embeddings)
    assert read_examples(tmp_path / MANIFEST, with_sounds=False) == (rows, None)


@pytest.mark.parametrize(
    ("embeddings", "told"),
    [
        (torch.zeros(2, 3, 5), "with 1 rows"),
        (torch.zeros(1, 5), "with 1 rows"),
        (torch.full((1, 3, 5), float("inf")), "not finite"),
    ],
)
def test_embeddings_that_do_not_fit_the_rows_are_refused(tmp_path, embeddings, told):
    with pytest.raises(ValueError, match=told):
        write_examples(tmp_path, rows_of("t"), embeddings)
    assert not list(tmp_path.iterdir())


def test_pictures_alone_cannot_train_sounds(tmp_path):
    write_examples(tmp_path, rows_of("t"))
    with pytest.raises(FileNotFoundError, match="pictures alone train stage 'base'"):
        read_examples(tmp_path, with_sounds=True)
    with pytest.raises(FileNotFoundError, match="manifest"):
        read_examples(tmp_path / "none", with_sounds=False)
    (tmp_path / MANIFEST).write_text('{"id": "a", "picture": "b", "fold": "c"}\n')
    with pytest.raises(ValueError, match="has the fold 'c'"):
        read_examples(tmp_path, with_sounds=False)


def test_rows_go_to_the_part_that_they_name():
    found = part_rows(rows_of("ttvvxx"), PictureDataOptions())
    assert found == {"train": [0, 1], "validation": [2, 3]}


def test_rows_of_one_picture_are_held_back_together():
    rows = rows_of("-" * 20)
    found = part_rows(rows, PictureDataOptions(validation=0.3))
    assert len(found["validation"]) == 6
    held = {rows[n].picture for n in found["validation"]}
    assert not held & {rows[n].picture for n in found["train"]}
    assert found == part_rows(rows, PictureDataOptions(validation=0.3))
    assert found != part_rows(rows, PictureDataOptions(validation=0.3, seed=1))
    assert not part_rows(rows, PictureDataOptions(validation=0))["validation"]


def test_no_rows_to_train_on_are_told():
    with pytest.raises(ValueError, match="no pictures to train on"):
        part_rows(rows_of("vx"), PictureDataOptions())


def test_a_picture_takes_the_size_of_the_nearest_shape():
    sizes = [(512, 512), (288, 512), (512, 288)]
    assert nearest_size((360, 640), sizes) == (288, 512)
    assert nearest_size((640, 360), sizes) == (512, 288)
    assert nearest_size((400, 500), sizes) == (512, 512)


def test_a_picture_is_cut_from_its_middle_and_not_squeezed():
    wide = np.zeros((4, 12, 3), np.float32)
    wide[:, 4:8] = 1
    assert np.all(fit_picture(wide, (4, 4)) == 255)
    assert np.all(fit_picture(wide, (2, 2)) == 255)
    assert np.all(fit_picture(wide, (8, 8))[2:-2, 2:-2] > 250)
    assert np.array_equal(fit_picture(wide, (4, 12)), np.round(255 * wide).astype(np.uint8))


@pytest.mark.parametrize("size", ["8", "8x", "0x8", "8x8x8", "8 x 8", "-8x8"])
def test_what_is_no_size_is_told(size):
    with pytest.raises(ValueError, match="height by width"):
        PictureDataOptions(sizes=(size,))
    assert read_size("288x512") == (288, 512)
