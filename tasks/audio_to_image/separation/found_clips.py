"""The sounds of an experiment, of any data set, in those that train and those that are measured."""

from collections.abc import Mapping

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.json_lines import find_manifest
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures
from data_prep.sounds.labelled import Fold, Sound, folds_of
from data_prep.sounds.protocols import held_back, hold_out_speakers, k_folds, official
from tasks.audio_to_image.separation.clips import Clip
from tasks.audio_to_image.separation.config import MANIFEST_DATA, ClipOptions

FOLDS = ("train", "validation", "test", "")
Parts = tuple[list[Clip], list[Clip]]


def find_clips(data: Mapping[str, ClipOptions]) -> Parts:
    """Find the sounds of an experiment: those that train, and those that are measured.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds something else, or cannot be parted in this way.
    """
    trained: list[Clip] = []
    measured: list[Clip] = []
    for name, options in data.items():
        find = _of_manifest if options.dataset == MANIFEST_DATA else _of_sounds
        parts = find(name, options)
        trained += parts[0]
        measured += parts[1]
    return trained, measured


def _of_sounds(name: str, options: ClipOptions) -> Parts:
    fold = _part(SOUND_DATASETS[options.dataset](options.folder), options)

    def clips(sounds: tuple[Sound, ...]) -> list[Clip]:
        return [Clip(s.id, s.media, (s.label,), name, s.start_s, s.end_s) for s in sounds]

    return clips(fold.train), clips(fold.validation or fold.test)


def _part(sounds: list[Sound], options: ClipOptions) -> Fold:
    if options.speakers:
        fold = hold_out_speakers(sounds, options.speakers, share=options.validation)
        return Fold(fold.train + fold.validation, (), fold.test)
    if all(not sound.fold for sound in sounds):
        return held_back(Fold(tuple(sounds), (), ()), options.validation, options.seed)
    if all(sound.fold.isdecimal() for sound in sounds):
        return k_folds(sounds, folds_of(sounds)[-1], "none")[0][1]
    return official(sounds, options.validation, options.seed)


def _of_manifest(name: str, options: ClipOptions) -> Parts:
    """Return recordings of several sounds as they are, or the sources of those that have some."""
    rows = list(read_mixtures(find_manifest(options.folder, MANIFEST)))

    def clips(row: MixedSound) -> list[Clip]:
        if options.whole or not row.sources:
            return [Clip(row.id, row.media, row.labels, name, row.start_s, row.end_s)]
        return [
            Clip(f"{row.id}/{number}", source.media, (source.label,), name)
            for number, source in enumerate(row.sources)
        ]

    found = {fold: [c for r in rows if r.fold == fold for c in clips(r)] for fold in FOLDS}
    trained = found["train"] + found[""]
    measured = found["validation"] or found["test"]
    if not trained or not measured:
        raise ValueError(
            f"{options.folder} has {len(trained)} sounds to train and {len(measured)} to measure; "
            "expected some of each. Name the fold of each row: train, validation or test."
        )
    return trained, measured
