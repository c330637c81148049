"""Where the time of a transcription goes, and what this machine could do at best.

    python -m bench.floor

Three clips are transcribed by CTranslate2's engine as by default, each part of it timed. Beside it
stand what float32 products and reading from memory reach here, and how much of both a window needs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.compare import seconds
from bench.speech import MODEL, ROOT, clips
from modalities.rates import RATE_HZ
from modalities.speech.ctranslate2_engine import CTranslate2Engine
from tasks.avsr import AVSRPipeline

ROWS, INPUTS, OUTPUTS, READ_MB, TRIES = 1500, 384, 1536, 512, 7


class Clock:
    """Adds up the seconds of functions that it is put around."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    def around(self, owner: Any, name: str, part: str) -> None:
        """Time a method of an object from now on."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            start = perf_counter()
            found = method(*given, **named)
            self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - start
            return found

        setattr(owner, name, timed)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    sounds = list(clips(parser.parse_args().data).values())
    pipeline = AVSRPipeline(MODEL, device="cpu", engine="ctranslate2")
    for sound in sounds:
        pipeline.transcribe(sound)
    engine = pipeline.reader.decoder.engine
    assert isinstance(engine, CTranslate2Engine)
    clock = Clock()
    for owner, name, part in (
        (engine, "encoder", "encoder, float32"),
        (engine, "generate", "drafts, int8"),
        (engine.decoder, "hear", "keys and values of the decoder, float32"),
        (engine.decoder, "read", "drafts read, float32"),
        (engine.decoder, "score", "vocabulary, float32"),
        (engine.decoder, "attention", "words timed, float32"),
        (engine, "log_mel", "log-mel"),
        (pipeline.speech_network, "measure", "voice activity"),
    ):
        clock.around(owner, name, part)
    start = perf_counter()
    for sound in sounds:
        pipeline.transcribe(sound)
    total = perf_counter() - start
    print(f"{len(sounds)} clips, {sum(map(len, sounds)) / RATE_HZ:.0f} s of speech: {total:.2f} s")
    rest = total - sum(clock.seconds.values())
    for part, taken in sorted({**clock.seconds, "all else": rest}.items(), key=lambda p: -p[1]):
        print(f"{taken:7.2f} s {100 * taken / total:4.0f} %  {part}")
    print(f"{measure_products():7.0f} GFLOP/s  float32 products, {ROWS} x {INPUTS} x {OUTPUTS}")
    print(f"{measure_reading():7.1f} GB/s  reading from memory")


def measure_products() -> float:
    """Return the best rate of NumPy's products of the encoder's shape, in GFLOP/s."""
    random = np.random.default_rng(0)
    rows, matrix = (
        random.standard_normal(shape, dtype=np.float32)
        for shape in ((ROWS, INPUTS), (INPUTS, OUTPUTS))
    )
    best = min(seconds(lambda: rows @ matrix) for _ in range(TRIES))
    return 2 * ROWS * INPUTS * OUTPUTS / best / 1e9


def measure_reading() -> float:
    """Return the best rate at which an array far larger than the caches is summed, in GB/s."""
    array = np.ones(READ_MB * 2**18, np.float32)
    return array.nbytes / min(seconds(array.sum) for _ in range(TRIES)) / 1e9


if __name__ == "__main__":
    main()
