"""Flickr30k: Karpathy's table, the sentences of Flickr30k Entities, or the first .token table."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.questions.captions import caption_rows, read_karpathy
from data_prep.datasets.questions.tables import find_tables, fold_of, no_tables
from data_prep.datasets.remarks import Remarks
from data_prep.media.files import find_files
from data_prep.questions.manifest import FOLDS, Question
from modalities.text_file import read_text

LAYOUT = (
    "dataset_flickr30k.json (Karpathy's), Sentences/ID.txt with train.txt, val.txt and test.txt "
    "(Entities), or results_20130124.token"
)
TABLE = r"dataset_flickr30k\.json"
PHRASE = re.compile(r"\[/EN#[^ \]]+ ([^\]]*)\]")
TORN = "Images in two lists, and are taken for the part that is held back"


def read_flickr30k(folder: Path, remarks: Remarks) -> Iterator[Question]:
    """Yield the captions of Flickr30k.

    Args:
        folder: Absolute, with one of its layouts.
        remarks: Where images are told that two lists have.

    Raises:
        ValueError: There is no such layout, or a file of it is damaged.
    """
    if find_tables(folder, TABLE):
        yield from read_karpathy(folder, remarks, TABLE, LAYOUT)
        return
    captions = _read_sentences(folder) or _read_tokens(folder)
    if not captions:
        raise no_tables(folder, f"{LAYOUT} in it")
    folds = _read_lists(folder, remarks)
    for key, said in captions.items():
        yield from caption_rows("caption", key, key, said, folds.get(key, ""))


def _is_sentence(path: Path) -> bool:
    return path.parent.name.lower() == "sentences"


def _read_sentences(folder: Path) -> dict[str, list[str]]:
    """Return the sentences of Entities by image, without the marks of phrases."""
    found = {}
    for path in filter(_is_sentence, find_files(folder, {".txt"})):
        lines = [line for line in read_text(path).split("\n") if line.strip()]
        if not lines:
            raise ValueError(f"{path} is empty; expected a caption a line. Get it anew.")
        found[path.stem] = [PHRASE.sub(r"\1", line) for line in lines]
    return found


def _read_tokens(folder: Path) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in find_files(folder, {".token"}):
        for number, line in enumerate(read_text(path).split("\n"), 1):
            name, tab, caption = line.partition("\t")
            if not tab and not line.strip():
                continue
            if "#" not in name or not caption.strip():
                raise ValueError(
                    f"{path}, line {number} is {line[:40]!r}; expected NAME.jpg#0, a tab and the "
                    "caption. Get it anew."
                )
            found[Path(name.partition("#")[0]).stem].append(caption)
    return dict(found)


def _read_lists(folder: Path, remarks: Remarks) -> dict[str, str]:
    """Return the fold of each image in train.txt, val.txt and test.txt."""
    found: dict[str, str] = {}
    for path in find_files(folder, {".txt"}):
        fold = fold_of(path.stem)
        if not fold or _is_sentence(path):
            continue
        for key in read_text(path).split():
            first = found.setdefault(key, fold)
            if first != fold:
                remarks.note(TORN, key)
                found[key] = max(first, fold, key=FOLDS.index)
    return found
