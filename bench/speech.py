"""Audio-only transcription against other programs on the same weights."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from bench.pairs import Row, compare
from bench.peers import faster_whisper, openai_whisper, transformers_pipeline
from data_prep.media import read_audio
from modalities.speech.whisper import load_whisper, offline_folder
from tasks.avsr import AVSROptions, AVSRPipeline

ROOT = Path(__file__).resolve().parents[1]


def clips(data: Path) -> dict[str, np.ndarray]:
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
    label = f"{len(sounds)} clips, {total_s:.0f} s of speech"
    result = []
    for name, (peer, target) in peers.items():
        for variant, ours in (("without VAD and words", plain), ("as by default", full)):
            result.append(
                compare(
                    f"{label}, {variant}",
                    name,
                    lambda ours=ours: [ours.transcribe(s) for s in sounds.values()],
                    lambda peer=peer: [peer(s) for s in sounds.values()],
                    target if ours is plain else "",
                )
            )
    _show_texts(sounds, plain, {name: peer for name, (peer, _) in peers.items()})
    return result


def _show_texts(sounds, plain: AVSRPipeline, peers) -> None:
    for clip, sound in sounds.items():
        print(f"{clip}\n  mcgurk: {plain.transcribe(sound).text}", file=sys.stderr)
        for name, peer in peers.items():
            print(f"  {name}: {peer(sound)}", file=sys.stderr)
