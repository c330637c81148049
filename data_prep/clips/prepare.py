"""From clips as they are published to a manifest with mouth crops, resumable and in parallel."""

import shlex
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.clips.manifest import MANIFEST, Clip, read_manifest, runs_of
from data_prep.clips.names import file_name_of
from data_prep.faces import FaceFinder, FromFirstPicture
from data_prep.faces.mouth_video import find_mouths, is_mouth_video, write_mouth_video
from data_prep.media import probe, stream_audio, stream_video
from data_prep.media.files import sound_beside
from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import Outcome, Progress, check_manifest_folder, complete_manifest
from modalities.outputs import check_outputs
from modalities.rates import RATE_HZ

if TYPE_CHECKING:
    from modalities.vision import FaceDetector

MOUTHS = "mouths"
LARGEST_SIDE = 1280  # faces in larger pictures are looked for at this size


@dataclass(frozen=True)
class Prepared:
    """What `prepare` has done.

    Attributes:
        clips: In the manifest now.
        new: Prepared by this call.
        failed: What went wrong, by the id of the clip.
    """

    clips: int
    new: int
    failed: dict[str, str]


def prepare(
    clips: Sequence[Clip],
    folder: str | Path,
    workers: int | None = None,
    progress: Progress | None = None,
    ray: str | None = None,
    unread: Mapping[str, str] | None = None,
) -> Prepared:
    """Crop the mouths of clips and write their manifest.

    A run that was interrupted goes on where it was: each clip is one line of the manifest, written
    once its mouth video is whole. In the end the manifest has the order of the clips, and text,
    speaker and words as they are in `clips` now, also of those that a former run prepared.

    Args:
        clips: Clips to prepare, with unique ids, such as `data_prep.datasets.speech.catalog` finds.
        folder: To write to: manifest.jsonl, mouths/ID.mp4 (a part of a long id), and failed.jsonl
            where a clip could not be read; those are tried again by the next run.
        workers: Processes; as many as cores without.
        progress: Called with the clips done, and all.
        ray: Address of a Ray cluster to work on, or "local", see `data_prep.workers.ray_cluster`;
            None for processes of this machine.
        unread: Why others could not be found out about, by their ids; they count as failed.

    Returns:
        How many there are, and what failed.

    Raises:
        OSError: The folder cannot be written, or the cluster is lost.
        ValueError: The manifest there is damaged, two clips have one id, the mouth video of one
            would replace a clip, Ray cannot be imported, or no cluster answers.
    """
    folder = Path(folder).resolve()  # other machines have another current folder
    if len({clip.id for clip in clips}) < len(clips):
        raise ValueError("Two clips have the same id; expected ids that are unique.")
    manifest = folder / MANIFEST
    check_manifest_folder(manifest)
    known = {clip.id: clip for clip in read_manifest(manifest)} if manifest.exists() else {}
    done = {
        clip.id: _renew(known[clip.id], clip)
        for clip in clips
        if clip.id in known and known[clip.id].audio_track == clip.audio_track
    }
    todo = [clip for clip in clips if clip.id not in done]
    _check_mouths([folder / _mouth_name(clip) for clip in todo], clips)
    (folder / MOUTHS).mkdir(parents=True, exist_ok=True)
    work = partial(prepare_clip, folder=folder)
    if ray is None or not todo:
        outcomes = run_in_processes(work, todo, workers)
    else:
        from data_prep.workers.ray_cluster import run_on_ray

        outcomes = run_on_ray(work, todo, ray, workers)
    before, unread = len(done), unread or {}
    ids = [*(clip.id for clip in clips), *unread]
    failed = complete_manifest(manifest, ids, done, _after(unread, outcomes), progress)
    return Prepared(len(done), len(done) - before, failed)


def _renew(known: Clip, found: Clip) -> Clip:
    """Take over what may have been corrected since a clip was prepared."""
    return replace(known, text=found.text, speaker=found.speaker, words=found.words)


def _after(
    unread: Mapping[str, str], outcomes: Generator[Outcome[Clip], None, None]
) -> Generator[Outcome[Clip], None, None]:
    if unread:
        yield Outcome(failed=unread)
    yield from outcomes


def _check_mouths(written: Sequence[Path], clips: Sequence[Clip]) -> None:
    """Check that mouth videos replace no clip, nor a file that mcgurk did not write."""
    check_outputs(written, [clip.media for clip in clips])
    for path in written:
        if path.exists() and not is_mouth_video(path):
            raise ValueError(
                f"{path} is there, and mcgurk did not write it. Give another output folder."
            )


def prepare_clip(clip: Clip, folder: Path) -> Outcome[Clip]:
    """Prepare one clip.

    Args:
        clip: As found.
        folder: The manifest's.

    Returns:
        The clip with what was found, or why it failed.
    """
    try:
        return Outcome((_prepare(clip, folder),))
    except (ValueError, FileNotFoundError) as error:
        return Outcome(failed={clip.id: str(error)})


def _prepare(clip: Clip, folder: Path) -> Clip:
    info = probe(clip.media, measure=False)
    sound = partial(stream_audio, clip.media, audio_track=clip.audio_track)
    samples = sum(len(block) for block in sound()) if info.audio else 0
    if not samples:
        raise ValueError(f"{clip.media} has no sound; expected speech.{_tell_beside(clip.media)}")
    found = replace(clip, duration_s=samples / RATE_HZ)
    if info.video is None:
        return found
    frames = stream_video(clip.media, max_side=LARGEST_SIDE)
    finder = FromFirstPicture(FaceFinder(_detector()))
    mouths = find_mouths(finder, frames, sound())
    name = _mouth_name(clip)
    mask = write_mouth_video(folder / name, mouths)
    return replace(found, mouth=name, frames=len(mask), seen=runs_of(mask))


def _mouth_name(clip: Clip) -> str:
    """Return where the mouth video of a clip lies in the manifest's folder."""
    return f"{MOUTHS}/{file_name_of(clip.id)}.mp4"


def _tell_beside(video: str) -> str:
    sound = sound_beside(video)
    if sound is None or sound == Path(video):
        return ""
    whole = shlex.join(["ffmpeg", "-i", video, "-i", str(sound), "-c:v", "copy", "WHOLE.mkv"])
    return f" Its sound may be {sound.name}; put them together, as by: {whole}"


@cache
def _detector() -> "FaceDetector":
    """Load the network, once a process."""
    from modalities.vision import load_face_detector

    return load_face_detector("full")
