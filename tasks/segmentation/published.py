"""What VLSM-Adapter's paper printed: Dice, IoU and HD95 by data set and method."""

from typing import NamedTuple

SOURCE = "VLSM-Adapter (2024, arXiv 2405.06196)"
FULL, CRIS, SAN, SA_VLC, DA_VL = "full", "cris", "san", "sa_vlc", "da_vl"
# Columns in the paper's order, with what is trained in each, in millions of parameters. It writes
# SA and DA; that these are SA-VLC and DA-VL follows from their counts.
METHODS: dict[str, tuple[str, float]] = {
    FULL: ("CLIPSeg end to end", 150.0),
    CRIS: ("CRIS end to end", 147.0),
    SAN: ("SAN", 8.4),
    SA_VLC: ("SA-VLC", 4.2),
    DA_VL: ("DA-VL", 3.0),
}
TITLES: dict[str, str] = {
    "kvasir": "Kvasir-SEG",
    "bkai": "BKAI",
    "clinicdb": "CVC-ClinicDB",
    "isic": "ISIC-16",
    "dfu": "DFU",
    "camus": "CAMUS",
    "busi": "BUSI",
    "chexlocalize": "CheXlocalize",
}


class Printed(NamedTuple):
    """A cell of the paper's table.

    Attributes:
        dice: Percent, a mean over test masks.
        iou: Percent, a mean over the same masks.
        hd95_px: Pixels of the pictures in their own size; how empty masks count is not told.
    """

    dice: float
    iou: float
    hd95_px: float


_ROWS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "kvasir": (
        (87.69, 81.72, 54.02),
        (89.43, 83.37, 55.23),
        (69.58, 58.05, 130.75),
        (86.85, 79.26, 52.18),
        (89.10, 82.39, 47.79),
    ),
    "bkai": (
        (85.59, 77.52, 87.91),
        (92.62, 88.30, 49.80),
        (66.26, 54.58, 224.37),
        (83.67, 75.02, 87.79),
        (87.23, 79.81, 70.02),
    ),
    "clinicdb": (
        (88.58, 81.51, 19.30),
        (93.63, 88.74, 12.36),
        (81.36, 72.61, 38.42),
        (89.04, 81.93, 18.03),
        (88.73, 81.84, 18.76),
    ),
    "isic": (
        (91.88, 85.76, 60.93),
        (91.49, 85.41, 64.39),
        (90.39, 83.61, 87.25),
        (91.40, 85.05, 60.29),
        (92.05, 85.98, 54.38),
    ),
    "dfu": (
        (72.12, 61.61, 38.24),
        (74.01, 64.31, 41.92),
        (63.38, 51.63, 60.10),
        (69.47, 58.27, 38.75),
        (72.14, 61.42, 38.79),
    ),
    "camus": (
        (88.93, 80.69, 16.69),
        (91.29, 84.42, 12.33),
        (46.42, 31.81, 175.81),
        (87.16, 78.01, 19.14),
        (89.71, 81.85, 14.16),
    ),
    "busi": (
        (62.91, 55.52, 72.98),
        (67.50, 60.90, 50.63),
        (45.61, 35.27, 152.10),
        (65.51, 58.19, 63.36),
        (65.02, 57.20, 64.37),
    ),
    "chexlocalize": (
        (58.51, 45.45, 537.57),
        (60.76, 47.99, 519.21),
        (44.37, 31.97, 724.55),
        (58.14, 44.84, 533.04),
        (58.99, 46.01, 535.97),
    ),
}
PUBLISHED: dict[str, dict[str, Printed]] = {
    name: {method: Printed(*figures) for method, figures in zip(METHODS, cells, strict=True)}
    for name, cells in _ROWS.items()
}
# Dice of plain networks without text on the same splits, in percent.
PLAIN_SOURCE = "MedVLSM (2024, MIDL)"
UNET_DICE: dict[str, float] = {
    "kvasir": 84.77,
    "bkai": 83.79,
    "clinicdb": 85.65,
    "isic": 90.40,
    "dfu": 67.87,
    "camus": 90.19,
    "busi": 75.21,
    "chexlocalize": 50.29,
}
