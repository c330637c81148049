"""The kinds of data sets behind `mcgurk prepare`: their names, and what prepares them.

The names stand here in words, so that help needs no library; a test holds them against the tables
of `data_prep.datasets`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modalities.spelling import did_you_mean
from tasks.cli.prepare_clips import CLIPS, prepare_clips
from tasks.cli.prepare_masks import MASKS, prepare_masks
from tasks.cli.prepare_mixtures import MIXTURES, prepare_mixtures
from tasks.cli.prepare_options import PrepareOptions
from tasks.cli.prepare_questions import QUESTIONS, prepare_questions

FOLDER = "folder"


@dataclass(frozen=True)
class Kind:
    """Data sets of one kind.

    Attributes:
        names: What each is, by its name.
        prepare: Prepares one of them.
    """

    names: Mapping[str, str]
    prepare: Callable[[PrepareOptions], None]


KINDS = {
    CLIPS: Kind(
        {
            "grid": "",
            FOLDER: "of clips with .txt beside them (LRS2, LRS3)",
            "cuts": "of lhotse",
        },
        prepare_clips,
    ),
    MASKS: Kind(
        {
            "kvasir": "",
            "bkai": "",
            "clinicdb": "",
            "isic": "",
            "dfu": "",
            "camus": "",
            "busi": "",
            "chexlocalize": "",
            "cvc300": "",
            "colondb": "",
            "etis": "",
            FOLDER: "of images/ and masks/, or NAME_mask.png beside NAME.png",
        },
        prepare_masks,
    ),
    QUESTIONS: Kind(
        {
            "vqav2": "",
            "gqa": "",
            "nlvr2": "",
            "coco": "in Karpathy's splits",
            "flickr30k": "",
            "tvqa": "",
            "how2qa": "",
            "tvc": "",
            "yc2c": "the four of VALUE, with features of videos",
        },
        prepare_questions,
    ),
    MIXTURES: Kind(
        {
            "llp": "",
            "llp_multi": "of LLP what has two labels or more",
            "audioset_eval": "",
            "landscape": "",
            "fsd50k": "",
        },
        prepare_mixtures,
    ),
}


def list_names() -> str:
    """Return all names by kind, as help has them."""
    return " ".join(f"Of {kind}: {_list_names_of(of)}." for kind, of in KINDS.items())


def _list_names_of(kind: Kind) -> str:
    return "; ".join(f"{name}, {said}" if said else name for name, said in kind.names.items())


def choose_kind(options: PrepareOptions) -> Kind:
    """Return what prepares a data set.

    Any folder is one of clips where there is sound or video in it, and of masks where there are
    pictures alone, or options for masks are given.

    Raises:
        FileNotFoundError: It can be of two kinds, and there is no such folder.
        ValueError: There is no such data set, or options are of another kind than the data set; it
            can be of two kinds, and there is nothing of either in it.
    """
    of = [kind for kind, known in KINDS.items() if options.name in known.names]
    if not of:
        known = dict.fromkeys(name for kind in KINDS.values() for name in kind.names)
        told = did_you_mean(options.name, known)
        raise ValueError(f"No data set {options.name!r}; known: {', '.join(known)}.{told}")
    chosen = of[0] if len(of) == 1 else _look_into(options)
    own = options.given(chosen)
    for kind in KINDS:
        given = [name for name in options.given(kind) if name not in own]
        if given:
            raise ValueError(
                f"{', '.join(given)} is for {kind}, and {options.name} is of {chosen}; expected "
                f"options of {chosen}. Leave it out."
            )
    return KINDS[chosen]


def _look_into(options: PrepareOptions) -> str:
    from data_prep.datasets.checks import require_folder
    from data_prep.datasets.masks.pairs import EXPECTED
    from data_prep.masks.images import PICTURES
    from data_prep.media.files import MEDIA, find_files

    for kind in (MASKS, CLIPS):
        if options.given(kind):
            return kind
    expected = f"clips, as NAME.mp4 or NAME.wav, or pictures and masks, as {EXPECTED}"
    folder = require_folder(options.source, expected)
    if find_files(folder, MEDIA):
        return CLIPS
    if find_files(folder, PICTURES):
        return MASKS
    raise ValueError(
        f"{options.source} has neither clips nor pictures; expected {expected}. Is it the right "
        "folder?"
    )
