"""What a talker's sets could be, each beside what it was, and which face they are for."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_prep.clips.samples import Sample
from fusion.scenarios.domain import DomainCheck
from fusion.sets.card import read_card
from fusion.sets.files import write_card
from modalities.network_file import save_network
from modalities.vision.lips import LipEncoder, load_lip_encoder
from tasks.avsr.sets.collection import (
    AGREEMENT,
    ALL,
    DOMAIN,
    FACES,
    KIND,
    LOUDNESS,
    SELECTOR,
    Collection,
    write_collection,
)
from tasks.avsr.training.collect import LIPS
from tasks.avsr.training.config import NoiseOptions
from tasks.avsr.training.enrolment.moved_set import write_moved
from tasks.avsr.training.selector_fitting import SelectorFitting

BEFORE = "__before"  # behind the name of a set as it was, among the candidates
REPEATS = 8  # times that each piece shows what the talker's face looks like
FACE_ROOM = 1.25  # more room around a face that few pieces show
DOUBT = 0.25


def build_candidates(
    source: Path, collection: Collection, trained: Path, lips: Path, agreement: Path, folder: Path
) -> Collection:
    """Write a collection for a talker that has each set twice, as it was and as it may become.

    Args:
        source: Folder of the collection that all began with.
        collection: What is known about it.
        trained: Folder of the set for every noise, trained on.
        lips: File of the talker's lip encoder.
        agreement: File of the network that compares lips and sound.
        folder: To write; new.

    Returns:
        What is known about it; sets as they were have `BEFORE` behind their names. The set that
        hears only is there once: all that chooses by sound rests on it.
    """
    folder.mkdir(parents=True)
    for name in (SELECTOR, DOMAIN, KIND, LOUDNESS):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    shutil.copyfile(lips, folder / LIPS)
    shutil.copyfile(agreement, folder / AGREEMENT)
    first = collection.groups[ALL][0]
    for name in collection.sets:
        if name == collection.listener:
            shutil.copytree(source / name, folder / name, copy_function=shutil.copyfile)
            continue
        shutil.copytree(source / name, folder / f"{name}{BEFORE}", copy_function=shutil.copyfile)
        if name != first:
            write_moved(source / name, source / first, trained, folder / name)
            continue
        shutil.copytree(trained, folder / name, copy_function=shutil.copyfile)
        # How long it took differs from run to run; all else in the folder does not.
        write_card(folder / name, replace(read_card(trained), seconds=None))
    doubled = {
        group: [*names, *(f"{name}{BEFORE}" for name in names if name != collection.listener)]
        for group, names in collection.groups.items()
    }
    described = replace(collection, lips=LIPS, groups=doubled, scores={})
    write_collection(folder, described)
    return described


def fit_face(
    pieces: Sequence[Sample], held: Sequence[Sample], lips: LipEncoder, seed: int
) -> DomainCheck:
    """Fit what a talker's face looks like to the talker's lip encoder.

    Args:
        pieces: That were learnt from.
        held: That were not.
        lips: Reads them.
        seed: Fixes how pictures are changed.
    """
    repeated = [piece for _ in range(REPEATS) for piece in pieces]
    fitting = SelectorFitting(repeated, held, NoiseOptions(), 1, DOUBT, seed)
    check = fitting.fit_faces(lips)
    options = replace(check.options, residual=check.options.residual * FACE_ROOM)
    wider = DomainCheck(options)
    wider.load_state_dict(check.state_dict())
    return wider


def save_face(
    pieces: Sequence[Sample], held: Sequence[Sample], lips: Path, folder: Path, seed: int
) -> None:
    """Write `fit_face` of a file's lip encoder into a talker's folder."""
    save_network(fit_face(pieces, held, load_lip_encoder(lips), seed), folder / FACES)
