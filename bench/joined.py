"""Word errors and lost sentences in joined speech, by ours and by peers on the same weights.

Four recordings are joined in every order, with pauses of three lengths between them: where one ends
and another begins at once, decoders stop early, and what follows in their window is lost.

    python -m bench.joined ours "faster-whisper float32, beam 1"
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np

from bench.speech import BATCHED, LONG, OURS, PEERS
from data_prep.media import read_audio
from modalities.rates import RATE_HZ
from tasks.scoring.normalisers import find_normaliser

ROOT = Path(__file__).resolve().parents[1]
PAUSES_S = (0.1, 0.5, 2.0)
# What is said, by sentences.
SAID = {
    "speech/libri_198-209-0000.ogg": (
        "Mrs. Allen said Catherine the next morning",
        "will there be any harm in my calling on Miss Tilney today",
        "I shall not be easy till I have explained everything",
        "go by all means my dear only put on a white gown",
        "Miss Tilney always wears white",
    ),
    "speech/libri_3436-172162-0000.ogg": (
        "the adventure of the cart",
        "it befell in the month of May",
        "Queen Guenever called to her knights of the table round",
        "and gave them warning that early upon the morrow",
        "she would ride a maying into the woods and fields beside Westminster",
    ),
    "speech/jfk.flac": (
        "and so my fellow Americans",
        "ask not what your country can do for you",
        "ask what you can do for your country",
    ),
    "video/white_house_address.mp4": (
        "today after two years of negotiations the United States together with our international "
        "partners has achieved some",
    ),
}


def join(data: Path) -> Iterator[tuple[list[str], np.ndarray]]:
    """Give the sentences and the waveform of every order and pause."""
    sounds = {name: read_audio(data / name) for name in SAID}
    for order, pause_s in itertools.product(itertools.permutations(SAID), PAUSES_S):
        gap = np.zeros(round(pause_s * RATE_HZ), np.float32)
        parts = [part for name in order for part in (sounds[name], gap)]
        yield [text for name in order for text in SAID[name]], np.concatenate(parts[:-1])


def score(sentences: list[str], text: str) -> tuple[int, int, list[str]]:
    """Return word errors, words, and the sentences of which less than half of the words is there.

    Args:
        sentences: What was said.
        text: What was recognised.
    """
    normalise = find_normaliser("whisper")
    said = [normalise(sentence).split() for sentence in sentences]
    found = jiwer.process_words(" ".join(itertools.chain(*said)), normalise(text))
    words = sum(map(len, said))
    hit = np.zeros(words, bool)
    for chunk in found.alignments[0]:
        if chunk.type == "equal":
            hit[chunk.ref_start_idx : chunk.ref_end_idx] = True
    stops = np.cumsum([len(sentence) for sentence in said])
    parts = np.split(hit, stops[:-1])
    lost = [s for s, part in zip(sentences, parts, strict=True) if part.mean() < 0.5]
    return found.substitutions + found.deletions + found.insertions, words, lost


def main() -> None:
    """Measure those named, and print a line each."""
    programs = {"ours": OURS["as by default"], **{name: make for name, (make, _) in PEERS.items()}}
    programs[BATCHED] = LONG[BATCHED]
    parser = argparse.ArgumentParser(prog="python -m bench.joined", description=__doc__)
    parser.add_argument("programs", nargs="*", help=f"of {', '.join(programs)}; all without")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    given = parser.parse_args()
    for name in given.programs or programs:
        transcribe = programs[name]()
        results = [score(said, transcribe(sound)) for said, sound in join(given.data)]
        errors, words = sum(result[0] for result in results), sum(result[1] for result in results)
        lost = sum(len(result[2]) for result in results)
        print(
            f"{name}: {len(results)} recordings, word error rate {100 * errors / words:.2f} % "
            f"({errors} of {words}), {lost} sentences lost",
            flush=True,
        )


if __name__ == "__main__":
    main()
