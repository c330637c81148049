#!/usr/bin/env bash
# Versions: pycocotools 2.0.11, opencv-python-headless 5.0.0.93, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: cv2.findContours gives the middles of an object's outermost pixels, with whole numbers for middles; pycocotools takes
#   whole numbers for the borders between pixels. A mask that is made a polygon by the one and a mask again by the other has lost
#   its pixels at the lower and the right edge: of a square of 8 pixels 49 of 64 pixels are left, an IoU of 0.77, of one of 32 pixels
#   0.94; a line that is one pixel wide is gone. No error and no warning. cv2.fillPoly gives all of them back.
#
# Expected: the same mask, or one that has grown or shrunk on all sides alike: both know polygons in pixels, and neither
#   documentation says where in a pixel a whole number lies.
#
# Who is hurt: whoever turns masks into COCO's polygons with OpenCV, as many a converter does, and trains on them or scores by them:
#   results that have each pixel right have no AP at an IoU of 0.95 here, thin objects vanish from the reference, and all are
#   learnt smaller, with their middles half a pixel up and left. Run lengths of pycocotools.mask.encode keep each pixel.
#   Issues 588 and 659 of cocoapi ask about it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pycocotools==2.0.11 opencv-python-headless==5.0.0.93 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python -W ignore - <<'PYTHON'
import contextlib
import io
import sys

import cv2
import numpy as np
from pycocotools import mask as runs
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE = 96


def square(size: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20 : 20 + size, 30 : 30 + size] = 1
    return mask


def disc(size: int) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (np.hypot(rows - 48, columns - 48) <= size / 2).astype(np.uint8)


def line(size: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20, 30 : 30 + size] = 1
    return mask


def polygons_of(mask: np.ndarray) -> list[list[float]]:
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [contour.reshape(-1).astype(float).tolist() for contour in found]


def by_opencv(polygons: list[list[float]]) -> np.ndarray:
    points = [np.array(polygon).reshape(-1, 2).astype(np.int32) for polygon in polygons]
    return cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), points, 1)


def by_pycocotools(polygons: list[list[float]]) -> np.ndarray:
    return runs.decode(runs.merge(runs.frPyObjects(polygons, SIDE, SIDE)))


def average_precision(masks: list[np.ndarray], as_polygons: bool) -> float:
    """COCO's AP at IoU 0.95 of results that are the masks themselves, one picture each."""
    objects, results = [], []
    for number, mask in enumerate(masks, 1):
        exact = runs.encode(np.asfortranarray(mask))
        shape = polygons_of(mask) if as_polygons else exact
        box = runs.toBbox(exact).tolist()
        same = dict(image_id=number, category_id=1)
        objects.append(dict(same, id=number, segmentation=shape, area=float(mask.sum()), bbox=box, iscrowd=0))
        results.append(dict(same, segmentation=exact, score=1.0))
    reference = COCO()
    reference.dataset = dict(
        info={},
        images=[dict(id=number, height=SIDE, width=SIDE) for number in range(1, len(masks) + 1)],
        categories=[dict(id=1, name="object")],
        annotations=objects,
    )
    reference.createIndex()
    scored = COCOeval(reference, reference.loadRes(results), "segm")
    scored.params.iouThrs = np.array([0.5, 0.75, 0.95])
    scored.evaluate()
    scored.accumulate()
    precision = scored.eval["precision"][2, :, :, 0, -1]
    return float(precision[precision > -1].mean())


left, back = {}, True
shapes = {"square": square, "disc": disc, "line": line}
for kind, size in (("square", 8), ("square", 32), ("disc", 8), ("disc", 32), ("line", 32)):
    mask = shapes[kind](size)
    opencv, coco = (draw(polygons_of(mask)) for draw in (by_opencv, by_pycocotools))
    back &= bool((opencv == mask).all())
    left[kind, size] = float((mask & coco).sum() / (mask | coco).sum())
    counts = f"{mask.sum()} pixels, {opencv.sum()} by OpenCV, {coco.sum()} by pycocotools"
    print(f"{kind} of {size}: {counts} with an IoU of {left[kind, size]:.2f}")
with contextlib.redirect_stdout(io.StringIO()):
    masks = [square(size) for size in (8, 12, 16, 24, 32)]
    runs_ap, polygons_ap = average_precision(masks, False), average_precision(masks, True)
print(f"AP at an IoU of 0.95 of results that are the masks: {runs_ap:.2f} by run lengths, {polygons_ap:.2f} by polygons")
kept = np.argwhere(by_pycocotools(polygons_of(square(8))))
(top, start), (bottom, end) = kept[0].tolist(), kept[-1].tolist()
print(f"square of 8, rows 20 to 27, columns 30 to 37: by pycocotools rows {top} to {bottom}, columns {start} to {end}")
holds = back and abs(left["square", 8] - 49 / 64) < 1e-9 and abs(left["square", 32] - 961 / 1024) < 1e-9
holds &= left["disc", 8] < 0.8 and left["line", 32] == 0 and runs_ap > 0.99 and polygons_ap < 0.01
holds &= (top, bottom, start, end) == (20, 26, 30, 36)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
