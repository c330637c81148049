"""Measure what becomes of speech that no set was trained on: other talkers, and other speech.

    python -m tools.measure_unknown build/avsr/unknown.jsonl --use test --seed 0

One line a piece of speech in a kind of noise at a level; a run that was interrupted goes on.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import typer

from fusion.scenarios.classifier import Scenario
from tasks.avsr.sets.collection import ALL, AUDIO, CATEGORY
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.evidence import SIGNALS, Evidence, weigh
from tasks.avsr.sets.row_reader import level_all
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tools.unknown_speech import GRID, KINDS, TEST, Piece, Speech, add_noise, find_speech

MODEL, SETS = "whisper-tiny.en", "grid"
LEVELS_DB = (None, 5.0, 0.0, -5.0, -10.0)
BATCH = 8


def measure(
    recogniser: SetRecogniser,
    speech: Speech,
    use: str,
    seed: int,
    known: set[tuple],
    signals: bool = False,
) -> Iterator[list[dict[str, Any]]]:
    """Yield rows of all pieces in all conditions, batch by batch.

    Args:
        recogniser: With a collection.
        speech: From `find_speech`.
        use: Which pieces, `tools.unknown_speech.CHOOSE` or `TEST`.
        seed: Another one draws other noise.
        known: Rows that there are, by `key_of`.
        signals: Whether all signals are measured, known window or not.
    """
    pieces = [piece for piece in speech.pieces if piece.use == use]
    for snr_db in LEVELS_DB:
        for kind in KINDS if snr_db is not None else ("clean",):
            keys = {piece.name: (piece.name, kind, snr_db, seed) for piece in pieces}
            todo = [piece for piece in pieces if keys[piece.name] not in known]
            for start in range(0, len(todo), BATCH):
                some = todo[start : start + BATCH]
                yield _measure(recogniser, speech, some, kind, snr_db, seed, signals)


def key_of(row: dict[str, Any]) -> tuple:
    """Return what tells a row from all others."""
    return row["name"], row["kind"], row["snr_db"], row["seed"]


def _measure(
    recogniser: SetRecogniser,
    speech: Speech,
    pieces: Sequence[Piece],
    kind: str,
    snr_db: float | None,
    seed: int,
    signals: bool,
) -> list[dict[str, Any]]:
    """Hear a batch: as the selector describes it, by the set that hears only, and plainly."""
    heard = [add_noise(speech, piece, kind, snr_db, seed) for piece in pieces]
    now = [recogniser.choose(scenario) is not None for scenario in recogniser.describe(heard)]
    before = [recogniser.choose(s) is not None for s in describe_without(recogniser, heard)]
    texts = recogniser.with_set(heard, recogniser.groups[AUDIO][0])
    rows = [
        {
            "name": piece.name,
            "side": piece.side,
            "source": piece.source,
            "kind": kind,
            "snr_db": snr_db,
            "seed": seed,
            "said": piece.text,
            "before": old,
            "now": new,
            "heard": text.text,
        }
        for piece, old, new, text in zip(pieces, before, now, texts, strict=True)
    ]
    for place in (n for n, row in enumerate(rows) if needs_plain(row)):
        rows[place]["plain"] = recogniser.plain([heard[place]])[0].text
    if signals:
        for row, measured in zip(rows, weigh_all(recogniser, heard), strict=True):
            row["signals"] = measured
    return rows


def needs_plain(row: dict[str, Any]) -> bool:
    """Tell whether errors of a row depend on what the frozen Whisper writes."""
    return row["side"] == GRID and not (row["before"] and row["now"])


def describe_without(recogniser: SetRecogniser, heard: Sequence[Utterance]) -> list[Scenario]:
    """Return what the selector would say if nothing were verified."""
    selector = recogniser.selector
    assert selector is not None
    recogniser.selector = replace(selector, verifier=None, others=())
    try:
        return recogniser.describe(heard)
    finally:
        recogniser.selector = selector


def weigh_all(recogniser: SetRecogniser, heard: Sequence[Utterance]) -> list[dict[str, float]]:
    """Return all signals of utterances, by name."""
    names = [recogniser.groups[AUDIO][0], *recogniser.groups.get(ALL, ()), *others(recogniser)]
    with recogniser.sets.held(names) as held, recogniser.sets.turn():
        listener, *rest = [one.adapter for one in held]
        evidence = Evidence(recogniser.adapted, listener, rest, level_all(heard))
        found = weigh(evidence, tuple(SIGNALS)).tolist()
    return [
        {name: round(value, 4) for name, value in zip(SIGNALS, row, strict=True)} for row in found
    ]


def others(recogniser: SetRecogniser) -> tuple[str, ...]:
    """Return the sets for noise of voices, whose texts are compared."""
    return tuple(n for n in recogniser.groups.get(CATEGORY, ()) if n in ("babble", "sidespeaker"))


def main(
    output: Path,
    use: str = TEST,
    seed: int = 0,
    data: Path = Path("../shared/data"),
    grid: Path = Path("build/avsr/grid"),
    sets: str = SETS,
    signals: bool = False,
) -> None:
    """Measure, and write lines of JSON."""
    torch.set_grad_enabled(False)
    speech = find_speech(data.resolve(), grid.resolve(), output.parent / "unknown_talkers")
    recogniser = load_recogniser(MODEL, sets, "cpu")
    lines = output.read_text().splitlines() if output.is_file() else []
    known = {key_of(json.loads(line)) for line in lines}
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("a") as file:
        for rows in measure(recogniser, speech, use, seed, known, signals):
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            print(rows[0]["kind"], rows[0]["snr_db"], len(rows), flush=True)


if __name__ == "__main__":
    typer.run(main)
