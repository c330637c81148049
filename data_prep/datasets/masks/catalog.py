"""Data sets of pictures and masks by name."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data_prep.datasets.masks.dataset import MaskDataset
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.prompts import Prompts, make_prompts, make_ultrasound_prompts
from data_prep.masks.statistics import MaskStatistics

POLYP = "polyp"
# As in the published prompts, with their spelling put right.
POLYPS_ARE = (
    "which is a projecting growth of tissue",
    "which is often a bumpy flesh in rectum",
    "which is a small lump in the lining of colon",
    "which is a tissue growth that often resemble mushroom like stalks",
    "which is an abnormal growth of tissues projecting from a mucous membrane",
)
HEART = {1: "left ventricular cavity", 2: "myocardium", 3: "left atrium cavity"}
PATIENT = r"patient\d+"


def _say_with(row: MaskedImage, statistics: MaskStatistics, descriptions: Sequence[str]) -> Prompts:
    return make_prompts(statistics, row.label, descriptions=descriptions)


def _say_tumor(row: MaskedImage, statistics: MaskStatistics) -> Prompts:
    name = row.id.lower()
    kinds = [kind for kind in ("malignant", "benign") if kind in name]
    return make_ultrasound_prompts(statistics, kinds[0] if kinds else "")


def _heart_label(image: str, mask: str) -> str:
    """Name the structure of CAMUS by the folder mask_1, mask_2 or mask_3."""
    for number, label in HEART.items():
        if f"mask_{number}/" in mask:
            return label
    raise ValueError(
        f"The mask {mask} is in none of the folders mask_1, mask_2 and mask_3; expected one a "
        "structure. Make the masks anew."
    )


def _pathology(image: str, mask: str) -> str:
    """Name the finding of CheXlocalize by what the mask's name has after the picture's."""
    rest = Path(mask).stem.removeprefix(Path(image).stem).strip("_ ")
    return rest.replace("_", " ").lower() or Path(mask).stem


_say_polyp = partial(_say_with, descriptions=POLYPS_ARE)
_polyps = partial(MaskDataset, ((0, POLYP),), say=_say_polyp)

MASK_DATASETS: dict[str, MaskDataset] = {
    "kvasir": _polyps(layout="images/ and masks/ (Kvasir-SEG)"),
    "bkai": _polyps(layout="train/ and train_gt/ (BKAI-IGH NeoPolyp)"),
    "clinicdb": _polyps(layout="Original/ and Ground Truth/ (CVC-ClinicDB)"),
    "cvc300": _polyps(layout="images/ and masks/", fold="test", copied_from="colondb"),
    "colondb": _polyps(layout="images/ and masks/", fold="test"),
    "etis": _polyps(layout="images/ and masks/", fold="test"),
    "isic": MaskDataset(
        ((0, "skin melanoma"),),
        layout="ISBI2016_ISIC_Part1_Training_Data/, ..._Training_GroundTruth/, Test likewise",
    ),
    "dfu": MaskDataset(((0, "foot ulcer"),), layout="DFUC2022_train_images/ and ..._masks/"),
    "busi": MaskDataset(
        ((0, "tumor"),),
        layout="benign/, malignant/ and normal/ with benign (1).png and benign (1)_mask.png",
        say=_say_tumor,
    ),
    "camus": MaskDataset(
        tuple(HEART.items()),
        layout="training/patient0001/ with patient0001_2CH_ED.mhd and patient0001_2CH_ED_gt.mhd; "
        "convert the .nii.gz of later editions to these",
        label_of=_heart_label,
        group=PATIENT,
    ),
    "chexlocalize": MaskDataset(
        (),
        layout="",
        convert="CheXlocalize's own run-length codes in JSON are not read: convert them with its "
        "authors' software to a PNG a finding, as masks/NAME_FINDING.png.",
        label_of=_pathology,
        group=PATIENT,
    ),
    "folder": MaskDataset(()),  # any pictures and masks; the label is the folder's, or given
}
