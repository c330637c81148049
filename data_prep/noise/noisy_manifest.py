"""From prepared clips to a manifest of noisy ones, resumable and in parallel."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from data_prep.clips.manifest import MANIFEST, Clip, read_manifest
from data_prep.clips.names import file_name_of
from data_prep.clips.samples import read_sound
from data_prep.clips.splits import choose_clips
from data_prep.media.files import MEDIA, find_files
from data_prep.media.tracks import SILENCE, describe_choice
from data_prep.media.wav import encode_wav
from data_prep.noise.levels import RECIPES
from data_prep.noise.noisy import NoisyClip, name_mixture, read_noisy_manifest
from data_prep.noise.recordings import (
    CATEGORIES,
    VOICES,
    Recordings,
    find_recordings,
)
from data_prep.noise.scenes import BABBLE_VOICES, draw_scene, render_scene
from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import Outcome, Progress, check_manifest_folder, complete_manifest
from modalities.outputs import check_outputs
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

SETTINGS, AUDIO = "settings.json", "audio"
Pair = tuple[str, float]  # category and ratio in decibels


@dataclass(frozen=True)
class MixOptions:
    """What is mixed with each clip.

    Attributes:
        categories: Kinds of noise, one or more of `data_prep.noise.CATEGORIES`.
        snrs_db: Signal-to-noise ratios; each category comes at each of them.
        recipe: How power is measured, see `data_prep.noise.RECIPES`.
        seed: Another one gives other noise.
        voices: How many speak at once in babble.
        voices_from_clips: The other clips are voices too.
        write_audio: Write each mixture as a .wav of 16 bit.
    """

    categories: tuple[str, ...]
    snrs_db: tuple[float, ...]
    recipe: str = "rms"
    seed: int = 0
    voices: int = BABBLE_VOICES
    voices_from_clips: bool = False
    write_audio: bool = False

    def __post_init__(self):
        unknown = [name for name in self.categories if name not in CATEGORIES]
        if unknown or not self.categories:
            raise ValueError(
                f"No noise category {', '.join(map(repr, unknown)) or 'is given'}; "
                f"expected some of {', '.join(CATEGORIES)}."
            )
        if not self.snrs_db or not np.isfinite(self.snrs_db).all():
            raise ValueError(
                f"The ratios are {', '.join(map(str, self.snrs_db)) or 'none'}; expected some, "
                "in decibels."
            )
        if self.recipe not in RECIPES:
            raise ValueError(f"No recipe {self.recipe!r}; known: {', '.join(RECIPES)}.")
        if self.seed < 0 or self.voices < 1:
            raise ValueError(
                f"seed is {self.seed} and voices {self.voices}; expected a seed of 0 or more and "
                "at least one voice."
            )

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Each category at each ratio, none twice."""
        # Adding 0 makes -0.0 the same as 0.0, in names too.
        pairs = ((name, float(snr_db) + 0.0) for name in self.categories for snr_db in self.snrs_db)
        return tuple(dict.fromkeys(pairs))


@dataclass(frozen=True)
class Mixed:
    """What `mix_manifest` has done.

    Attributes:
        mixtures: In the manifest now.
        new: Made by this call.
        failed: What went wrong, by the id of the mixture.
    """

    mixtures: int
    new: int
    failed: dict[str, str]


def mix_manifest(
    prepared: str | Path,
    output: str | Path,
    options: MixOptions,
    noise: str | Path | None = None,
    rooms: str | Path | None = None,
    names: frozenset[str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    audio_track: int | None = None,
) -> Mixed:
    """Write a manifest of prepared clips with noise, each at each category and ratio.

    The noise of a clip in a category is the same at each ratio, and depends on the seed, the clip
    and the category alone. Each mixture is made once, so that what cannot be mixed is told. A run
    that was interrupted goes on where it was.

    Args:
        prepared: Folder with manifest.jsonl, as `prepare` wrote it.
        output: Another, to write to: manifest.jsonl, settings.json, audio/ID.wav if wanted, and
            failed.jsonl where something could not be mixed.
        options: What is mixed.
        noise: Folder of recordings, see `find_recordings`; None for voices of clips alone.
        rooms: Folder of impulse responses, one of which each mixture is heard through.
        names: Clips to take, by id or what follows the speaker in it; all without.
        workers: Processes; as many as cores without.
        progress: Called with the mixtures done, and all.
        audio_track: The sound track of the clips, by index; None: the one that was prepared.

    Returns:
        How many there are, and what failed.

    Raises:
        FileNotFoundError: A folder or the manifest is not there.
        ValueError: Too few recordings; the output was made with other settings; no clip is named;
            a mixture would replace a recording.
        OSError: The output cannot be written.
    """
    prepared, output = Path(prepared).resolve(), Path(output).resolve()
    if prepared == output:
        raise ValueError(f"{output} holds the clips themselves; expected another folder to write.")
    clips = [_anchor(clip, prepared) for clip in read_manifest(prepared / MANIFEST)]
    if audio_track is not None:
        clips = [replace(clip, audio_track=audio_track) for clip in clips]
    clips = clips if names is None else choose_clips(clips, names)
    recordings = find_recordings(Path(noise).resolve()) if noise else Recordings({})
    if options.voices_from_clips:
        recordings = recordings.with_voices(Path(clip.media) for clip in clips)
    check_recordings(recordings, options)
    heard = find_rooms(Path(rooms).resolve()) if rooms else ()
    done = _read_done(output / MANIFEST, clips, options)
    ids = [name_mixture(clip, *pair) for clip in clips for pair in options.pairs]
    jobs = [
        (clip, missing)
        for clip in clips
        if (missing := [p for p in options.pairs if name_mixture(clip, *p) not in done])
    ]
    _check_outputs(output, jobs, options, [clip.media for clip in clips], recordings, heard)
    _check_settings(output, _describe(options, recordings, heard))
    before = len(done)
    mixer = _Mixer(options, recordings, heard, output)
    outcomes = run_in_processes(mixer, jobs, workers)
    failed = complete_manifest(output / MANIFEST, ids, done, outcomes, progress)
    return Mixed(len(done), len(done) - before, failed)


def check_recordings(recordings: Recordings, options: MixOptions) -> None:
    """Tell at once where a category has too few recordings.

    Raises:
        ValueError: It has.
    """
    for category in options.categories:
        count = len(recordings.files(category))
        if options.voices_from_clips and category in VOICES:
            count -= 1  # the clip itself
        needed = options.voices if category == "babble" else 1
        if count < needed:
            can_speak = category in VOICES and not options.voices_from_clips
            raise ValueError(
                f"Category {category!r} needs {needed} recording{'s' * (needed > 1)} besides the "
                f"clip itself; there are {max(count, 0)}. Give a folder of noise that has them "
                f"(--noise){', or use the other clips as voices (--voices-from-clips)' * can_speak}"
                ", or leave the category out."
            )


def find_rooms(folder: str | Path) -> tuple[Path, ...]:
    """Find impulse responses below a folder.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with impulse responses.")
    rooms = tuple(find_files(folder, MEDIA))
    if not rooms:
        raise ValueError(f"{folder} holds no impulse responses; expected sound files.")
    return rooms


def _check_outputs(
    output: Path,
    jobs: Sequence[tuple[Clip, Sequence[Pair]]],
    options: MixOptions,
    media: Sequence[str],
    recordings: Recordings,
    rooms: Sequence[Path],
) -> None:
    """Check that the folder can be written, and that no mixture would replace a sound it needs."""
    check_manifest_folder(output / MANIFEST)
    names = [name_mixture(clip, *pair) for clip, pairs in jobs for pair in pairs]
    written = [output / AUDIO / f"{name}.wav" for name in names if options.write_audio]
    noise = [path for files in recordings.by_category.values() for path in files]
    if not (output / SETTINGS).exists() and (strange := [p for p in written if p.exists()]):
        raise ValueError(
            f"{strange[0]} is there, and mcgurk did not write it. Give another output folder."
        )
    check_outputs(written, [*media, *noise, *recordings.voices, *rooms])


def _anchor(clip: Clip, folder: Path) -> Clip:
    """Name the files of a clip so that another manifest can."""
    mouth = None if clip.mouth is None else str(folder / clip.mouth)
    return replace(clip, media=str(folder / clip.media), mouth=mouth)


def _describe(options: MixOptions, recordings: Recordings, rooms: Sequence[Path]) -> dict[str, Any]:
    """Return all that decides how a clip sounds in a category at a ratio."""
    settings = {k: v for k, v in asdict(options).items() if k not in ("categories", "snrs_db")}
    noise = {name: list(map(str, files)) for name, files in recordings.by_category.items()}
    noise["voices"] = list(map(str, recordings.voices))
    return {**settings, "noise": noise, "rooms": list(map(str, rooms))}


def _check_settings(output: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a new folder; those of one that is there must be the same."""
    path = output / SETTINGS
    if not path.exists():
        with replace_when_whole(path) as partial_path:
            text = json.dumps(settings, ensure_ascii=False, indent=1)
            partial_path.write_text(f"{text}\n", encoding="utf-8")
        return
    try:
        known = dict(json.loads(read_text(path)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); give another output folder.") from error
    other = [name for name in settings if known.get(name) != settings[name]]
    if other:
        raise ValueError(
            f"{output} was mixed with other settings: {', '.join(other)}. Give the same to go on, "
            "or another output folder."
        )


def _read_done(path: Path, clips: Sequence[Clip], options: MixOptions) -> dict[str, NoisyClip]:
    """Read what a former run has made of these clips as they are now."""
    if not path.exists():
        return {}
    wanted = {name_mixture(clip, *pair): clip for clip in clips for pair in options.pairs}
    return {
        noisy.id: noisy for noisy in read_noisy_manifest(path) if wanted.get(noisy.id) == noisy.clip
    }


@dataclass(frozen=True)
class _Mixer:
    """Draws and mixes the scenes of one clip."""

    options: MixOptions
    recordings: Recordings
    rooms: tuple[Path, ...]
    folder: Path

    def __call__(self, job: tuple[Clip, Sequence[Pair]]) -> Outcome[NoisyClip]:
        clip, pairs = job
        try:
            speech = read_sound(clip, self.folder)
        except (ValueError, FileNotFoundError) as error:
            return Outcome(failed={name_mixture(clip, *pair): str(error) for pair in pairs})
        if np.abs(speech).max(initial=0) <= SILENCE and (
            note := describe_choice(clip.media, clip.audio_track, silent=True)
        ):
            reason = f"{clip.media}: sound {note}."
            return Outcome(failed={name_mixture(clip, *pair): reason for pair in pairs})
        made, failed = [], {}
        for category, snr_db in pairs:
            try:
                made.append(self.mix(clip, speech, category, snr_db))
            except ValueError as error:
                failed[name_mixture(clip, category, snr_db)] = str(error)
        return Outcome(tuple(made), failed)

    def mix(self, clip: Clip, speech: np.ndarray, category: str, snr_db: float) -> NoisyClip:
        """Draw and mix one scene."""
        seed = (self.options.seed, crc32(f"{clip.id} {category}".encode()))
        scene = draw_scene(
            self.recordings.without([clip.id]),
            category,
            snr_db,
            len(speech),
            seed,
            self.options.recipe,
            self.rooms,
            avoid=clip.media,
            voices=self.options.voices,
        )
        mixture = render_scene(scene, speech)
        noisy = NoisyClip(clip, scene, seed)
        if not self.options.write_audio:
            return noisy
        noisy = replace(noisy, audio=f"{AUDIO}/{file_name_of(noisy.id)}.wav")
        with replace_when_whole(self.folder / str(noisy.audio)) as path:
            path.write_bytes(encode_wav(mixture.waveform))
        return noisy
