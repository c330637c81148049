"""From options to kinds of noise."""

from collections.abc import Collection
from pathlib import Path

from data_prep.media.files import MEDIA, find_files
from data_prep.noise import Recordings, find_recordings
from tasks.avsr.evaluation.conditions import NoiseSource
from tasks.avsr.evaluation.config import ConditionOptions, EvaluationConfig


def find_sources(config: EvaluationConfig, voices: tuple[Path, ...]) -> list[NoiseSource]:
    """Return the kinds of noise of an evaluation; none where it says nothing of noise.

    Args:
        config: What to evaluate, in what noise.
        voices: The clips' recordings, for babble and sidespeaker.

    Raises:
        FileNotFoundError: A folder is not there.
        ValueError: There are no recordings for a category.
    """
    if not (config.noise or config.voices_from_clips or config.conditions):
        if config.categories or config.snr_db:
            raise ValueError(
                "Noise categories or levels are given, but no recordings; expected a folder of "
                "noise (--noise), or voices from the clips."
            )
        return []
    common = ConditionOptions(
        only=config.only, voices_from_clips=config.voices_from_clips, rooms=config.rooms
    )
    sources = []
    if config.noise or config.voices_from_clips:
        recordings = _find(common, config.noise, voices)
        for category in config.categories or recordings.categories:
            sources.append(_build(category, category, recordings, common))
    for options in config.conditions:
        recordings = _find(options, options.folder or config.noise, voices)
        name = options.name or options.category
        sources.append(_build(name, options.category, recordings, options))
    return sources


def _build(
    name: str, category: str, recordings: Recordings, options: ConditionOptions
) -> NoiseSource:
    if not recordings.files(category):
        raise ValueError(
            f"Condition {name!r} has no recordings of {category}; there are some for "
            f"{', '.join(recordings.categories) or 'nothing'}. "
            "Add some to the noise folder (--noise)."
        )
    return NoiseSource(name, category, recordings, _find_rooms(options.rooms), options.voices)


def _find(options: ConditionOptions, folder: str, clips: tuple[Path, ...]) -> Recordings:
    found = find_recordings(folder) if folder else Recordings({})
    if options.only:
        found = _keep(found, options.only)
    from_clips = options.voices_from_clips
    if from_clips or (from_clips is None and not found.voices):
        return Recordings(found.by_category, clips)
    return found


def _keep(recordings: Recordings, names: Collection[str]) -> Recordings:
    everything = [*recordings.voices, *(p for f in recordings.by_category.values() for p in f)]
    stems = {path.stem for path in everything}
    if missing := sorted(set(names) - stems):
        raise ValueError(
            f"only names {', '.join(missing)}; there is no recording of that name. There are "
            f"{', '.join(sorted(stems))}."
        )
    return recordings.without(stems - set(names))


def _find_rooms(folder: str) -> tuple[Path, ...]:
    if not folder:
        return ()
    rooms = find_files(folder, MEDIA)
    if not rooms:
        raise FileNotFoundError(
            f"{folder} holds no impulse responses; expected a folder of recordings such as .wav."
        )
    return tuple(rooms)
