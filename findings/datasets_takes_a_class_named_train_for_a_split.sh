#!/usr/bin/env bash
# Versions: datasets 5.2.0, Pillow 13.0.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: load_dataset("imagefolder", data_dir=...) of one folder a class, among them the class "train": the other classes are gone,
#   their pictures are not in the data set, and it has no labels. In folders train/CLASS and test/CLASS, the test
#   pictures of the class "train" are in the training split too. A single file with such a word in its name, as
#   steam_train.png, is enough: it is all that is loaded. No error, no warning. "test", "dev" and "eval" do the same, and
#   "audiofolder" looks for its files in the same way.
#
# Expected: what the documentation shows, a folder a class. Splits are named by the outermost folder there; that the word may
#   stand anywhere in the path, and shuts out all files without it, is not what one takes from it.
#
# Who is hurt: whoever loads sounds or pictures of vehicles. ESC-50, PASCAL VOC, COCO and CIFAR-100 all have a class "train". A data
#   set that shrinks to one class is found soon; test data in the training split are not, and only raise the score.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    datasets==5.2.0 pillow==13.0.0 numpy==2.4.6 || cannot "the packages are not to be had"

export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys
from pathlib import Path

from datasets import load_dataset
from PIL import Image

shade = iter(range(1, 256))


def load(root: str, names: list[str]) -> tuple[dict[str, int], dict[str, list[str]], dict[str, set[int]]]:
    """Write pictures, no two alike, and load them: their number, the columns and the shades of each split."""
    for name in names:
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), next(shade)).save(path)
    loaded = load_dataset("imagefolder", data_dir=root)
    shades = {split: {picture.getpixel((0, 0)) for picture in rows["image"]} for split, rows in loaded.items()}
    return loaded.num_rows, loaded.column_names, shades


def files_of(classes: list[str], above: str = "") -> list[str]:
    return [f"{above}{name}/{number}.png" for name in classes for number in range(3)]


CLASSES = ["bus", "car", "train", "tram"]
renamed, renamed_columns, _ = load("renamed", files_of(["bus", "car", "railway", "tram"]))
print(f"4 classes of 3 pictures, bus, car, railway and tram: {renamed}, {renamed_columns['train']}")
classes, class_columns, _ = load("classes", files_of(CLASSES))
print(f"the same with train for railway: {classes}, {class_columns['train']}")
one, _, _ = load("one", [*files_of(["bus", "car", "tram"]), "car/steam_train.png"])
print(f"bus, car and tram, and car/steam_train.png besides: {one}")
both, _, shades = load("both", files_of(CLASSES, "train/") + files_of(CLASSES, "test/"))
leaked = shades["train"] & shades["test"]
print(f"train/CLASS and test/CLASS, 12 pictures each: {both}; in both splits: {len(leaked)}")
holds = (
    renamed == {"train": 12}
    and renamed_columns["train"] == ["image", "label"]
    and classes == {"train": 3}
    and class_columns["train"] == ["image"]
    and one == {"train": 1}
    and both == {"train": 15, "test": 12}
    and len(leaked) == 3
)
sys.exit(0 if holds else 1)
PYTHON
echo "What was said about it: $(grep -i -c -E 'warn|split|label' said.txt || true) lines with warn, split or label"
if [ -n "${failed:-}" ] || grep -q -i -E 'warn|split|label' said.txt; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
