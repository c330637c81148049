"""Measure how well lip encoders read talkers that they never saw: word errors of frames' words.

    python -m tools.measure_lips lips-grid build/avsr/grid_lips_wide/lips.safetensors

A talker's lines stand under the first encoder and each further one; s5 serves to choose.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from modalities.vision.lips import LipEncoder, load_lip_encoder
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.training.lips import collapse
from tasks.scoring.normalisers import split_words
from tasks.scoring.word_errors import count_errors
from tools.unknown_speech import TALKERS, Piece, cut_talker


def read_words(encoder: LipEncoder, utterance: Utterance) -> str:
    """Return what an encoder reads in a mouth: runs of the same word over pictures.

    Args:
        encoder: Reads.
        utterance: With crops.
    """
    assert utterance.crops is not None and utterance.mask is not None
    crops, mask = torch.from_numpy(utterance.crops)[None], torch.from_numpy(utterance.mask)[None]
    with torch.inference_mode():
        logits = encoder.network.head(encoder(crops, mask).values)[0]
    words = encoder.network.options.words
    found = collapse(logits[mask[0]].argmax(1).tolist(), len(words))
    return " ".join(words[number] for number in found)


def measure(encoder: LipEncoder, pieces: Sequence[Piece]) -> tuple[float, int]:
    """Return the word error rate of an encoder on clips, percent, and how many words they have."""
    read = [read_words(encoder, piece.utterance) for piece in pieces]
    errors = count_errors([piece.text for piece in pieces], read, split_words)
    return errors.rate, int(np.sum(errors.words))


def main(
    encoders: Annotated[list[str], typer.Argument()],
    data: Path = Path("../shared/data"),
    work: Path = Path("build/avsr/unknown_talkers"),
) -> None:
    """Print a line of Markdown for each talker."""
    loaded = [load_lip_encoder(name) for name in encoders]
    print("| talker | words | " + " | ".join(encoders) + " |")
    print("| --- | ---: |" + " ---: |" * len(encoders))
    for talker in TALKERS:
        pieces = cut_talker(data.resolve(), talker, work)
        found = [measure(encoder, pieces) for encoder in loaded]
        rates = " | ".join(f"{rate:.1f}" for rate, _ in found)
        print(f"| {talker} | {found[0][1]} | {rates} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
