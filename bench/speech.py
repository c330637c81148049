"""Audio-only transcription against other programs on the same weights.

Each program lives in a process of its own, since their thread pools hinder each other in one; they
take turns, so only one works at a time.
"""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from bench.compare import Row, paired, seconds
from bench.peers import Transcriber, faster_whisper, openai_whisper, transformers_pipeline
from data_prep.media import read_audio
from modalities.rates import RATE_HZ
from modalities.speech.whisper import load_whisper
from modalities.speech.whisper_files import offline_folder
from tasks.avsr import AVSROptions, AVSRPipeline

ROOT = Path(__file__).resolve().parents[1]
MODEL = "whisper-tiny.en"
ROUNDS = 5


def _ours(options: AVSROptions) -> Transcriber:
    pipeline = AVSRPipeline(MODEL, device="cpu", options=options)
    return lambda waveform: pipeline.transcribe(waveform).text


PLAIN, DEFAULT = "without VAD and words", "as by default"
OURS: dict[str, Callable[[], Transcriber]] = {
    PLAIN: lambda: _ours(AVSROptions(voice_activity=False, words=False)),
    DEFAULT: lambda: _ours(AVSROptions()),
}
PEERS: dict[str, tuple[Callable[[], Transcriber], str]] = {
    "faster-whisper float32, beam 1": (
        lambda: faster_whisper(offline_folder(), "float32"),
        "<= 1.0",
    ),
    "faster-whisper int8, beam 1": (lambda: faster_whisper(offline_folder(), "int8"), "<= 0.8"),
    "faster-whisper int8, beam 1, with VAD and words": (
        lambda: faster_whisper(offline_folder(), "int8", timed=True),
        "<= 0.6",
    ),
    "openai-whisper": (lambda: openai_whisper(load_whisper(MODEL)), "<= 0.8"),
    "transformers ASR pipeline": (lambda: transformers_pipeline(load_whisper(MODEL)), "<= 1.0"),
}
# Peers that one of our variants alone is like.
ALIKE = {
    "faster-whisper int8, beam 1": PLAIN,
    "faster-whisper int8, beam 1, with VAD and words": DEFAULT,
}
BATCHED = "faster-whisper int8 in batches of 8, words timed"
LONG: dict[str, Callable[[], Transcriber]] = {
    "long": OURS[DEFAULT],
    BATCHED: lambda: faster_whisper(offline_folder(), "int8", timed=True, batch=8),
}
LONG_S, PAUSE_S = 300, 0.5


def clips(data: Path) -> dict[str, np.ndarray]:
    """Read the speech clips beside the project, or the demo clip where they are not here."""
    folder = data / "speech"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = paths or [ROOT / "tests/assets/white_house_address.mp4"]
    return {path.name: read_audio(path) for path in paths}


def long_speech(data: Path) -> np.ndarray:
    """Join the clips over and over, each turn beginning with another, to five minutes."""
    sounds = list(clips(data).values())
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < LONG_S * RATE_HZ:
        parts += [part for sound in sounds for part in (sound, pause)]
        sounds = [*sounds[1:], sounds[0]]
    return np.concatenate(parts)[: LONG_S * RATE_HZ]


def rows(given: Namespace) -> list[Row]:
    """Time all clips together, so that a ratio is one figure; then five minutes of them."""
    return [*_short_rows(given), _long_row(given)]


def _long_row(given: Namespace) -> Row:
    workers = {name: _Worker(name, given.data) for name in LONG}
    rounds = [[worker.turn() for worker in workers.values()] for _ in range(ROUNDS + 1)][1:]
    for name, worker in workers.items():
        print(f"  {name}: {len(worker.texts.split())} words", file=sys.stderr)
        worker.close()
    pairs = [(ours, theirs) for ours, theirs in rounds]
    return paired(f"{LONG_S} s of speech, words timed", BATCHED, pairs, "s", "<= 0.8")


def _short_rows(given: Namespace) -> list[Row]:
    sounds = clips(given.data)
    total_s = sum(len(sound) for sound in sounds.values()) / RATE_HZ
    workers = {name: _Worker(name, given.data) for name in (*OURS, *PEERS)}
    for name, worker in workers.items():
        worker.turn()
        print(f"  {name}: {worker.texts}", file=sys.stderr)
    rounds = [{name: worker.turn() for name, worker in workers.items()} for _ in range(ROUNDS)]
    for worker in workers.values():
        worker.close()
    return [
        Row(
            f"{len(sounds)} clips, {total_s:.0f} s of speech, {variant}",
            peer,
            median(row[variant] for row in rounds),
            median(row[peer] for row in rounds),
            "s",
            median(row[variant] / row[peer] for row in rounds),
            target,
        )
        for peer, (_, target) in PEERS.items()
        for variant in OURS
        if ALIKE.get(peer, variant) == variant
    ]


class _Worker:
    """A process that transcribes all clips once per line it gets."""

    def __init__(self, name: str, data: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.speech", name, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.texts = ""

    def turn(self) -> float:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        taken, _, self.texts = self.process.stdout.readline().rstrip("\n").partition(" ")
        return float(taken)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def _work(name: str, data: Path) -> None:
    sounds = [long_speech(data)] if name in LONG else list(clips(data).values())
    makers = {**OURS, **LONG, **{peer: make for peer, (make, _) in PEERS.items()}}
    transcribe = makers[name]()
    for _ in sys.stdin:
        texts: list[str] = []
        taken = seconds(lambda texts=texts: texts.extend(transcribe(s) for s in sounds))
        print(taken, " | ".join(" ".join(text.split()) for text in texts), flush=True)


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]))
