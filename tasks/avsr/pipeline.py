"""Audio-visual speech recognition from a file or from arrays, as a whole or while reading."""

from collections.abc import Iterator
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modalities.rates import RATE_HZ
from modalities.speech.ctranslate2_folder import NotForCTranslate2
from modalities.speech.decoding import DecodingOptions, WindowDecoder
from modalities.speech.engine import Engine
from modalities.speech.engines import (
    AUTOMATIC,
    CTRANSLATE2,
    TORCH,
    choose_engine,
    load_engine,
    load_speech_network,
)
from modalities.speech.voice_activity import SpeechNetwork
from modalities.speech.whisper_files import is_merged
from modalities.speech.window_reader import WindowReader
from tasks.avsr.inputs.media import Input, ReadyMouth, Source, open_input
from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.avsr.session import AVSROptions, Means, Progress, Session
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import PieceRecogniser

if TYPE_CHECKING:
    import torch

    from modalities.vision import FaceDetector


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
        engine: What computes Whisper: "torch", or "ctranslate2", which knows the CPU alone and no
            adapters. "auto" takes ctranslate2 where there is no GPU and no sets are given or merged
            into the model, and torch for all else; a model in another form is converted once.

    Attributes:
        notes: What the user may want to know of the engines, sentences.

    Raises:
        ValueError: No such model, sets, device, language or engine; the sets are for another
            model; or the engine cannot do what is asked.
        OSError: The converted model cannot be kept.
    """

    def __init__(
        self,
        model: str = "whisper-tiny.en",
        adapter_sets: str | Path | PieceRecogniser | None = None,
        device: str = AUTOMATIC,
        options: AVSROptions = AVSROptions(),  # noqa: B008
        engine: str = AUTOMATIC,
    ):
        if isinstance(adapter_sets, str | Path):
            adapter_sets = find_collection(adapter_sets)
        self.model, self.options = model, options
        self.asked_device, self.asked_engine = device, engine
        adapted = adapter_sets is not None
        choice = choose_engine(engine, device, adapted=adapted, merged=is_merged(model))
        self.notes: list[str] = [choice.note] if choice.note else []
        self.sets: PieceRecogniser | None = None
        self.engine_name, loaded = self._load(choice.name)
        self.reader = _read_with(loaded, options)
        self.helpers = _Helpers(self.engine_name, device)
        # Adapters come after the decoder has laid out the frozen matrices.
        self.sets = (
            self._load_sets(adapter_sets) if isinstance(adapter_sets, Path) else adapter_sets
        )

    def with_options(self, options: AVSROptions) -> "AVSRPipeline":
        """Return a pipeline that works in another way, on all that this one has loaded.

        Args:
            options: Language, voice activity, video, word times.

        Raises:
            ValueError: The language is unknown, or the model does not know it.
        """
        other = copy(self)
        other.options = options
        other.reader = _read_with(self.reader.decoder.engine, options)
        return other

    @property
    def language(self) -> str | None:
        """Code of the language that most windows so far were decoded in; None before the first."""
        return self.reader.decoder.language

    def _load(self, name: str) -> tuple[str, Engine]:
        """Load an engine, or torch where the model is not for it; return which, and the engine."""
        try:
            return name, self._load_engine(name)
        except NotForCTranslate2:
            if self.asked_engine != AUTOMATIC:
                raise
            return TORCH, self._load_engine(TORCH)

    def _load_engine(self, name: str) -> Engine:
        return load_engine(name, self.model, str(self.device) if name == TORCH else "cpu")

    def _load_sets(self, folder: Path) -> PieceRecogniser:
        from modalities.speech.torch_engine import TorchEngine
        from tasks.avsr.sets.talker_sets import load_sets

        engine = self.reader.decoder.engine
        assert isinstance(engine, TorchEngine)
        return load_sets(engine.whisper, folder)

    @cached_property
    def device(self) -> "torch.device":
        """Where torch computes; asking loads it."""
        from tasks.devices import find_device

        return find_device(self.asked_device)

    @property
    def face_detector(self) -> "FaceDetector":
        """The face detector, loaded once for all inputs."""
        return self.helpers.face_detector

    @property
    def speech_network(self) -> SpeechNetwork:
        """Silero's network, loaded once for all inputs."""
        return self.helpers.speech_network

    def _open(self, media: Input, progress: Progress | None, *, at_once: bool) -> Session:
        means = Means(
            self.options,
            self.reader.decoder,
            self.reader,
            self.sets,
            lambda: self.speech_network,
            lambda: self.face_detector,
        )
        return Session(means, media, progress, at_once=at_once)

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
        session = self._open(media, progress, at_once=False)
        segments = tuple(session.run())
        return session.result(segments)

    def stream(
        self,
        source: Source,
        video: np.ndarray | None = None,
        rate_hz: int = RATE_HZ,
        audio_track: int | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Segment]:
        """Yield segments while the input is read; arguments and errors as in `transcribe`.

        A source may also be an iterator of waveforms [samples], such as a microphone's blocks.
        """
        media = open_input(source, video, rate_hz=rate_hz, audio_track=audio_track)
        yield from self._open(media, progress, at_once=True).run()


class _Helpers:
    """What is loaded once, when it is first asked for, and shared by pipelines on one model."""

    def __init__(self, engine_name: str, asked_device: str):
        self.engine_name, self.asked_device = engine_name, asked_device

    @cached_property
    def face_detector(self) -> "FaceDetector":
        return load_faces("cpu" if self.engine_name == CTRANSLATE2 else self.asked_device)

    @cached_property
    def speech_network(self) -> SpeechNetwork:
        return load_speech_network(self.engine_name)


def _read_with(engine: Engine, options: AVSROptions) -> WindowReader:
    # Which speech has been read is told by the words, so that they are aligned even unasked.
    words = options.words or options.voice_activity
    decoding = DecodingOptions(language=options.language, words=words)
    return WindowReader(WindowDecoder(engine, decoding))


def load_faces(device: str) -> "FaceDetector":
    """Load the detector that sees small faces too.

    Args:
        device: "auto", "cpu", "cuda" or "mps"; torch is loaded for a GPU alone.

    Raises:
        ValueError: No such device, or not on this machine.
    """
    from modalities.vision import load_face_detector

    if device != "cpu" and choose_engine(AUTOMATIC, device).name == TORCH:
        from tasks.devices import find_device

        return load_face_detector("full", find_device(device))
    return load_face_detector("full")
