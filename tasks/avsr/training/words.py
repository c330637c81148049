"""Word errors while training: without punctuation and case, letters and digits as they are."""

import string

import jiwer

PLAIN = str.maketrans("", "", string.punctuation)


def count_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Count word errors.

    Args:
        reference: What was said.
        hypothesis: What was written.

    Returns:
        Edits, and words of the reference.
    """
    expected, written = (text.lower().translate(PLAIN).split() for text in (reference, hypothesis))
    if not expected:
        return len(written), 0
    found = jiwer.process_words([" ".join(expected)], [" ".join(written)])
    return found.substitutions + found.deletions + found.insertions, len(expected)
