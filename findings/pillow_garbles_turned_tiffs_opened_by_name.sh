#!/usr/bin/env bash
# Versions: Pillow 13.0.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: an uncompressed TIFF whose tag Orientation is 5 to 8 (a quarter turn, as cameras and microscopes write it) comes out of
#   Image.open(NAME) garbled, and right out of Image.open(FILE OBJECT): by name it is mapped into memory with the width and
#   height that it has after the turn, as if its rows were so long, and is turned then. It has the size of the unturned
#   picture, the tag is taken away, and there is no warning. Of the same picture with LZW, and of tags 1 to 4, both ways agree.
#
# Expected: the same pixels whichever way a file is opened, as for every other tag and compression.
#
# Who is hurt: whoever reads TIFFs of cameras or microscopes by their names: shapes are torn into stripes, and a mask that was
#   compressed, or opened in another way, no longer lies on its picture; where they are square not even the size tells it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 ||
    cannot "Pillow is not to be had"

venv/bin/python - <<'PYTHON' || failed=1
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 274
pixels = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)  # all rows and columns differ


def read(tag, compression):
    name = f"{tag}_{compression}.tif"
    tags = Image.Exif()
    tags[ORIENTATION] = tag
    Image.fromarray(pixels).save(name, compression=compression, exif=tags)
    by_name = np.asarray(Image.open(name))
    by_object = np.asarray(Image.open(io.BytesIO(Path(name).read_bytes())))
    return by_name, by_object


TURNED = {5, 6, 7, 8}
differ = {}
for compression in ("raw", "tiff_lzw"):
    differ[compression] = set()
    for tag in range(1, 9):
        by_name, by_object = read(tag, compression)
        if by_name.shape != by_object.shape or (by_name != by_object).any():
            differ[compression].add(tag)
            print(f"{compression}, tag {tag}: by name {by_name.shape}, by object {by_object.shape}, "
                  f"other pixels")
print(f"tags for which the two ways differ: {differ}")
sys.exit(0 if differ == {"raw": TURNED, "tiff_lzw": set()} else 1)
PYTHON
if [ -n "${failed:-}" ]; then
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
