"""What a talker's sets could be, each beside what it was, and which face they are for."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data_prep.clips.samples import Sample
from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from fusion.sets.card import read_card
from fusion.sets.files import write_card
from modalities.network_file import save_network
from modalities.vision.lips import LipEncoder, load_lip_encoder
from modalities.whole_file import folder_when_whole
from tasks.avsr.sets.collection import (
    AGREEMENT,
    ALL,
    KIND,
    LOUDNESS,
    SELECTOR,
    Collection,
    write_collection,
)
from tasks.avsr.sets.talker_face import FACE, summarise_face
from tasks.avsr.training.collect import LIPS
from tasks.avsr.training.config import AugmentOptions
from tasks.avsr.training.enrolment.moved_set import write_moved
from tasks.avsr.training.mouth_changes import change_pictures

BEFORE = "__before"  # behind the name of a set as it was, among the candidates
VARIANTS = 4  # times that each piece shows what the talker's face looks like
DIRECTIONS = 20
# More room around a face than pieces held back take: half-way to the nearest of eight others, which
# are 1.68 times as far as the farthest piece held back of GRID's s4.
ROOM = 1.3
SLIGHT = AugmentOptions(pace=0.0, blanks=0, erase=0.0, flip=0.0)


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
    first = collection.groups[ALL][0]
    with folder_when_whole(folder) as partial:
        # Not what tells known sound and faces: whoever comes here is the talker.
        for name in (SELECTOR, KIND, LOUDNESS):
            if (source / name).is_file():
                shutil.copyfile(source / name, partial / name)
        shutil.copyfile(lips, partial / LIPS)
        shutil.copyfile(agreement, partial / AGREEMENT)
        for name in collection.sets:
            if name == collection.listener:
                _copy(source / name, partial / name)
                continue
            _copy(source / name, partial / f"{name}{BEFORE}")
            if name == first:
                _copy(trained, partial / name)
                # How long it took differs from run to run; nothing else does.
                write_card(partial / name, replace(read_card(trained), seconds=None))
            else:
                write_moved(source / name, source / first, trained, partial / name)
        described = replace(collection, lips=LIPS, groups=_double(collection), scores={})
        write_collection(partial, described)
    return described


def _copy(source: Path, folder: Path) -> None:
    shutil.copytree(source, folder, copy_function=shutil.copyfile)


def _double(collection: Collection) -> dict[str, list[str]]:
    """Return the groups with each set but the one that hears only as it was, too."""
    return {
        group: [*names, *(f"{name}{BEFORE}" for name in names if name != collection.listener)]
        for group, names in collection.groups.items()
    }


def fit_face(
    pieces: Sequence[Sample], held: Sequence[Sample], lips: LipEncoder, seed: int
) -> DomainCheck:
    """Fit how a lip encoder sees a talker's face.

    Args:
        pieces: That were learnt from, each changed a little in several ways.
        held: That were not; they say how far the face may be from the others.
        lips: The talker's encoder.
        seed: Fixes how pictures are changed.
    """
    rows = []
    for number, sample in enumerate(pieces):
        for turn in range(VARIANTS):
            random = np.random.default_rng([seed, 19, number, turn])
            changed, _, mask = change_pictures(
                sample.crops, sample.clip.mask(), lips.network.options, SLIGHT, random
            )
            seen = torch.from_numpy(mask)
            with torch.no_grad():
                features = lips.network.see(changed[None], seen[None])
            rows.append(summarise(features[:, seen]))
    directions = max(1, min(DIRECTIONS, len(rows) // 4))
    check = DomainCheck(DomainOptions(lips.dim, directions))
    check.fit(torch.cat(rows))
    with torch.no_grad():
        others = [summarise_face(lips, one.crops, one.clip.mask()) for one in held]
    residual = float(check.residual(torch.cat(others)).max()) * ROOM
    final = DomainCheck(replace(check.options, residual=residual))
    final.load_state_dict(check.state_dict())
    return final


def save_face(
    pieces: Sequence[Sample], held: Sequence[Sample], lips: Path, folder: Path, seed: int
) -> None:
    """Write `fit_face` of a file's lip encoder into a talker's folder."""
    save_network(fit_face(pieces, held, load_lip_encoder(lips), seed), folder / FACE)
