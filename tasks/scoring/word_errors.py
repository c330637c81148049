"""Word errors, counted utterance by utterance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tasks.scoring.normalisers import Normaliser
from tasks.scoring.text_form import unify_text

MARKS_ALONE = frozenset(".,;:!?'\"-")  # a dash between spaces, or OpenAI's rest of an ellipsis


@dataclass(frozen=True, eq=False)
class WordErrors:
    """What became of the words of each utterance.

    Attributes:
        hits: Words that are right, int [clips].
        substitutions: Words that are others, int [clips].
        deletions: Words that are missing, int [clips].
        insertions: Words that were not said, int [clips].
    """

    hits: np.ndarray
    substitutions: np.ndarray
    deletions: np.ndarray
    insertions: np.ndarray

    @property
    def edits(self) -> np.ndarray:
        """Errors of any kind, int [clips]."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def words(self) -> np.ndarray:
        """Words of the references, int [clips]."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Word error rate of all utterances together, percent; more than 100 is possible.

        Raises:
            ValueError: No reference has a word.
        """
        words = int(self.words.sum())
        if not words:
            raise ValueError(
                "No reference has a word after normalising; expected at least one. Check the "
                "transcripts, or take another normaliser."
            )
        return 100 * (int(self.edits.sum()) / words)


def count_errors(
    references: Sequence[str], hypotheses: Sequence[str], normalise: Normaliser
) -> WordErrors:
    """Count the word errors of each utterance.

    What is written where nothing was said counts as insertions. What differs in typesetting alone
    never counts, whatever the normaliser does: see `tasks.scoring.text_form.unify_text`.

    Args:
        references: What was said, [clips].
        hypotheses: What was recognised, [clips].
        normalise: Applied to both in that form; one of `tasks.scoring.normalisers.NORMALISERS`, or
            any function of a text.

    Raises:
        ValueError: Not as many hypotheses as references.
    """
    if len(references) != len(hypotheses):
        raise ValueError(
            f"There are {len(hypotheses)} hypotheses for {len(references)} references; expected "
            "one for each."
        )
    counts = [
        _count(*(_words_of(normalise(unify_text(text))) for text in (reference, hypothesis)))
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    return WordErrors(*np.array(counts, np.int64).reshape(-1, 4).T)


def _words_of(normalised: str) -> str:
    """Leave out what is no word, and part words by one space: jiwer joins two words over a tab."""
    return " ".join(word for word in normalised.split() if not MARKS_ALONE.issuperset(word))


@lru_cache(maxsize=100_000)
def _count(reference: str, hypothesis: str) -> tuple[int, int, int, int]:
    """Return hits, substitutions, deletions and insertions of normalised text."""
    import jiwer

    if not reference:
        return 0, 0, 0, len(hypothesis.split())  # jiwer refuses it
    found = jiwer.process_words(reference, hypothesis)
    return found.hits, found.substitutions, found.deletions, found.insertions
