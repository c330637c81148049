"""A recogniser that errs by rule, and small clips that it knows."""

import wave
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.faces.mouth_video import write_mouth_video
from data_prep.faces.results import MouthChunk
from data_prep.json_lines import write_manifest
from data_prep.noise import Recordings
from fusion.scenarios.classifier import Scenario
from tasks.avsr.evaluation.conditions import NoiseSource
from tasks.avsr.evaluation.recognise import Plan
from tasks.avsr.evaluation.results import ResultFile
from tasks.avsr.sets.contract import Heard

CLIPS = 7
WORDS = "bin blue at f two now".split()
GROUPS = {
    "audio": ("audio",),
    "all": ("all",),
    "category": ("babble", "music"),
    "level": ("high_noise", "low_noise"),
}
HELP = {"audio": 0.1, "all": 0.3, "babble": 0.4, "music": 0.35, "high_noise": 0.3, "low_noise": 0.2}


def tone(number: int) -> np.ndarray:
    """The sound of a clip, whose length is unlike that of any other."""
    samples = 8000 + 640 * number
    return 0.2 * np.sin(2 * np.pi * (200 + 50 * number) * np.arange(samples) / 16_000)


def number_of(waveform: np.ndarray) -> int:
    return (len(waveform) - 8000) // 640


def snr_db(waveform: np.ndarray) -> float:
    own = tone(number_of(waveform))
    noise = waveform - own * (waveform @ own) / (own @ own)
    return float(10 * np.log10((waveform @ own) ** 2 / (own @ own) / (noise @ noise + 1e-9)))


@dataclass
class FakeRecogniser:
    """Gets the more words wrong the louder the noise; the clip's own lips help, others harm."""

    groups: dict = field(default_factory=lambda: dict(GROUPS))
    calls: list = field(default_factory=list)

    def plain(self, utterances):
        self.calls += [(None, number_of(u.waveform)) for u in utterances]
        return [Heard(self._say(u, "plain", 0.0)) for u in utterances]

    def with_set(self, utterances, name):
        self.calls += [(name, number_of(u.waveform)) for u in utterances]
        return [self._hear(u, name) for u in utterances]

    def describe(self, utterances):
        return [Scenario("babble", 0.9, snr_db(u.waveform), 1.0) for u in utterances]

    def choose(self, scenario, by):
        if scenario.snr_db > 15:
            return None
        if by == "level":
            return "high_noise" if scenario.snr_db < 3 else "low_noise"
        return scenario.category if scenario.category in self.groups["category"] else None

    def _hear(self, utterance, name):
        if utterance.crops is None:
            return Heard(self._say(utterance, name, 0.0))
        assert utterance.crops.shape == (len(utterance.mask), 96, 96)
        assert len(utterance.mask) == -(-len(utterance.waveform) // 640)
        shown = int(utterance.crops[0, 0, 0]) // 10 - 1
        right = shown == number_of(utterance.waveform)
        helped = HELP[name] if right or name == "audio" else -HELP[name]
        return Heard(self._say(utterance, name, helped), float(right))

    def _say(self, utterance, salt, helped):
        wrong = 0.3 - snr_db(utterance.waveform) / 25 - helped
        seed = crc32(f"{salt}{number_of(utterance.waveform)}".encode())
        drawn = np.random.default_rng(seed).random(len(WORDS))
        return " ".join("x" if d < wrong else w for d, w in zip(drawn, WORDS, strict=True))


def write_wav(path: Path, sound: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def write_mouths(path: Path, number: int) -> int:
    frames = -(-len(tone(number)) // 640)
    crops = np.full((frames, 96, 96), 10 * (number + 1), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mouth_video(path, [MouthChunk(0, crops, np.ones(frames, bool), np.zeros(frames, int))])
    return frames


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """Seven clips as `mcgurk prepare` writes them."""
    folder = tmp_path_factory.mktemp("prepared")
    clips = []
    for number in range(CLIPS):
        write_wav(folder / f"{number}.wav", tone(number))
        frames = write_mouths(folder / f"mouths/{number}.mp4", number)
        place = str(folder / f"{number}.wav")
        clips.append(
            Clip(
                str(number),
                place,
                " ".join(WORDS),
                duration_s=len(tone(number)) / 16_000,
                frames=frames,
                mouth=f"mouths/{number}.mp4",
                seen=((0, frames),),
            )
        )
    write_manifest(folder / "manifest.jsonl", clips)
    return folder


@pytest.fixture(scope="session")
def noise(tmp_path_factory) -> Path:
    """A folder of two pieces of music."""
    folder = tmp_path_factory.mktemp("noise")
    for number in range(2):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, 32_000)
        write_wav(folder / f"music/piece{number}.wav", sound)
    return folder


@pytest.fixture
def plan(prepared, noise) -> Plan:
    from data_prep.clips.manifest import read_manifest

    clips = tuple(read_manifest(prepared / "manifest.jsonl"))
    music = tuple(sorted((noise / "music").iterdir()))
    recordings = Recordings({"music": music}, tuple(Path(clip.media) for clip in clips))
    sources = (
        NoiseSource("babble", "babble", recordings, voices=4),
        NoiseSource("music", "music", recordings),
    )
    return Plan(clips, prepared, sources, (-5.0, 10.0), seed=3, batch=3)


@pytest.fixture
def results(tmp_path) -> ResultFile:
    return ResultFile(tmp_path / "results.jsonl")


@pytest.fixture
def fake() -> FakeRecogniser:
    return FakeRecogniser()
