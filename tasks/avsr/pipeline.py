"""Audio-visual speech recognition from a file or from arrays, as a whole or while reading."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from data_prep.faces import FaceFinder, FaceTrack, FromFirstPicture, MouthChunk
from data_prep.faces.turns import VOICES, SpeechTimes
from data_prep.media import VideoFrame
from data_prep.media.tracks import SILENCE
from modalities.audio.full_scale import to_full_scale
from modalities.audio.log_mel import LogMel
from modalities.rates import (
    MEL_HOP_SAMPLES,
    PIECE_SAMPLES,
    RATE_HZ,
    SAMPLES_PER_PICTURE,
    VIDEO_RATE_HZ,
)
from modalities.speech.decoding import DecodingOptions, WindowDecoder
from modalities.speech.timed_text import WindowText, Word
from modalities.speech.voice_activity import SileroNetwork, SpeechDetector, load_silero
from modalities.speech.whisper import load_whisper
from modalities.speech.window_reader import WindowReader
from modalities.vision import FaceDetector, load_face_detector
from tasks.avsr.inputs.media import Input, MouthSource, ReadyMouth, Source, open_input
from tasks.avsr.inputs.mouths import MouthBuffer, Mouths
from tasks.avsr.inputs.windows import Window, WindowFeeder
from tasks.avsr.outputs.talkers import name_talkers
from tasks.avsr.outputs.transcript import Face, Segment, Transcript
from tasks.avsr.outputs.video_note import describe_use
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import PieceRecogniser, Recognised
from tasks.avsr.sets.pieces import cut_pieces
from tasks.avsr.sets.piecewise import Listened, listen
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.devices import find_device

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


class AVSRPipeline:
    """Speech recognition that watches the mouth.

    With no adapter sets loaded it is the frozen Whisper, and video serves to tell who talks.

    Args:
        model: A catalog name, a folder, a hub id or an OpenAI .pt file.
        adapter_sets: A collection by name or folder, see `tasks.avsr.sets`, or what recognises
            pieces in its place; None for plain Whisper. Sets need the sight of a mouth: sound
            without video is always left to plain Whisper.
        device: "auto", "cpu", "cuda" or "mps".
        options: Language, voice activity, video, word times.

    Raises:
        ValueError: No such model, sets, device or language; or the sets are for another model.
    """

    def __init__(
        self,
        model: str = "whisper-tiny.en",
        adapter_sets: str | Path | PieceRecogniser | None = None,
        device: str = "auto",
        options: AVSROptions = AVSROptions(),  # noqa: B008
    ):
        if isinstance(adapter_sets, str | Path):
            adapter_sets = find_collection(adapter_sets)
        self.options = options
        self.device = find_device(device)
        self.whisper = load_whisper(model)
        self.whisper.model.to(self.device)  # type: ignore[arg-type]
        self.log_mel = LogMel(self.whisper.mel_bins).to(self.device)
        # Which speech has been read is told by the words, so that they are aligned even unasked.
        words = options.words or options.voice_activity
        self.decoder = WindowDecoder(
            self.whisper, DecodingOptions(language=options.language, words=words)
        )
        self.reader = WindowReader(self.decoder)
        # Adapters come after the decoder has laid out the frozen matrices.
        self.sets: PieceRecogniser | None = (
            SetRecogniser(self.whisper, adapter_sets)
            if isinstance(adapter_sets, Path)
            else adapter_sets
        )

    @cached_property
    def speech_network(self) -> SileroNetwork:
        """Silero's network, loaded once for all inputs."""
        return load_silero()

    @cached_property
    def face_detector(self) -> FaceDetector:
        """The face detector, loaded once for all inputs."""
        return load_faces(self.device)

    def transcribe(
        self,
        source: Source,
        video: np.ndarray | None = None,
        ready: ReadyMouth | None = None,
        progress: Progress | None = None,
        rate_hz: int = RATE_HZ,
        audio_track: int | None = None,
        sound: str | Path | None = None,
    ) -> Transcript:
        """Transcribe one input.

        Args:
            source: A media file, or a waveform [samples].
            video: With a waveform, its pictures: [frames, height, width, 3] uint8 RGB or
                [frames, height, width] grey, 25 per second, beginning with the sound.
            ready: Mouth crops, landmarks or a box for a file, in place of the detector; None looks
                for faces.
            progress: Called with the seconds done and the duration where it is known.
            rate_hz: Samples per second of a waveform; a file says its own.
            audio_track: Which sound track of a file with several, by the index that
                `data_prep.media.probe` lists; None: the main one.
            sound: A file whose sound is heard in place of the file's own, on the same clock, as
                what a separator took out of it.

        Returns:
            Text, segments, words and faces.

        Raises:
            FileNotFoundError: No such file.
            ValueError: Not decodable, without sound, or of the wrong shape.
        """
        media = open_input(source, video, ready, rate_hz, audio_track, sound)
        session = _Session(self, media, progress)
        segments = tuple(session.run())
        return session.result(segments)

    def stream(
        self,
        source: Source,
        video: np.ndarray | None = None,
        rate_hz: int = RATE_HZ,
        audio_track: int | None = None,
    ) -> Iterator[Segment]:
        """Yield segments while the input is read; arguments and errors as in `transcribe`.

        A source may also be an iterator of waveforms [samples], such as a microphone's blocks.
        """
        media = open_input(source, video, rate_hz=rate_hz, audio_track=audio_track)
        yield from _Session(self, media, None).run()


def load_faces(device: torch.device) -> FaceDetector:
    """Load the detector that sees small faces too."""
    return load_face_detector("full", device=str(device))


class _Session:
    """One input on its way through the pipeline; holds a window of sound and little more."""

    def __init__(self, pipeline: AVSRPipeline, media: Input, progress: Progress | None):
        self.pipeline = pipeline
        self.media = media
        self.progress = progress
        options = pipeline.options
        detector = None
        if options.voice_activity:
            detector = SpeechDetector(network=pipeline.speech_network)
        self.feeder = WindowFeeder(detector)
        self.finder: MouthSource | None = None
        if options.video and media.has_video:
            # Who talks is decided on the same run of the detector; it is ahead of the pictures.
            speech = SpeechTimes(detector.follow(VOICES)) if detector else None
            finder = media.mouth or FaceFinder(pipeline.face_detector, speech=speech)
            self.finder = FromFirstPicture(finder, speech)
        self.watched = 0  # pictures
        self.loudest = 0.0
        wants_mouths = self.finder is not None and pipeline.sets is not None
        self.mouths = MouthBuffer() if wants_mouths else None
        # Sound no longer than a window of the sets goes to them whole, as they were trained.
        self.opening: list[np.ndarray] = []

    def run(self) -> Iterator[Segment]:
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
        tracks = self.finder.tracks() if self.finder else []
        segments = name_talkers(segments, tracks)
        used = any(segment.video_used for segment in segments)
        duration_s = self._decoded_s()
        return Transcript(
            text=" ".join(segment.text for segment in segments),
            duration_s=duration_s,
            model=self.pipeline.whisper.name,
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

    def _watch(self, frames: Iterator[VideoFrame], block: np.ndarray | None) -> None:
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
        if block is None:
            self._keep(self.finder.flush())
            if self.mouths:
                self.mouths.finished = True

    def _keep(self, chunks: list[MouthChunk]) -> None:
        if self.mouths is not None:
            for chunk in chunks:
                self.mouths.add(chunk)

    def _decode(self) -> Iterator[Segment]:
        while (window := self.feeder.next()) is not None:
            end_s = window.start_s + len(window.waveform) / RATE_HZ
            if self.mouths and not self.mouths.covers(end_s):
                return
            found, next_s = self._recognise(window)
            self.feeder.advance(window, next_s)
            if self.mouths:
                self.mouths.forget(self.feeder.position / RATE_HZ)
            for part in found:
                yield self._segment(window.start_s, len(window.waveform), part)

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
        sets, mouths = self.pipeline.sets, self.mouths
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
        pipeline = self.pipeline
        known = pipeline.options.voice_activity
        given = to_full_scale(window.waveform) if known else window.waveform
        waveform = torch.from_numpy(given).to(pipeline.device)
        mel = pipeline.log_mel(pipeline.log_mel.pad(waveform[None]))[0]
        sound = -(-len(window.waveform) // MEL_HOP_SAMPLES)
        if known:
            read = pipeline.reader.read if window.whole else pipeline.reader.read_once
            return read(mel, sound, speech)
        if not window.whole:
            return pipeline.decoder.decode_once(mel, sound)
        return pipeline.decoder.decode(mel, sound, own_output=window.start_s == 0)

    def _segment(self, start_s: float, samples: int, part: Listened) -> Segment:
        length_s, text = samples / RATE_HZ, part.text

        def place(seconds: float) -> float:
            return round(start_s + min(seconds, length_s), 3)

        heard = part.recognised or Recognised()
        said = text.words if self.pipeline.options.words else ()
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
        )

    def _note(self, tracks: list[FaceTrack], segments: tuple[Segment, ...]) -> str:
        if not self.media.has_video:
            return "no video"
        if self.finder is None:
            return "video was not looked at"
        given, loaded = self.media.mouth is not None, self.pipeline.sets is not None
        return describe_use(tracks, segments, given=given, sets_loaded=loaded)


def _is_spoken(recognised: Recognised | None) -> bool:
    """Tell whether lips and sound agree so well that somebody speaks."""
    if recognised is None or not recognised.video_used or recognised.agreement is None:
        return False
    return recognised.agreement >= SPOKEN_AGREEMENT


def _take(frames: Iterator[VideoFrame], count: int) -> list[VideoFrame]:
    return [frame for _, frame in zip(range(count), frames, strict=False)]


def _face(track: FaceTrack, scale: float, duration_s: float) -> Face:
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
