"""Audio-only transcription against other programs on the same weights."""

import sys
from argparse import Namespace
from pathlib import Path
from statistics import median

import numpy as np

from bench.pairs import Row, seconds
from bench.peers import Transcriber, faster_whisper, openai_whisper, transformers_pipeline
from data_prep.media import read_audio
from modalities.speech.whisper import load_whisper, offline_folder
from tasks.avsr import AVSROptions, AVSRPipeline

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 7

Sounds = dict[str, np.ndarray]


def clips(data: Path) -> Sounds:
    """Read the speech clips beside the project, or the demo clip where they are not here."""
    folder = data / "speech"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    paths = paths or [ROOT / "tests/assets/white_house_address.mp4"]
    return {path.name: read_audio(path) for path in paths}


def rows(given: Namespace) -> list[Row]:
    """Time all clips together, so that a ratio is one figure."""
    sounds = clips(given.data)
    total_s = sum(len(sound) for sound in sounds.values()) / 16_000
    plain = AVSRPipeline(options=AVSROptions(voice_activity=False, words=False), device="cpu")
    full = AVSRPipeline(device="cpu")
    peer_model = load_whisper("whisper-tiny.en")
    peers = {
        "faster-whisper float32, beam 1": (faster_whisper(offline_folder(), "float32"), "<= 1.0"),
        "faster-whisper int8, beam 1": (faster_whisper(offline_folder(), "int8"), "aim 1.0"),
        "openai-whisper": (openai_whisper(peer_model), "<= 0.8"),
        "transformers ASR pipeline": (transformers_pipeline(peer_model), "<= 1.0"),
    }
    ours = {"without VAD and words": plain, "as by default": full}
    label = f"{len(sounds)} clips, {total_s:.0f} s of speech"
    rounds = _rounds(sounds, ours, {name: peer for name, (peer, _) in peers.items()})
    result = []
    for name, (_, target) in peers.items():
        for variant, pipeline in ours.items():
            result.append(
                Row(
                    f"{label}, {variant}",
                    name,
                    median(row[variant] for row in rounds),
                    median(row[name] for row in rounds),
                    "s",
                    median(row[variant] / row[name] for row in rounds),
                    target if pipeline is plain else "",
                )
            )
    _show_texts(sounds, plain, {name: peer for name, (peer, _) in peers.items()})
    return result


def _rounds(sounds: Sounds, ours: dict[str, AVSRPipeline], peers: dict[str, Transcriber]):
    """Run everybody in turn, a warm-up and then several rounds; seconds by name."""

    def once() -> dict[str, float]:
        mine = {
            name: seconds(lambda p=p: [p.transcribe(s) for s in sounds.values()])
            for name, p in ours.items()
        }
        theirs = {
            name: seconds(lambda p=p: [p(s) for s in sounds.values()]) for name, p in peers.items()
        }
        return mine | theirs

    once()
    return [once() for _ in range(ROUNDS)]


def _show_texts(sounds: Sounds, plain: AVSRPipeline, peers: dict[str, Transcriber]) -> None:
    for clip, sound in sounds.items():
        print(f"{clip}\n  mcgurk: {plain.transcribe(sound).text}", file=sys.stderr)
        for name, peer in peers.items():
            print(f"  {name}: {peer(sound)}", file=sys.stderr)
