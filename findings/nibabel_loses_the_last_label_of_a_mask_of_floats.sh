#!/usr/bin/env bash
# Versions: nibabel 5.4.2, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: A mask of floats, saved with the header of the scan that it belongs to, is stored in the scan's type, int16 of a CT, and
#   nibabel spreads its range over all of that type by a slope and an offset. Read again the labels are 0.99998 or 2.00003, off
#   by less than a ten thousandth; astype(np.uint8), by which one makes labels of get_fdata(), cuts them off. A mask of 0
#   and 1 is empty then, of 0 to 3 all voxels of 3 become 2. `== 1` is true of none. The same mask as uint8 is exact.
#
# Expected: whole numbers, which int16 holds, come back as they were.
#
# Who is hurt: whoever saves what a model marked by Nifti1Image(mask, scan.affine, scan.header), the usual line, where the mask is
#   a float array, as after argmax in torch, a resampling or np.zeros(shape). The largest label is lost, often the
#   tumour; Dice of it is 0, and a viewer, which rounds, shows the mask in full.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check nibabel==5.4.2 numpy==2.4.6 ||
    cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import nibabel
import numpy as np

random = np.random.default_rng(0)
hounsfield = random.integers(-1000, 1000, (24, 24, 24)).astype(np.int16)
nibabel.save(nibabel.Nifti1Image(hounsfield, np.eye(4)), "scan.nii.gz")
scan = nibabel.load("scan.nii.gz")


def read_back(mask: np.ndarray) -> np.ndarray:
    """Save a mask with the header of the scan and read it again."""
    nibabel.save(nibabel.Nifti1Image(mask, scan.affine, scan.header), "mask.nii.gz")
    return nibabel.load("mask.nii.gz").get_fdata()


holds = True
for labels in (2, 4):
    mask = random.integers(0, labels, hounsfield.shape)
    for kind in (np.float32, np.uint8):
        read = read_back(mask.astype(kind))
        kept = read.astype(np.uint8)
        exact = bool((kept == mask).all())
        print(f"labels 0 to {labels - 1} saved as {kind.__name__}: {', '.join(f'{value:.9f}' for value in np.unique(read))}")
        print(f"    as whole numbers {np.unique(kept).tolist()}, {np.mean(kept == mask):.0%} of the voxels right")
        holds &= np.abs(read - mask).max() < 1e-3 and exact == (kind is np.uint8)
        holds &= exact or labels - 1 not in kept
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
