"""From clips as they are published to a manifest with mouth crops, resumable and in parallel."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from data_prep.faces import FaceFinder
from data_prep.faces.mouth_video import find_mouths, write_mouth_video
from data_prep.manifest import Clip, read_manifest, runs_of, write_manifest
from data_prep.media import probe, stream_audio, stream_video
from data_prep.media.waveform import RATE_HZ
from data_prep.output import replace_when_whole
from modalities.vision import FaceDetector, load_face_detector

MANIFEST, FAILED, MOUTHS = "manifest.jsonl", "failed.jsonl", "mouths"
LARGEST_SIDE = 1280  # faces in larger pictures are looked for at this size
Progress = Callable[[int, int], None]


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
) -> Prepared:
    """Crop the mouths of clips and write their manifest.

    A run that was interrupted goes on where it was: each clip is one line of the manifest, written
    once its mouth video is whole. In the end the manifest has the order of the clips.

    Args:
        clips: As `data_prep.datasets` finds them.
        folder: To write to: manifest.jsonl, mouths/ID.mp4, and failed.jsonl where a clip could not
            be read; those are tried again by the next run.
        workers: Processes; as many as cores without.
        progress: Called with the clips done, and all.

    Returns:
        How many there are, and what failed.

    Raises:
        OSError: The folder cannot be written.
        ValueError: The manifest there is damaged, or two clips have one id.
    """
    folder = Path(folder)
    if len({clip.id for clip in clips}) < len(clips):
        raise ValueError("Two clips have the same id; expected ids that are unique.")
    (folder / MOUTHS).mkdir(parents=True, exist_ok=True)
    manifest = folder / MANIFEST
    known = {clip.id: clip for clip in read_manifest(manifest)} if manifest.exists() else {}
    done = {clip.id: known[clip.id] for clip in clips if clip.id in known}
    write_manifest(manifest, list(done.values()))  # without what an interrupted run left of a line
    todo = [clip for clip in clips if clip.id not in done]
    failed: dict[str, str] = {}
    with manifest.open("a", encoding="utf-8") as lines:
        for number, (clip, reason) in enumerate(_run(todo, folder, workers), 1):
            if reason is None:
                done[clip.id] = clip
                lines.write(f"{clip.to_json()}\n")
                lines.flush()
            else:
                failed[clip.id] = reason
            if progress:
                progress(len(clips) - len(todo) + number, len(clips))
    write_manifest(manifest, [done[clip.id] for clip in clips if clip.id in done])
    _write_failed(folder / FAILED, failed)
    return Prepared(len(done), len(todo) - len(failed), failed)


def prepare_clip(clip: Clip, folder: Path) -> tuple[Clip, str | None]:
    """Prepare one clip.

    Args:
        clip: As found.
        folder: The manifest's.

    Returns:
        The clip with what was found, and None; or as it was, and why it failed.
    """
    try:
        info = probe(clip.media)
        samples = sum(len(block) for block in stream_audio(clip.media)) if info.audio else 0
        if not samples:
            return clip, f"{clip.media} has no sound; expected speech."
        found = replace(clip, duration_s=samples / RATE_HZ)
        if info.video is None:
            return found, None
        frames = stream_video(clip.media, max_side=LARGEST_SIDE)
        mouths = find_mouths(FaceFinder(_detector()), frames, stream_audio(clip.media))
        name = f"{MOUTHS}/{clip.id}.mp4"
        mask = write_mouth_video(folder / name, mouths)
    except ValueError as error:
        return clip, str(error)
    return replace(found, mouth=name, frames=len(mask), seen=runs_of(mask)), None


@cache
def _detector() -> FaceDetector:
    """Load the network, once a process."""
    return load_face_detector("full")


def _run(
    todo: Sequence[Clip], folder: Path, workers: int | None
) -> Iterator[tuple[Clip, str | None]]:
    """Prepare clips in processes, few more at a time than there are."""
    count = min(workers or os.cpu_count() or 1, len(todo))
    if count <= 1:
        yield from (prepare_clip(clip, folder) for clip in todo)
        return
    rest = iter(todo)
    # Not forked: torch's threads do not survive it.
    with ProcessPoolExecutor(count, get_context("spawn"), _start_worker) as pool:
        waiting: set[Future] = set()
        try:
            while True:
                more = islice(rest, 2 * count - len(waiting))
                waiting |= {pool.submit(prepare_clip, clip, folder) for clip in more}
                if not waiting:
                    return
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Work on one core, and let the parent alone answer an interrupt."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _write_failed(path: Path, failed: dict[str, str]) -> None:
    if not failed:
        path.unlink(missing_ok=True)
        return
    with replace_when_whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"id": name, "reason": reason}, ensure_ascii=False) + "\n"
            for name, reason in failed.items()
        )
