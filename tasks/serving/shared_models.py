"""Loaded models that several threads use at once, and what they want of them in batches."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from modalities.speech.engine import Attempt, Engine, HeardWindow, Sampling
from modalities.speech.engines import AUTOMATIC, CTRANSLATE2, TORCH, choose_engine
from modalities.speech.whisper_files import is_merged
from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.avsr.pipeline import AVSROptions, AVSRPipeline
from tasks.avsr.session import Progress
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import PieceRecogniser, Recognised, Utterance
from tasks.serving.served_models import ServedModel
from tasks.serving.together import Together

MOST_PIECES = 8  # of a batch; a longer one gains little and keeps others waiting
FLOAT32 = 4
DRAWING = threading.Lock()  # what is drawn hangs on one seed for all models


@dataclass(eq=False)
class Base:
    """A frozen Whisper that sets may be put on.

    Attributes:
        pipeline: Without sets, on a shared engine.
        lock: Held by whoever runs the model.
        bytes: What its weights take.
    """

    pipeline: AVSRPipeline
    lock: threading.Lock
    bytes: int


_bases: "WeakValueDictionary[tuple[str, str, str], Base]" = WeakValueDictionary()
_numbers = itertools.count()


def load_shared(served: ServedModel, device: str) -> "SharedPipeline":
    """Load a model for several threads; sets of one Whisper stand on the same frozen weights.

    Not for several threads itself; arguments and errors as in `load_pipeline`.
    """
    adapted, merged = served.sets is not None, is_merged(served.model)
    engine_name = choose_engine(AUTOMATIC, device, adapted=adapted, merged=merged).name
    key = served.model, device, engine_name
    base = _bases.get(key)
    if base is None:
        base = _bases[key] = _load_base(served.model, device, TORCH if adapted else AUTOMATIC)
    if served.sets is None:
        return SharedPipeline(base, base.pipeline)
    from tasks.avsr.sets.talker_sets import load_sets

    pipeline = copy(base.pipeline)
    engine: Any = base.pipeline.reader.decoder.engine
    with base.lock:
        folder = find_collection(served.sets)
        prefix = f"collection{next(_numbers)}_"
        sets = load_sets(engine.engine.whisper, folder, prefix)
    pipeline.sets = SharedSets(sets, base.lock)
    return SharedPipeline(base, pipeline, sets)


def _load_base(model: str, device: str, engine: str) -> Base:
    """Load a frozen Whisper."""
    pipeline, lock = AVSRPipeline(model, device=device, engine=engine), threading.Lock()
    decoder, apart = pipeline.reader.decoder, pipeline.engine_name == CTRANSLATE2
    size = _weigh(decoder.engine, pipeline.engine_name)
    decoder.engine = SharedEngine(decoder.engine, lock, apart=apart)
    return Base(pipeline, lock, size)


def _weigh(engine: Any, name: str) -> int:
    """Return the bytes of an engine's weights."""
    if name == CTRANSLATE2:  # float32 in onnxruntime, int8 in CTranslate2
        counts = {entry.offset: entry.count for entry in engine.index.entries.values()}
        return (FLOAT32 + 1) * sum(counts.values())
    return sum(p.numel() * p.element_size() for p in engine.whisper.model.parameters())


class SharedPipeline:
    """A pipeline for several threads, each with an input of its own; see `Pipeline`.

    Args:
        base: What it stands on.
        pipeline: The pipeline.
        sets: The sets that are on the base for this pipeline alone.
    """

    def __init__(self, base: Base, pipeline: AVSRPipeline, sets: Any = None):
        self.base, self.pipeline, self.sets = base, pipeline, sets
        own = {} if sets is None else {f"sets {id(sets)}": sets.bytes}
        self._parts = {f"{pipeline.model} by {pipeline.engine_name}": base.bytes} | own

    @property
    def language(self) -> str | None:
        """Code of the language that was heard."""
        return self.pipeline.language

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of weights; see `Sized`."""
        return self._parts

    def close(self) -> None:
        """Take the sets off the model."""
        if self.sets is not None:
            with self.base.lock:
                self.sets.drop()

    def with_options(self, options: AVSROptions) -> AVSRPipeline:
        """Return one that works in another way."""
        return self.pipeline.with_options(options)

    def transcribe(self, source: Path, /, *, progress: Progress) -> Transcript:
        """Transcribe a file."""
        return self.pipeline.transcribe(source, progress=progress)

    def stream(self, source: Path, /, *, progress: Progress) -> Iterator[Segment]:
        """Yield segments of a file while it is read."""
        return self.pipeline.stream(source, progress=progress)


class SharedEngine:
    """An engine that several threads use at once; see `Engine`.

    Args:
        engine: Computes.
        lock: Held while one draws, and unless `apart` while one does anything with the model.
        apart: Whether threads need not wait for each other, as where no adapters are switched on
            and off.
    """

    def __init__(self, engine: Engine, lock: threading.Lock, *, apart: bool):
        self.engine, self.lock = engine, lock
        self.name, self.vocabulary = engine.name, engine.vocabulary
        self.max_tokens, self.together = engine.max_tokens, engine.together
        self.turn: Any = nullcontext() if apart else lock
        drafting = threading.Lock() if apart else lock
        self._guesses = Together[tuple[Any, list[int], int], list[int]](
            self._guess, drafting, max(1, engine.together)
        )

    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """Compute what `hear` takes; see `Engine`."""
        return self.engine.log_mel(waveform)

    def hear(self, mel: np.ndarray) -> "SharedWindow":
        """Run the encoder on [mel_bins, 3000]."""
        with self.turn:
            return SharedWindow(self, self.engine.hear(mel))

    def guess_all(
        self,
        windows: Sequence["SharedWindow"],
        prompts: Sequence[list[int]],
        limits: Sequence[int],
    ) -> list[list[int]]:
        """Guess at windows, those of other threads side by side with them; see `Engine`."""
        heard = [window.window for window in windows]
        return self._guesses(list(zip(heard, prompts, limits, strict=True)))

    def _guess(self, items: list[tuple[Any, list[int], int]]) -> list[list[int]]:
        windows, prompts, limits = zip(*items, strict=True)
        return self.engine.guess_all(windows, prompts, limits)


class SharedWindow:
    """A window that a shared engine has heard; see `HeardWindow`.

    Args:
        shared: What heard it.
        window: The engine's own.
    """

    def __init__(self, shared: SharedEngine, window: HeardWindow):
        self.shared, self.window = shared, window

    def guess_language(self) -> str:
        """Return the code of the likeliest language."""
        with self.shared.turn:
            return self.window.guess_language()

    def write(self, prompt: list[int], limit: int | None, guess: Sequence[int] = ()) -> Attempt:
        """Decode greedily."""
        with self.shared.turn:
            return self.window.write(prompt, limit, guess)

    def sample(self, prompt: list[int], limit: int, sampling: Sampling) -> Attempt:
        """Draw at rising temperatures, one thread at a time: the draws have one seed."""
        with DRAWING, self.shared.lock:
            return self.window.sample(prompt, limit, sampling)

    def token_times(self, prompt: list[int], tokens: list[int], states: int) -> np.ndarray:
        """Find when tokens are said."""
        with self.shared.turn:
            return self.window.token_times(prompt, tokens, states)


class SharedSets:
    """Adapter sets that several threads use at once; see `PieceRecogniser`.

    Args:
        sets: Recognise; a batch of pieces is faster than one after the other.
        lock: Held by whoever runs their model.
    """

    def __init__(self, sets: PieceRecogniser, lock: threading.Lock):
        self.sets = sets
        self._pieces = Together[Utterance, Recognised](sets.recognise, lock, MOST_PIECES)

    def recognise(self, utterances: Sequence[Utterance]) -> list[Recognised]:
        """Choose a set for each and recognise with it, or abstain."""
        return self._pieces(utterances)
