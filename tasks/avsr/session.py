"""One input on its way through the pipeline; loads no torch of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_prep.media.tracks import SILENCE
from modalities.audio.full_scale import to_full_scale
from modalities.freed_memory import give_back_freed
from modalities.rates import (
    MEL_HOP_SAMPLES,
    PIECE_SAMPLES,
    RATE_HZ,
    SAMPLES_PER_PICTURE,
    VIDEO_RATE_HZ,
)
from modalities.speech.decoding import WindowDecoder
from modalities.speech.timed_text import WindowText, Word
from modalities.speech.voice_activity import SpeechDetector, SpeechNetwork
from modalities.speech.window_reader import WindowReader
from tasks.avsr.inputs.media import Input
from tasks.avsr.inputs.mouths import MouthBuffer, Mouths
from tasks.avsr.inputs.windows import Window, WindowFeeder
from tasks.avsr.outputs.talkers import name_talkers
from tasks.avsr.outputs.transcript import Face, Segment, Transcript
from tasks.avsr.outputs.video_note import describe_use
from tasks.avsr.sets.contract import PieceRecogniser, Recognised
from tasks.avsr.sets.pieces import cut_pieces
from tasks.avsr.sets.piecewise import Listened, listen

if TYPE_CHECKING:
    from data_prep.faces import FaceTrack, MouthChunk, MouthSource
    from data_prep.media import VideoFrame
    from modalities.vision import FaceDetector

Progress = Callable[[float, float | None], None]
# From where lips and sound show that somebody speaks whom the detector does not hear under noise.
# Lips with noise alone stay below, with speech even 5 dB under the noise they come above.
SPOKEN_AGREEMENT = 0.65


@dataclass(frozen=True)
class AVSROptions:
    """How the pipeline works.

    Attributes:
        language: Code or name, "de", "German" or "de-AT"; None asks the model.
        voice_activity: Drop stretches without speech. False gives Whisper's own output: of a
            file up to 30 s, what transformers' generate gives by default.
        video: Look for faces where there is video.
        words: Align words.
    """

    language: str | None = None
    voice_activity: bool = True
    video: bool = True
    words: bool = True


@dataclass(frozen=True)
class Means:
    """What a session works with.

    Attributes:
        options: What is wanted.
        decoder: Decodes windows.
        reader: Reads all speech of a window with it.
        sets: Adapter sets, or None.
        speech_network: Gives what hears speech.
        face_detector: Gives what finds faces.
    """

    options: AVSROptions
    decoder: WindowDecoder
    reader: WindowReader
    sets: PieceRecogniser | None
    speech_network: Callable[[], SpeechNetwork]
    face_detector: "Callable[[], FaceDetector]"


class Session:
    """One input on its way through the pipeline; holds a window of sound and little more.

    Args:
        means: What it works with.
        media: The input.
        progress: Called with the seconds done and the duration where it is known.
        at_once: Give each segment as soon as it can be known, in place of decoding several windows
            side by side.
    """

    def __init__(
        self,
        means: Means,
        media: Input,
        progress: Progress | None,
        *,
        at_once: bool = True,
    ):
        self.means = means
        self.media = media
        self.progress = progress
        options = means.options
        detector = SpeechDetector(means.speech_network()) if options.voice_activity else None
        self.feeder = WindowFeeder(detector)
        self.finder: MouthSource | None = None
        if options.video and media.has_video:
            self.finder = _open_finder(means, media, detector)
        self.watched = 0  # pictures
        self.loudest = 0.0
        wants_mouths = self.finder is not None and means.sets is not None
        self.mouths = MouthBuffer() if wants_mouths else None
        together = 1 if at_once or self.mouths else means.decoder.engine.together
        self.together = together if options.voice_activity else 1
        self.waiting: list[tuple[Window, list[tuple[float, float]]]] = []  # with their speech
        # Sound no longer than a window of the sets goes to them whole, as they were trained.
        self.opening: list[np.ndarray] = []

    def run(self) -> Iterator[Segment]:
        """Yield segments while the input is read."""
        frames = self.media.frames() if self.finder else iter(())
        done_s = 0.0
        for block in self.media.blocks():
            self.feeder.push(block)
            self._watch(frames, block)
            if self.mouths is None or not self._is_short(block):
                yield from self._decode()
            done_s += len(block) / RATE_HZ
            self.loudest = max(self.loudest, float(np.abs(block).max(initial=0)))
            if self.progress:
                self.progress(done_s, self.media.duration_s)
        self.feeder.finish()
        self._watch(frames, None)
        if self.mouths is not None and 0 < self.feeder.heard <= PIECE_SAMPLES:
            found = self._listen_whole(np.concatenate(self.opening))
            if any(part.recognised and part.recognised.adapter_set for part in found):
                yield from (self._segment(0.0, self.feeder.heard, part) for part in found)
                return
        yield from self._decode()

    def _listen_whole(self, sound: np.ndarray) -> list[Listened]:
        """Let the selector choose for short sound as a whole, if somebody speaks in it.

        Under loud noise the detector hears nobody; then the lips have to belong to the sound.
        """
        window = Window(0.0, sound, whole=True)
        heard = bool(self.feeder.spans_in(window))
        found, _ = self._listen(window, [(0, len(sound))], abstain=not heard)
        return found if heard else [part for part in found if _is_spoken(part.recognised)]

    def _is_short(self, block: np.ndarray) -> bool:
        """Keep a block while the input may yet be no longer than a window of the sets."""
        if self.feeder.heard > PIECE_SAMPLES:
            self.opening = []
            return False
        self.opening.append(block)
        return True

    def result(self, segments: tuple[Segment, ...]) -> Transcript:
        """Put the segments that `run` gave together with what was seen."""
        tracks = self.finder.tracks() if self.finder else []
        segments = name_talkers(segments, tracks)
        used = any(segment.video_used for segment in segments)
        duration_s = self._decoded_s()
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            duration_s=duration_s,
            model=self.means.decoder.engine.name,
            video_used=used,
            video_note=self._note(tracks, segments),
            sound_note=self.media.describe_sound(self.loudest <= SILENCE),
            segments=segments,
            faces=tuple(_face(track, self.media.scale, duration_s) for track in tracks),
            tracks=tuple(tracks),
        )

    def _decoded_s(self) -> float:
        """Return the length of what was decoded; no time of the result lies past it."""
        pictures_s, stated_s = self.watched / VIDEO_RATE_HZ, self.media.duration_s
        if stated_s is not None and 0 <= pictures_s - stated_s < 1 / VIDEO_RATE_HZ:
            pictures_s = stated_s  # the last picture ended before the next tick
        return round(max(self.feeder.heard / RATE_HZ, pictures_s), 3)

    def _watch(self, frames: "Iterator[VideoFrame]", block: np.ndarray | None) -> None:
        """Look at the pictures of a block of sound, or with None at all that are left."""
        if self.finder is None:
            return
        count = VIDEO_RATE_HZ if block is None else len(block) // SAMPLES_PER_PICTURE
        while pictures := _take(frames, count):
            self.watched += len(pictures)
            sound = np.zeros(len(pictures) * SAMPLES_PER_PICTURE, np.float32)
            if block is not None:
                sound = block[: len(sound)]
            self._keep(self.finder.push(pictures, sound))
            if block is not None:
                return
            if self.progress:
                self.progress(self.watched / VIDEO_RATE_HZ, self.media.duration_s)
        if block is None:
            self._keep(self.finder.flush())
            if self.mouths:
                self.mouths.finished = True

    def _keep(self, chunks: "list[MouthChunk]") -> None:
        if self.mouths is not None:
            for chunk in chunks:
                self.mouths.add(chunk)

    def _decode(self) -> Iterator[Segment]:
        while (window := self.feeder.next()) is not None:
            end_s = window.start_s + len(window.waveform) / RATE_HZ
            if self.mouths and not self.mouths.covers(end_s):
                return
            if window.whole and self.together > 1:
                self.waiting.append((window, self.feeder.speech_in(window)))
                self.feeder.advance(window, end_s - window.start_s)
                if len(self.waiting) == self.together:
                    yield from self._decode_waiting()
                continue
            yield from self._decode_waiting()
            found, next_s = self._recognise(window)
            give_back_freed()
            self.feeder.advance(window, next_s)
            if self.mouths:
                self.mouths.forget(self.feeder.position / RATE_HZ)
            for part in found:
                yield self._segment(window.start_s, len(window.waveform), part)
        if self.feeder.finished:
            yield from self._decode_waiting()

    def _decode_waiting(self) -> Iterator[Segment]:
        """Decode the windows that wait, which are guessed at side by side."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        decoder, reader = self.means.decoder, self.means.reader
        heard = [_prepare(decoder, to_full_scale(window.waveform)) for window, _ in waiting]
        begun = decoder.begin_all([mel for mel, _ in heard], [sound for _, sound in heard])
        give_back_freed()  # several windows at once take more than each by itself
        for (window, speech), (mel, sound) in zip(waiting, heard, strict=True):
            found = reader.read(mel, sound, speech, begun.pop(0)).segments
            give_back_freed()  # what the window held for its reading has gone
            for text in found:
                yield self._segment(window.start_s, len(window.waveform), Listened(text))

    def _recognise(self, window: Window) -> tuple[list[Listened], float]:
        """Return what is said in a window, and where the next one begins."""
        if self.mouths is not None:
            spans = self.feeder.spans_in(window)
            if spans:
                found, next_s = self._listen(window, spans)
                end = len(window.waveform) if window.whole else spans[-1][1]
                return found, end / RATE_HZ if next_s is None else next_s
        plain = self._plain(window, self.feeder.speech_in(window))
        return [Listened(text) for text in plain.segments], plain.next_s

    def _listen(
        self, window: Window, spans: list[tuple[int, int]], abstain: bool = False
    ) -> tuple[list[Listened], float | None]:
        """Let the selector choose for each piece of a window; see `listen`.

        Where it abstains the frozen model decodes, or with `abstain` nothing does.
        """
        sets, mouths = self.means.sets, self.mouths
        assert sets is not None and mouths is not None

        def look(start_s: float, end_s: float) -> Mouths:
            return mouths.between(window.start_s + start_s, window.start_s + end_s)

        speech = self.feeder.speech_in(window)

        def plain(waveform: np.ndarray, start_s: float) -> WindowText:
            if abstain:
                return WindowText((), len(waveform) / RATE_HZ)
            inside = [(max(0.0, a - start_s), b - start_s) for a, b in speech if b > start_s]
            # What comes after a part of a window is not read again with it.
            whole = window.whole or len(waveform) < len(window.waveform)
            return self._plain(Window(window.start_s, waveform, whole), inside)

        return listen(window.waveform, cut_pieces(window.waveform, spans), look, sets, plain)

    def _plain(self, window: Window, speech: list[tuple[float, float]]) -> WindowText:
        """Decode a window with the frozen Whisper, all of its speech where that is known."""
        decoder, known = self.means.decoder, self.means.options.voice_activity
        given = to_full_scale(window.waveform) if known else window.waveform
        mel, sound = _prepare(decoder, given)
        if known:
            reader = self.means.reader
            read = reader.read if window.whole else reader.read_once
            return read(mel, sound, speech)
        if not window.whole:
            return decoder.decode_once(mel, sound)
        return decoder.decode(mel, sound, own_output=window.start_s == 0)

    def _segment(self, start_s: float, samples: int, part: Listened) -> Segment:
        length_s, text = samples / RATE_HZ, part.text

        def place(seconds: float) -> float:
            return round(start_s + min(seconds, length_s), 3)

        heard = part.recognised or Recognised()
        said = text.words if self.means.options.words else ()
        words = tuple(Word(place(w.start_s), place(w.end_s), w.text.strip()) for w in said)
        return Segment(
            start_s=place(text.start_s),
            end_s=place(text.end_s),
            text=text.text.strip(),
            words=words,
            adapter_set=heard.adapter_set,
            scenario=heard.scenario,
            snr_db=heard.snr_db,
            video_used=heard.video_used,
            agreement=heard.agreement,
            log_probability=text.log_probability,
            no_speech=text.no_speech,
            enrolled=heard.enrolled,
        )

    def _note(self, tracks: "list[FaceTrack]", segments: tuple[Segment, ...]) -> str:
        if not self.media.has_video:
            return "no video"
        if self.finder is None:
            return "video was not looked at"
        given, loaded = self.media.mouth is not None, self.means.sets is not None
        return describe_use(tracks, segments, given=given, sets_loaded=loaded)


def _open_finder(means: Means, media: Input, detector: SpeechDetector | None) -> "MouthSource":
    """Look for faces, or take the mouth that was given."""
    from data_prep.faces import FaceFinder, FromFirstPicture
    from data_prep.faces.turns import VOICES, SpeechTimes

    # Who talks is decided on the same run of the detector; it is ahead of the pictures.
    speech = SpeechTimes(detector.follow(VOICES)) if detector else None
    finder = media.mouth or FaceFinder(means.face_detector(), speech=speech)
    return FromFirstPicture(finder, speech)


def _prepare(decoder: WindowDecoder, waveform: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the log-mel of a window, and how many of its frames hold sound."""
    return decoder.engine.log_mel(waveform), -(-len(waveform) // MEL_HOP_SAMPLES)


def _is_spoken(recognised: Recognised | None) -> bool:
    """Tell whether lips and sound agree so well that somebody speaks."""
    if recognised is None or not recognised.video_used or recognised.agreement is None:
        return False
    return recognised.agreement >= SPOKEN_AGREEMENT


def _take(frames: "Iterator[VideoFrame]", count: int) -> "list[VideoFrame]":
    return [frame for _, frame in zip(range(count), frames, strict=False)]


def _face(track: "FaceTrack", scale: float, duration_s: float) -> Face:
    x, y, width, height = (round(float(value) * scale, 1) for value in track.median_box)
    score = None if track.talking_score is None else round(float(track.talking_score), 3)
    return Face(
        track=track.track,
        start_s=round(track.start_s, 3),
        end_s=min(round(track.end_s, 3), duration_s),
        box=(x, y, width, height),
        talking_score=score,
        chosen=bool(track.chosen.any()),
        talks=track.talks_s,
    )
