"""Models that are kept loaded, as many as may be; those longest unused go first."""

import gc
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.avsr.pipeline import AVSROptions
from tasks.avsr.session import Progress
from tasks.serving.limits import LARGEST
from tasks.serving.served_models import ServedModel


class Pipeline(Protocol):
    """What transcribes, as `AVSRPipeline` does."""

    @property
    def language(self) -> str | None:
        """Code of the language that was heard, None before anything was."""
        ...

    def with_options(self, options: AVSROptions) -> "Pipeline":
        """Return one on the same model that works in another way."""
        ...

    def transcribe(self, source: Path, /, *, progress: Progress) -> Transcript:
        """Transcribe a file."""
        ...

    def stream(self, source: Path, /, *, progress: Progress) -> Iterator[Segment]:
        """Yield segments of a file while it is read."""
        ...


@runtime_checkable
class Sized(Protocol):
    """What says how much memory it takes, and gives it back."""

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of weights by what they are of; what several hold in common has one name."""
        ...

    def close(self) -> None:
        """Give back what it has for itself; it is not used any more."""
        ...


Load = Callable[[ServedModel], Pipeline]


class LoadedModels:
    """Models by what is served; several threads may use them.

    What is at work is not dropped. For a place the model longest unused goes; for memory adapter
    sets go before models without, since these are what sets stand on.

    Args:
        load: Loads one.
        most: How many are kept.
        most_bytes: What all weights may take; one model alone may take more.

    Attributes:
        loads: How often a model was loaded.
    """

    def __init__(self, load: Load, most: int, most_bytes: float = LARGEST):
        self.load, self.most, self.most_bytes = load, most, most_bytes
        self.kept: OrderedDict[ServedModel, Pipeline] = OrderedDict()
        self.loads = 0
        self._uses: Counter[ServedModel] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def use(self, served: ServedModel) -> Iterator[Pipeline]:
        """Give a model, loaded now unless it is kept, while the block runs.

        Where all that are kept are at work, it waits for a place.

        Raises:
            Exception: What `load` raises.
        """
        with self._changed:
            self._changed.wait_for(lambda: served in self.kept or self._make_place())
            pipeline = self._get(served)
            self._uses[served] += 1
        try:
            yield pipeline
        finally:
            with self._changed:
                self._uses[served] -= 1
                self._save_memory()
                self._changed.notify_all()

    @property
    def bytes(self) -> int:
        """What all weights take."""
        return _weigh(list(self.kept.values()))

    def _get(self, served: ServedModel) -> Pipeline:
        if served not in self.kept:
            self.kept[served] = self.load(served)
            self.loads += 1
        self.kept.move_to_end(served)
        self._save_memory(but=served)
        return self.kept[served]

    def _make_place(self) -> bool:
        """Drop the model longest unused while there is no place; say whether there is one."""
        while len(self.kept) >= self.most:
            idle = self._list_idle()
            if not idle:
                return False
            self._drop(idle[0])
        return True

    def _save_memory(self, but: ServedModel | None = None) -> None:
        """Drop what is not at work, adapter sets first, while there is too much that it holds."""
        for served in sorted(self._list_idle(but), key=lambda one: one.sets is None):
            total = self.bytes
            if total <= self.most_bytes or len(self.kept) == 1:
                return
            left = [pipeline for one, pipeline in self.kept.items() if one != served]
            if _weigh(left) < total:
                self._drop(served)

    def _list_idle(self, but: ServedModel | None = None) -> list[ServedModel]:
        """List what is not at work, longest unused first."""
        return [one for one in self.kept if not self._uses[one] and one != but]

    def _drop(self, served: ServedModel) -> None:
        pipeline = self.kept.pop(served)
        if isinstance(pipeline, Sized):
            pipeline.close()
        del pipeline
        _free_memory()


def _weigh(pipelines: list[Pipeline]) -> int:
    parts: dict[str, int] = {}
    for pipeline in pipelines:
        parts |= pipeline.parts if isinstance(pipeline, Sized) else {}
    return sum(parts.values())


def _free_memory() -> None:
    """Give back what a dropped model held, its memory on a GPU, too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_pipeline(served: ServedModel, device: str = "auto") -> Pipeline:
    """Load a Whisper, and its sets; those of one Whisper stand on the same frozen weights.

    Args:
        served: Names of the model and of the sets.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: No such model or device, or damaged.
        OSError: A file cannot be read.
    """
    from tasks.serving.shared_models import load_shared

    return load_shared(served, device)
