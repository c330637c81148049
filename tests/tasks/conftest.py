"""Prepared clips of tones and noise, for tests that train."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.faces import MouthChunk
from data_prep.faces.mouth_video import write_mouth_video
from data_prep.json_lines import write_manifest
from modalities.speech.timed_text import Word

CLIPS = 8


@pytest.fixture(scope="session")
def write_prepared() -> Callable[[Path, float], Path]:
    """Write a folder as `mcgurk prepare` does: eight clips of some seconds that say "one two"."""

    def write(folder: Path, seconds: float) -> Path:
        random = np.random.default_rng(0)
        samples, frames = round(16_000 * seconds), round(25 * seconds)
        clips = []
        for number in range(CLIPS):
            name = f"s_{number}"
            tone = 0.1 * np.sin(np.arange(samples) * (0.02 + number / 100))
            tone += 0.01 * random.standard_normal(samples)
            with wave.open(str(folder / f"{name}.wav"), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes((tone * 32767).astype("<i2").tobytes())
            crops = random.integers(0, 256, (frames, 96, 96), dtype=np.uint8)
            seen = np.ones(frames, bool), np.zeros(frames, int)
            write_mouth_video(folder / f"mouths/{name}.mp4", [MouthChunk(0, crops, *seen)])
            times = np.array([0.3, 0.5, 0.8]) * seconds
            words = (Word(*times[:2].tolist(), "one"), Word(*times[1:].tolist(), "two"))
            media, mouth = str(folder / f"{name}.wav"), f"mouths/{name}.mp4"
            clip = Clip(name, media, "one two", "s", words, seconds, frames, mouth, ((0, frames),))
            clips.append(clip)
        write_manifest(folder / "manifest.jsonl", clips)
        return folder

    return write
