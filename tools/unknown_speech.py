"""Speech that no set was trained on, cut into pieces and mixed with noise."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torchaudio.functional import resample

from data_prep.clips.manifest import MANIFEST, Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.clips.splits import choose_clips, read_split
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import spell
from data_prep.media import read_audio
from data_prep.noise import Recordings, draw_scene, find_recordings, render_scene
from modalities.rates import PIECE_PICTURES, PIECE_SAMPLES, RATE_HZ, SAMPLES_PER_PICTURE
from tasks.avsr.sets.contract import Utterance

GRID, OTHER = "GRID talkers", "other speech"
CHOOSE, TEST = "choose", "test"
CHANGED, PITCHES = 20, ((6, 5), (9, 8), (8, 9), (7, 8))  # clips of talker 1, and how high
PARTS = {CHOOSE: "val", TEST: "test"}  # of talker 1's clips, whose voices are babble
TALKERS = {"s5": CHOOSE, "s26": TEST, "s31": TEST, "s4": TEST, "grid_talkers": TEST}
RECORDINGS = {
    "jfk": CHOOSE,
    "libri_198-209-0000": CHOOSE,
    "libri_3436-172162-0000": TEST,
    "white_house_address": TEST,
}
DIGITS = {"george": CHOOSE, "jackson": CHOOSE, "lucas": CHOOSE}
DIGITS |= {"nicolas": TEST, "theo": TEST, "yweweler": TEST}
STRINGS, LENGTH = 3, 5  # of digits per speaker
HOP = RATE_HZ * 16 // 10  # between the pieces of a recording
TEST_NOISE = {
    "librosa_hungarian_dance",
    "audiomentations_sheep",
    "scaper_street",
    "speechbrain_noise3",
    "speechbrain_noise5",
}
KINDS = ("babble", "babble, other voices", "sidespeaker, other voices", "music", "natural")
VOICES = {"babble": 6, "babble, other voices": 3}


@dataclass(frozen=True)
class Piece:
    """Up to 3.2 s of speech.

    Attributes:
        name: Unlike that of any other piece.
        side: `GRID` or `OTHER`.
        use: `CHOOSE` or `TEST`.
        source: Name of the talker or of the recording.
        text: What is said; "" where nobody wrote it down.
        utterance: Sound and mouth.
    """

    name: str
    side: str
    use: str
    source: str
    text: str
    utterance: Utterance


@dataclass(frozen=True)
class Speech:
    """All pieces, and the voices that may be noise.

    Attributes:
        pieces: Talkers and other speech together.
        babble: Recordings of GRID's talker 1, by use.
        voices: Recordings of other speech.
        noise: Recordings of music and natural noise, by use.
    """

    pieces: tuple[Piece, ...]
    babble: dict[str, tuple[Path, ...]]
    voices: tuple[Path, ...]
    noise: dict[str, Recordings]


def find_speech(data: Path, grid: Path, work: Path) -> Speech:
    """Prepare all speech.

    Args:
        data: The folder of shared data.
        grid: Talker 1's prepared clips.
        work: Prepared clips of other talkers go here.
    """
    recordings = [_find_recording(data, name) for name in RECORDINGS]
    clip, face = _read_clips(data / "video", work / "video")[0]
    stranger = Path(clip.media).stem
    pieces = [piece for talker in TALKERS for piece in cut_talker(data, talker, work)]
    for path in recordings:
        pieces += cut_recording(path, stranger, face)
    pieces += [piece for speaker in DIGITS for piece in _string_digits(data, speaker, face)]
    clips = list(read_manifest(grid / MANIFEST))
    split = data / "grid" / "splits.json"
    parts = {use: choose_clips(clips, read_split(split, part)) for use, part in PARTS.items()}
    pieces += [_change_voice(c, grid, n, face) for n, c in enumerate(parts[CHOOSE][:CHANGED])]
    babble = {use: tuple(grid / clip.media for clip in some) for use, some in parts.items()}
    everything = find_recordings(data / "noise")
    seen = {p.stem for files in everything.by_category.values() for p in files} - TEST_NOISE
    noise = {CHOOSE: everything.without(TEST_NOISE), TEST: everything.without(seen)}
    return Speech(tuple(pieces), babble, tuple(recordings), noise)


def add_noise(
    speech: Speech, piece: Piece, kind: str, snr_db: float | None, seed: int
) -> Utterance:
    """Return a piece in noise; the same draw for every level.

    Args:
        speech: Whose voices and recordings are noise; a piece is not mixed with its own recording.
        piece: The speech.
        kind: One of `KINDS`.
        snr_db: Signal-to-noise ratio; None for no noise.
        seed: Another one draws other recordings and places.
    """
    if snr_db is None:
        return piece.utterance
    category = kind.split(",")[0]
    voices = speech.babble[piece.use] if kind == "babble" else speech.voices
    found = replace(speech.noise[piece.use], voices=voices)
    scene = draw_scene(
        found,
        category,
        snr_db,
        len(piece.utterance.waveform),
        (seed, crc32(piece.name.encode()), crc32(kind.encode())),
        avoid=piece.source,
        voices=VOICES.get(kind, 1),
    )
    return replace(piece.utterance, waveform=render_scene(scene, piece.utterance.waveform).waveform)


def _find_recording(data: Path, name: str) -> Path:
    found = [p for part in ("speech", "video") for p in (data / part).glob(f"{name}.*")]
    return found[0]


def _read_clips(folder: Path, work: Path) -> list[tuple[Clip, Utterance]]:
    clips = find_folder_clips(folder)
    prepare([replace(c, media=str((folder / c.media).resolve())) for c in clips], work, 1)
    found = []
    for clip in read_manifest(work / MANIFEST):
        sample = load_sample(clip, work)
        found.append((clip, Utterance(sample.waveform, sample.crops, clip.mask())))
    return found


def cut_talker(data: Path, talker: str, work: Path) -> list[Piece]:
    """Return the test clips of one of `TALKERS`.

    Args:
        data: The folder of shared data.
        talker: Name of the folder of clips.
        work: Prepared clips go here.
    """
    folder = data / talker if talker == "grid_talkers" else data / "grid_people" / talker
    keep = None
    if talker == "s4":
        keep = set(json.loads((folder.parent / "splits.json").read_text())["s4"]["test"])
    pieces = []
    for clip, utterance in _read_clips(folder, work / talker):
        stem = Path(clip.media).stem
        if keep is not None and stem not in keep:
            continue
        short = replace(utterance, waveform=utterance.waveform[:PIECE_SAMPLES])
        name = f"{talker}/{stem}"
        pieces.append(Piece(name, GRID, TALKERS[talker], talker, spell(stem), short))
    return pieces


def _change_voice(clip: Clip, grid: Path, number: int, face: Utterance) -> Piece:
    """Let a clip of talker 1 be said by a higher or lower voice, and show a stranger's mouth."""
    waveform = torch.from_numpy(read_audio(grid / clip.media, clip.audio_track))
    changed = resample(waveform, *PITCHES[number % len(PITCHES)]).numpy()[:PIECE_SAMPLES]
    utterance = _with_mouth(changed, face, 0)
    stem = Path(clip.media).stem
    return Piece(f"changed/{stem}", GRID, CHOOSE, "changed", clip.text or "", utterance)


def cut_recording(path: Path, stranger: str, face: Utterance) -> list[Piece]:
    """Cut a recording into overlapping pieces; sound without pictures gets a stranger's mouth.

    Args:
        path: The recording.
        stranger: Name of the recording that has pictures.
        face: Its mouth.
    """
    waveform, name = read_audio(path), path.stem
    own = name == stranger
    pieces = []
    for start in range(0, len(waveform) - PIECE_SAMPLES + 1, HOP):
        picture = start // SAMPLES_PER_PICTURE if own else 0
        part = waveform[start : start + PIECE_SAMPLES]
        pieces.append(
            Piece(
                f"{name}/{start / RATE_HZ:.1f}",
                OTHER,
                RECORDINGS.get(name, TEST),
                name,
                "",
                _with_mouth(part, face, picture),
            )
        )
    return pieces


def _string_digits(data: Path, speaker: str, face: Utterance) -> list[Piece]:
    """Put spoken digits of one speaker behind each other, so many as GRID's sentences take time."""
    random = np.random.default_rng(crc32(speaker.encode()))
    pieces = []
    for number in range(STRINGS):
        digits = random.integers(10, size=LENGTH)
        takes = [
            read_audio(data / "fsdd" / "recordings" / f"{d}_{speaker}_{random.integers(50)}.wav")
            for d in digits
        ]
        gap = np.zeros(RATE_HZ // 10, np.float32)
        waveform = np.concatenate([part for take in takes for part in (take, gap)])
        pieces.append(
            Piece(
                f"digits {speaker}/{number}",
                OTHER,
                DIGITS[speaker],
                f"digits {speaker}",
                " ".join(map(str, digits)),
                _with_mouth(waveform[:PIECE_SAMPLES], face, 0),
            )
        )
    return pieces


def _with_mouth(waveform: np.ndarray, face: Utterance, first: int) -> Utterance:
    assert face.crops is not None and face.mask is not None
    shown = slice(first, first + PIECE_PICTURES)
    return Utterance(waveform, face.crops[shown], face.mask[shown])
