"""Models that are kept loaded, as many as may be; the one longest unused goes first."""

import gc
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.avsr.pipeline import AVSROptions
from tasks.avsr.session import Progress
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


Load = Callable[[ServedModel], Pipeline]


class LoadedModels:
    """Models by what is served; for one thread.

    Args:
        load: Loads one.
        most: How many are kept.

    Attributes:
        loads: How often a model was loaded.
    """

    def __init__(self, load: Load, most: int):
        self.load, self.most = load, most
        self.kept: OrderedDict[ServedModel, Pipeline] = OrderedDict()
        self.loads = 0

    def get(self, served: ServedModel) -> Pipeline:
        """Return a model, loaded now unless it is kept; what `load` raises is raised."""
        if served not in self.kept:
            while len(self.kept) >= self.most:
                self.kept.popitem(last=False)
                _free_memory()
            self.kept[served] = self.load(served)
            self.loads += 1
        self.kept.move_to_end(served)
        return self.kept[served]


def _free_memory() -> None:
    """Give back what a dropped model held, its memory on a GPU, too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def load_pipeline(served: ServedModel, device: str = "auto") -> Pipeline:
    """Load a Whisper, and its sets.

    Args:
        served: Names of the model and of the sets.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: No such model or device, or damaged.
        OSError: A file cannot be read.
    """
    from tasks.avsr.pipeline import AVSRPipeline

    return AVSRPipeline(served.model, served.sets, device)
