"""Images and masks in the model's size, and features that are kept."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.masks.manifest import MaskedImage, by_image, read_masks
from data_prep.masks.remarks import EMPTY, WHOLE
from modalities.vision_language.clipseg import ClipSeg
from tasks.segmentation.examples import Examples
from tasks.training.kept_features import KeptFeatures

from .conftest import count_calls, tiny_clipseg


@pytest.fixture(scope="module")
def clipseg() -> ClipSeg:
    return tiny_clipseg()


def rows_of(folder: Path) -> list[MaskedImage]:
    return list(read_masks(folder / "manifest.jsonl"))


def test_rows_of_an_image_are_one_example(squares, clipseg):
    rows = rows_of(squares)
    shuffled = [rows[n] for n in np.random.default_rng(0).permutation(len(rows))]
    examples = Examples(shuffled, clipseg)
    assert len(examples) == 10 and all(len(group) == 2 for group in examples.groups)
    assert sorted(row.id for group in by_image(rows) for row in group) == sorted(r.id for r in rows)


def test_masks_are_brought_to_the_models_size_and_stay_what_they_were(squares, clipseg):
    examples = Examples(rows_of(squares), clipseg)
    for [row, _] in examples.groups:
        whole = cv2.imread(row.mask, cv2.IMREAD_GRAYSCALE) >= 128
        truth = examples.truth(row)
        assert truth.shape == (48, 48) and set(truth.unique().tolist()) == {0.0, 1.0}
        assert float(truth.mean()) == pytest.approx(whole.mean(), abs=0.03)
        rows, columns = np.nonzero(whole)
        there = (rows.mean() / whole.shape[0] * 48, columns.mean() / whole.shape[1] * 48)
        found = truth.nonzero().float().mean(0).tolist()
        assert found == pytest.approx(there, abs=1)


def test_lossy_masks_are_cut_at_128_and_not_counted_with_their_noise(own_squares, clipseg):
    row = rows_of(own_squares)[4]
    assert cv2.imread(row.image).shape[:2] == (48, 48)  # nothing is lost in resizing
    exact = Examples([row], clipseg).truth(row)
    lossy = replace(row, mask=str(own_squares / "lossy.jpg"))
    cv2.imwrite(lossy.mask, cv2.imread(row.mask), [cv2.IMWRITE_JPEG_QUALITY, 30])
    stored = cv2.imread(lossy.mask, cv2.IMREAD_GRAYSCALE)
    assert ((stored > 0) & (stored < 128)).sum() > 20  # what a threshold of 0 would take along
    assert len(np.unique(stored)) > 2
    found = Examples([lossy], clipseg).truth(lossy)
    assert (found != exact).sum() <= 6


def test_an_image_is_what_the_model_prepares(squares, clipseg):
    examples = Examples(rows_of(squares), clipseg)
    group = examples.groups[0]
    image = cv2.imread(group[0].image)[..., ::-1] / np.float32(255)
    expected = clipseg.pictures.prepare(image.astype(np.float32))
    torch.testing.assert_close(examples.picture(group)["pixels"], expected)


def test_images_and_prompts_are_encoded_once(squares, clipseg, monkeypatch):
    calls = count_calls(clipseg, monkeypatch)
    examples = Examples(rows_of(squares), clipseg, KeptFeatures(None, {}))
    for _ in range(3):
        for group in examples.groups[:4]:
            states = examples.picture(group)["states"]
            for text in ("a red thing", "the blue one"):
                kept = examples.text(text)
    assert calls == {"see": 4, "read": 2}
    assert states.shape == (3, 10, 16) and kept["skips"].shape == (1, 3, 16)
    tokens = clipseg.tokenize(["the blue one"])
    with torch.no_grad():
        fresh = clipseg.read(tokens.ids, tokens.mask)
    assert torch.equal(kept["condition"], fresh.condition)
    assert torch.equal(kept["skips"], fresh.skips)


def test_another_run_reads_what_is_kept_and_encodes_nothing(squares, tmp_path, monkeypatch):
    found, counted = [], []
    for _ in range(2):
        clipseg = tiny_clipseg()
        calls = count_calls(clipseg, monkeypatch)
        kept = KeptFeatures(tmp_path, {"model": clipseg.identity})
        examples = Examples(rows_of(squares), clipseg, kept)
        states = [examples.picture(group)["states"] for group in examples.groups]
        found.append((torch.stack(states), examples.text("a red thing")["skips"]))
        kept.flush()
        counted.append(calls)
    assert counted == [{"see": 10, "read": 1}, {"see": 0, "read": 0}]
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_another_model_never_reads_what_is_kept(squares, tmp_path, monkeypatch):
    states = []
    for seed in (0, 1):
        clipseg = tiny_clipseg(seed)
        kept = KeptFeatures(tmp_path, {"model": clipseg.identity})
        examples = Examples(rows_of(squares)[:2], clipseg, kept)
        states.append(examples.picture(examples.groups[0])["states"])
        states.append(examples.text("a red thing")["condition"])
        kept.flush()
    assert not torch.allclose(states[0], states[2])
    assert not torch.allclose(states[1], states[3])


def test_an_image_that_changes_is_seen_anew(own_squares, tmp_path, clipseg):
    rows = rows_of(own_squares)[:2]
    states = []
    for _ in range(2):
        kept = KeptFeatures(tmp_path / "kept", {"model": clipseg.identity})
        examples = Examples(rows, clipseg, kept)
        states.append(examples.picture(examples.groups[0])["states"])
        kept.flush()
        cv2.imwrite(rows[0].image, 255 - cv2.imread(rows[0].image))
    assert not torch.allclose(*states)


def test_images_and_masks_that_cannot_be_used_are_named(own_squares, clipseg):
    rows = rows_of(own_squares)
    small, broken, gone = rows[0], rows[2], rows[4]
    cv2.imwrite(small.mask, np.zeros((10, 12), np.uint8))
    data = Path(broken.image).read_bytes()
    Path(broken.image).write_bytes(data[: len(data) // 2])
    Path(gone.mask).unlink()
    examples = Examples(rows, clipseg)
    with pytest.raises(ValueError, match="12 x 10 pixels and its picture .*0.png 56 x 40") as error:
        examples.truth(small)
    assert small.mask in str(error.value)
    with pytest.raises(ValueError, match=r"1\.png"):
        examples.picture((broken,))
    with pytest.raises(OSError, match="2_red.png"):
        examples.picture((gone,))


def test_masks_in_which_nothing_or_all_is_marked_are_noted_once(own_squares, clipseg):
    rows = rows_of(own_squares)[:6]
    for row, value in ((rows[0], 0), (rows[3], 255)):
        cv2.imwrite(row.mask, np.full(cv2.imread(row.mask).shape[:2], value, np.uint8))
    examples = Examples(rows, clipseg)
    for _ in range(2):
        for group in examples.groups:
            examples.picture(group)
    assert examples.notes == {EMPTY: [rows[0].id], WHOLE: [rows[3].id]}
