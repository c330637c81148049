"""Captions: Karpathy's splits of COCO and Flickr30k, and how captions become rows."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from data_prep.datasets.questions.tables import (
    FOLDS,
    as_entries,
    read_json,
    require_tables,
)
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question

COCO_LAYOUT = "dataset_coco.json (Karpathy's splits)"


def caption_rows(
    task: str, key: str, image: str, captions: Sequence[str], fold: str, text: str = ""
) -> Iterator[Question]:
    """Yield a row for each caption in training, so that an epoch sees each; else one row for all.

    Args:
        task: "caption", "tvc" or "yc2c".
        key: Id of the image; captions in training add their place, as "522418_0".
        image: Its name, or that of a file of features.
        captions: All of them; space around and within is made single.
        fold: The fold of all.
        text: What is known besides, as subtitles.
    """
    said = tuple(" ".join(caption.split()) for caption in captions)
    if fold == "train":
        for number, caption in enumerate(said):
            yield Question(f"{key}_{number}", task, (image,), text, {caption: 1.0}, (), fold)
        return
    yield Question(key, task, (image,), text, dict.fromkeys(said, 1.0), said, fold)


def read_karpathy(folder: Path, remarks: Remarks, name: str, layout: str) -> Iterator[Question]:
    """Yield the captions of one data set in Karpathy's form; "restval" trains.

    Args:
        folder: Absolute, with the table at any depth.
        remarks: Unused; all that is wrong is raised.
        name: The table's name, as a pattern: tables of three data sets are given out together.
        layout: What should be there, for the message.

    Raises:
        ValueError: There is no table, or it is damaged.
    """
    for table in require_tables(folder, name, f"{layout} in it"):
        data = read_json(table)
        images = data.get("images") if isinstance(data, dict) else data
        for entry in as_entries(table, images):
            image = entry.text("filename")
            split = entry.text("split")
            if split not in FOLDS:
                raise entry.fault(f"has the split {split!r}", "train, restval, val or test")
            captions = [str(one.get("raw", "")) for one in entry.items("sentences")]
            if not captions or not all(caption.strip() for caption in captions):
                raise entry.fault("has an empty caption", "sentences with raw in each")
            key = entry.text("cocoid") if "cocoid" in entry.data else Path(image).stem
            yield from caption_rows("caption", key, image, captions, FOLDS[split])


read_coco = partial(read_karpathy, name=r"dataset_coco\.json", layout=COCO_LAYOUT)
