"""Cut a talker's clips at pauses into pieces with sound and mouth, and say what is left out."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import numpy as np

from data_prep.clips.manifest import Clip, runs_of
from data_prep.clips.names import file_name_of
from data_prep.clips.prepare import LARGEST_SIDE
from data_prep.faces import FaceFinder, FaceTrack, FromFirstPicture, MouthChunk
from data_prep.faces.mouth_video import find_mouths, write_mouth_video
from data_prep.faces.sampling import load_default_detector
from data_prep.media import probe, read_audio, stream_audio, stream_video
from data_prep.media.wav import encode_wav
from data_prep.noise.levels import rms_power
from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import Progress
from modalities.rates import CROP_SIDE, PIECE_SAMPLES, RATE_HZ, SAMPLES_PER_PICTURE
from modalities.speech.engines import TORCH, load_speech_network
from modalities.speech.voice_activity import SpeechDetector, SpeechNetwork
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole
from tasks.avsr.sets.pieces import cut_pieces

SEEN = 0.5  # share of a piece's pictures that show a mouth, at least
LOUD = 1e-4  # mean power of full scale, -40 dB: something is heard
TALKS = 15  # pictures that a face talks in, at least, to count as a talker
NO_FACE = "no talking face is seen"
TWO = "two people talk in turn"
SILENT = "nobody is heard"
DROWNED = "nobody is heard beside other sound"
MUTE = "there is no sound"
UNREAD = "the file does not play"
UNSURE = "what is said is not sure"


@dataclass(frozen=True)
class Cut:
    """What came of clips.

    Attributes:
        pieces: Of at most 3.2 s, each as `mcgurk prepare` would write it; the text of one that is
            all of its clip's speech, or whose words have times, is known where the clip's is.
        left_out: How many pieces, or clips, were left out, by the reason.
    """

    pieces: tuple[Clip, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)


def cut_clips(
    clips: Sequence[Clip],
    folder: Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Cut:
    """Cut clips into pieces; what a former call has cut is taken over.

    Args:
        clips: As found.
        folder: To write to, for each clip a file that is there when all of it is.
        workers: Processes; as many as cores without.
        progress: Called with the clips done, and all.

    Returns:
        Pieces in the order of the clips.

    Raises:
        OSError: The folder cannot be written.
    """
    found = {clip.id: _read_cut(folder, clip) for clip in clips}
    todo = [clip for clip in clips if found[clip.id] is None]
    done = len(clips) - len(todo)
    for clip_id, cut in run_in_processes(partial(_cut_one, folder=folder), todo, workers):
        found[clip_id] = cut
        done += 1
        if progress:
            progress(done, len(clips))
    cuts = [cut for clip in clips if (cut := found[clip.id]) is not None]
    left_out: Counter[str] = Counter()
    for cut in cuts:
        left_out.update(cut.left_out)
    return Cut(tuple(piece for cut in cuts for piece in cut.pieces), dict(left_out))


def _cut_one(clip: Clip, folder: Path) -> tuple[str, Cut]:
    """Cut a clip, and write down what came of it last."""
    try:
        cut = cut_clip(clip, folder)
    except (ValueError, FileNotFoundError):
        cut = Cut(left_out={UNREAD: 1})
    content = {"pieces": [piece.to_data() for piece in cut.pieces], "left_out": cut.left_out}
    with replace_when_whole(_cut_file(folder, clip)) as partial_path:
        partial_path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return clip.id, cut


def _cut_file(folder: Path, clip: Clip) -> Path:
    return folder / "cut" / f"{file_name_of(clip.id)}.json"


def _read_cut(folder: Path, clip: Clip) -> Cut | None:
    path = _cut_file(folder, clip)
    if not path.is_file():
        return None
    content = json.loads(read_text(path))
    return Cut(tuple(map(Clip.from_data, content["pieces"])), content["left_out"])


def cut_clip(clip: Clip, folder: Path) -> Cut:
    """Cut one clip.

    Args:
        clip: As found.
        folder: To write sound/ID.wav and mouths/ID.mp4 of each piece to.

    Raises:
        ValueError: It is damaged, or has no sound.
        FileNotFoundError: It is not there.
    """
    media = probe(clip.media, measure=False)
    if media.video is None or media.audio is None:
        return Cut(left_out={MUTE if media.audio is None else NO_FACE: 1})
    waveform = read_audio(clip.media, clip.audio_track)
    places = [_on_pictures(*place) for place in cut_pieces(waveform, find_speech(waveform))]
    if not places or clip.text == "":
        loud = len(waveform) > 0 and rms_power(waveform) > LOUD
        return Cut(left_out={DROWNED if loud else SILENT: 1})
    finder = FromFirstPicture(FaceFinder(_detector()))
    frames = stream_video(clip.media, max_side=LARGEST_SIDE)
    sound = stream_audio(clip.media, audio_track=clip.audio_track)
    mouths = _Mouths(places)
    for chunk in find_mouths(finder, frames, sound):
        mouths.take(chunk)
    if talk_in_turn(finder.tracks()):
        return Cut(left_out={TWO: len(places)})
    pieces, unseen = [], 0
    for number, (start, stop) in enumerate(places):
        crops, mask = mouths.of(number)
        if mask.mean() < SEEN:
            unseen += 1
            continue
        whole = len(places) == 1
        piece = _describe(clip, number, whole, start, stop)
        pieces.append(_write(piece, folder, waveform[start:stop], crops, mask))
    return Cut(tuple(pieces), {NO_FACE: unseen} if unseen else {})


def find_speech(waveform: np.ndarray) -> list[tuple[int, int]]:
    """Return the stretches of speech, first sample and the one after the last."""
    detector = SpeechDetector(_speech_network())
    spans = [*detector.push(waveform), *detector.flush()]
    return [(round(span.start_s * RATE_HZ), round(span.end_s * RATE_HZ)) for span in spans]


def talk_in_turn(tracks: Sequence[FaceTrack]) -> bool:
    """Say whether two people who are seen at once were both taken for the talker."""
    talkers = [track for track in tracks if int(track.chosen.sum()) >= TALKS]
    return any(
        one.shot == other.shot
        and one.start_frame < other.stop_frame
        and other.start_frame < one.stop_frame
        for one, other in combinations(talkers, 2)
    )


class _Mouths:
    """Mouth crops of pieces, taken while the video is looked at."""

    def __init__(self, places: Sequence[tuple[int, int]]):
        self.frames = [
            (start // SAMPLES_PER_PICTURE, -(-stop // SAMPLES_PER_PICTURE))
            for start, stop in places
        ]
        self.crops = [
            np.zeros((stop - start, CROP_SIDE, CROP_SIDE), np.uint8) for start, stop in self.frames
        ]
        self.masks = [np.zeros(stop - start, bool) for start, stop in self.frames]

    def take(self, chunk: MouthChunk) -> None:
        """Keep what of a chunk lies in pieces."""
        for (start, stop), crops, mask in zip(self.frames, self.crops, self.masks, strict=True):
            first, last = max(start, chunk.start_frame), min(stop, chunk.stop_frame)
            if first < last:
                here = slice(first - chunk.start_frame, last - chunk.start_frame)
                crops[first - start : last - start] = chunk.crops[here]
                mask[first - start : last - start] = chunk.mask[here]

    def of(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return crops and mask of a piece."""
        return self.crops[number], self.masks[number]


def _on_pictures(start: int, stop: int) -> tuple[int, int]:
    """Begin with a picture, and stay as short as a piece is."""
    start = start // SAMPLES_PER_PICTURE * SAMPLES_PER_PICTURE
    return start, min(stop, start + PIECE_SAMPLES)


def _describe(clip: Clip, number: int, whole: bool, start: int, stop: int) -> Clip:
    """Return a piece with what is known of its text."""
    begin_s, end_s = start / RATE_HZ, stop / RATE_HZ
    words = tuple(
        replace(word, start_s=word.start_s - begin_s, end_s=word.end_s - begin_s)
        for word in clip.words
        if begin_s <= (word.start_s + word.end_s) / 2 < end_s
    )
    text = clip.text if whole else " ".join(word.text for word in words) or None
    name = clip.id if whole else f"{clip.id}@{number}"
    return Clip(name, f"sound/{file_name_of(name)}.wav", text, clip.speaker, words)


def _write(
    piece: Clip, folder: Path, waveform: np.ndarray, crops: np.ndarray, mask: np.ndarray
) -> Clip:
    mouth = f"mouths/{file_name_of(piece.id)}.mp4"
    with replace_when_whole(folder / piece.media) as partial_path:
        partial_path.write_bytes(encode_wav(waveform))
    chunk = MouthChunk(0, crops, mask, np.where(mask, 0, -1).astype(np.int32))
    write_mouth_video(folder / mouth, [chunk])
    return replace(
        piece,
        duration_s=len(waveform) / RATE_HZ,
        frames=len(mask),
        mouth=mouth,
        seen=runs_of(mask),
    )


@cache
def _detector():
    return load_default_detector()


@cache
def _speech_network() -> SpeechNetwork:
    return load_speech_network(TORCH)
