"""Manifests of pictures and masks come back as they were written, wherever they lie."""

import json

import pytest

from data_prep.clips.manifest import Clip
from data_prep.json_lines import write_manifest
from data_prep.masks.manifest import MaskedImage, read_masks, write_masks


def row(**changes) -> MaskedImage:
    return MaskedImage(
        **{"id": "a", "image": "/far/a.png", "mask": "", "label": "polyp", **changes}
    )


def test_all_that_is_known_comes_back(tmp_path):
    rows = [
        row(prompts={"p0": ("",), "p1": ("polyp", "a polyp")}, spacing_mm=(0.5, 0.25), value=3),
        row(id="b", mask="/far/b.png", fold="validation", group="p1", more_masks=("/far/c.png",)),
    ]
    write_masks(tmp_path / "manifest.jsonl", rows)
    assert list(read_masks(tmp_path / "manifest.jsonl")) == rows


def test_what_lies_below_the_manifest_is_found_after_a_move(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    write_masks(old / "m.jsonl", [row(image=str(old / "i/a.png"), mask=str(old / "m/a.png"))])
    assert json.loads((old / "m.jsonl").read_text())["image"] == "i/a.png"
    old.rename(new)
    found = next(read_masks(new / "m.jsonl"))
    assert (found.image, found.mask) == (str(new / "i/a.png"), str(new / "m/a.png"))


def test_a_mask_that_is_not_known_stays_unknown(tmp_path):
    write_masks(tmp_path / "m.jsonl", [row()])
    assert next(read_masks(tmp_path / "m.jsonl")).files() == ("/far/a.png",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "a", "image": "a.png"}', "is no picture with a mask"),
        ('{"id": "a", "image": "a", "mask": "a", "label": "x", "fold": "dev"}', "fold 'dev', none"),
        ('{"id": "a", "prompts": 3}', "is no picture with a mask"),
    ],
)
def test_a_damaged_line_is_told_by_its_number(tmp_path, line, told):
    (tmp_path / "m.jsonl").write_text(f"{row().to_json()}\n{line}\n")
    with pytest.raises(ValueError, match=f"line 2 .*{told}.*expected"):
        list(read_masks(tmp_path / "m.jsonl"))


def test_a_manifest_of_clips_is_refused(tmp_path):
    write_manifest(tmp_path / "m.jsonl", [Clip("a", "a.mp4")])
    with pytest.raises(ValueError, match="is no picture with a mask"):
        list(read_masks(tmp_path / "m.jsonl"))
