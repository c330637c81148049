"""Attention between sound and the lips of the same moment, against the fusion of the shipped sets.

`python -m tools.conditions_lips [WAY ...]` trains a set for each way of joining lips and sound,
alike in all else, and measures GRID's test clips in noise that no training heard, all resumable,
into build/conditions/lips. It wants the prepared clips: `mcgurk prepare grid ../shared/data/grid
-o build/avsr/grid`.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusion.audio_visual.agreement import AgreementNetwork
from fusion.audio_visual.catalog import FUSIONS
from fusion.audio_visual.options import ALIGNED, JOINT, AgreementOptions
from fusion.sets.files import load_set
from modalities.network_file import load_network
from modalities.rates import PIECE_SAMPLES
from modalities.speech.whisper import load_whisper
from modalities.vision.lips import load_lip_encoder
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.config import DataOptions, NoiseOptions, SetConfig, SightOptions
from tasks.reports import to_table
from tasks.scoring import WordErrors
from tasks.scoring.intervals import Interval, rate_interval, ratio_interval
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tasks.training.study import plain
from tools.changing_noise import (
    CLIPS,
    DATA,
    KEPT_FOR_TEST,
    ROOT,
    SEED,
    SPLIT,
    TEST,
    Condition,
    Measurement,
    Split,
    Way,
    add_errors,
)
from tools.routers_switching import tell_rate

BUILT = ROOT / "build/conditions/lips"
SHIPPED = ROOT / "tasks/avsr/weights/grid"
MODEL, LIPS, AUDIO = "whisper-tiny.en", "lips-grid", SHIPPED / "audio"
AGREEMENT = SHIPPED / "agreement.safetensors"
LEVELS_DB = (-10.0, -5.0, 0.0)
KINDS = ("babble", "sidespeaker", "music", "natural")
STEPS, BATCH, RATE = 200, 16, 1e-3
NO_FACE = "sound alone"


@dataclass(frozen=True)
class Attempt:
    """A way to join lips and sound.

    Attributes:
        fusion: A name of `fusion.audio_visual.options.FUSION_NAMES`.
        told: What it does, in words.
        options: Fields of the module's options that differ from their defaults.
    """

    fusion: str
    told: str
    options: Mapping[str, Any] = field(default_factory=dict)


SHIPS = "joint"
WAYS: dict[str, Attempt] = {
    SHIPS: Attempt(JOINT, "as shipped: lips are projected and added, whatever is heard"),
    "aligned": Attempt(ALIGNED, "a state reads the lip frame of its moment and two on each side"),
    "aligned, one frame": Attempt(
        ALIGNED, "a state reads the lip frame of its moment alone", {"reach": 0}
    ),
}


def config_of(way: str) -> SetConfig:
    """Return how the set of a way is trained: as configs/avsr/grid_all.yaml has it, but shorter."""
    attempt = WAYS[way]
    return SetConfig(
        data=DataOptions(str(CLIPS), str(SPLIT)),
        noise=NoiseOptions(
            folder=str(DATA / "noise"), rooms=str(DATA / "rir"), leave_out=KEPT_FOR_TEST
        ),
        lips=LIPS,
        agreement=str(AGREEMENT),
        fusion=attempt.fusion,
        fusion_options=dict(attempt.options),
        start=str(AUDIO),
        sight=SightOptions(variants=1),
        loop=LoopOptions(
            steps=STEPS,
            batch=BATCH,
            learning_rate=RATE,
            warmup=20,
            checkpoint_every=20,
            measure_every=STEPS,
        ),
    )


def folder_of(way: str) -> Path:
    """Return where a way's set lies."""
    return BUILT / plain(way)


def train_set(way: str) -> None:
    """Train the set of a way, or go on with it."""
    if (folder_of(way) / "set/set.json").is_file():
        return
    config = config_of(way)

    def tell(done: float, whole: float | None) -> None:
        print(f"{way}: step {done:.0f} of {whole or 0:.0f}", flush=True)

    task = AdapterSetTraining(config)
    train(task, config.loop, folder_of(way), tell, device="cpu", settings=asdict(config))


def load(way: str) -> tuple[AdaptedWhisper, nn.Module | None]:
    """Load what was trained, or for `NO_FACE` the set that all began with."""
    network = load_network(AgreementNetwork, AgreementOptions, AGREEMENT).requires_grad_(False)
    whisper = AdaptedWhisper(load_whisper(MODEL), load_lip_encoder(LIPS), network)
    place = AUDIO if way == NO_FACE else folder_of(way) / "set"
    _, fusion = load_set(place, whisper.adapters)
    return whisper.eval(), fusion and fusion.eval()


def recognise(whisper: AdaptedWhisper, fusion: nn.Module | None) -> Way:
    """Return how a set recognises clips with their own lips."""

    @torch.inference_mode()
    def texts(utterances: Sequence[Utterance]) -> list[str]:
        mel = whisper.hear([one.waveform[:PIECE_SAMPLES] for one in utterances])
        sight = None
        if fusion is not None:
            seen = [(one.crops, one.mask) for one in utterances]
            assert all(crops is not None and mask is not None for crops, mask in seen)
            sight = whisper.look(*zip(*seen, strict=True))  # type: ignore[arg-type]
        states, _ = whisper.encode(mel, sight, fusion)  # type: ignore[arg-type]
        return [whisper.spell(said) for said in whisper.decode(states)]

    return texts


def lay_out() -> list[Condition]:
    """Return the conditions of the test."""
    return [Condition((kind,), level) for level in LEVELS_DB for kind in KINDS]


def measure(way: str) -> None:
    """Recognise the test clips in one way."""
    split = Split(TEST)
    Measurement(split, BUILT / TEST).fill(lay_out(), {way: recognise(*load(way))})


def errors_of(way: str, conditions: Sequence[Condition]) -> WordErrors:
    """Add up the word errors of each test clip over conditions.

    Raises:
        FileNotFoundError: The way was not measured in one of them.
    """
    split = Split(TEST)
    texts = Measurement(split, BUILT / TEST).texts(way)
    if lacking := [one.name for one in conditions if one.name not in texts]:
        raise FileNotFoundError(
            f"{way!r} is not measured in {lacking[0]}; run `python -m tools.conditions_lips` first."
        )
    spoken = [clip.text or "" for clip in split.clips]
    return add_errors(spoken, [texts[one.name] for one in conditions])


def tell_lips() -> list[str]:
    """Return the paragraphs on attention between sound and lips.

    Raises:
        FileNotFoundError: It is not measured.
    """
    levels = {f"{db:g} dB": [c for c in lay_out() if c.snr_db == db] for db in LEVELS_DB}
    rows = [
        [
            f"{way}: {attempt.told}",
            f"{count_weights(way):,}",
            *(tell_rate(rate_interval(errors_of(way, of), SEED)) for of in levels.values()),
            "1" if way == SHIPS else tell_rate(_against(way), 2),
        ]
        for way, attempt in WAYS.items()
    ]
    alone = [tell_rate(rate_interval(errors_of(NO_FACE, of), SEED)) for of in levels.values()]
    rows.append(
        [f"{NO_FACE}: the set that all began with", "0", *alone, tell_rate(_against(NO_FACE), 2)]
    )
    heads = ["way", "weights", *levels, "times the errors of joint"]
    return [
        "Position-aligned attention is not bound to pictures: a state of Whisper's encoder, 50 a "
        "second, reads the lip frames of its own moment, 25 a second "
        "(`fusion/audio_visual/aligned.py`, `fusion: aligned` in a set's YAML). Each way was "
        f"trained for {STEPS} steps of {BATCH} clips of GRID's talker 1 from the shipped set that "
        "hears only, with the same draws of clips, noise and lips, seed 0. Word error rates, % "
        f"[95 %], on {len(Split(TEST).clips)} test clips in {', '.join(KINDS)} that no training "
        "heard:",
        to_table(heads, rows),
    ]


def count_weights(way: str) -> int:
    """Count the weights of a way's fusion module."""
    kind, options = FUSIONS[WAYS[way].fusion]
    return sum(p.numel() for p in kind(options(**WAYS[way].options)).parameters())


def _against(way: str) -> Interval:
    """Return how many times the errors of what ships a way makes."""
    own, shipped = (errors_of(one, lay_out()) for one in (way, SHIPS))
    return ratio_interval([own], [shipped], SEED)


def main() -> None:
    """Train and measure; what is there already is not done again."""
    parser = argparse.ArgumentParser(prog="python -m tools.conditions_lips", description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join([*WAYS, NO_FACE]))
    ways = parser.parse_args().ways or [*WAYS, NO_FACE]
    torch.set_num_threads(1)
    try:
        if odd := [way for way in ways if way not in {*WAYS, NO_FACE}]:
            raise ValueError(f"No way {odd[0]!r}; known: {', '.join([*WAYS, NO_FACE])}.")
        for way in ways:
            if way != NO_FACE:
                train_set(way)
            measure(way)
        print("\n\n".join(tell_lips()))
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
