"""Word errors against plain dynamic programming."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.scoring import NORMALISERS, count_errors

sentence = st.lists(st.sampled_from("bin blue at f two now".split()), max_size=7).map(" ".join)
pairs = st.lists(st.tuples(sentence, sentence), min_size=1, max_size=6)


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    costs = list(range(len(hypothesis) + 1))
    for row, spoken in enumerate(reference, 1):
        before, costs[0] = costs[0], row
        for column, written in enumerate(hypothesis, 1):
            change = before + (spoken != written)
            before, costs[column] = (
                costs[column],
                min(costs[column], costs[column - 1], change - 1) + 1,
            )
    return costs[-1]


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_counts_agree_with_dynamic_programming(found):
    references, hypotheses = zip(*found, strict=True)
    errors = count_errors(references, hypotheses, NORMALISERS["split"])
    for index, (reference, hypothesis) in enumerate(found):
        spoken, written = reference.split(), hypothesis.split()
        assert errors.edits[index] == edit_distance(spoken, written)
        assert errors.words[index] == len(spoken)
        assert errors.words[index] + errors.insertions[index] - errors.deletions[index] == len(
            written
        )


def test_the_rate_is_of_all_words_not_the_mean_of_clips():
    errors = count_errors(["a", "b c d e"], ["x", "b c d e"], NORMALISERS["split"])
    assert errors.rate == 20


def test_what_is_written_where_nothing_was_said_is_inserted():
    errors = count_errors(["um", "set red"], ["thank you", ""], NORMALISERS["whisper"])
    assert errors.insertions.tolist() == [2, 0] and errors.deletions.tolist() == [0, 2]
    assert errors.words.tolist() == [0, 2] and errors.rate == 200


def test_references_without_a_word_are_refused():
    with pytest.raises(ValueError, match="No reference has a word"):
        _ = count_errors(["um"], ["thank you"], NORMALISERS["whisper"]).rate


def test_a_missing_hypothesis_is_told():
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        count_errors(["a", "b"], ["a"], NORMALISERS["split"])


def test_counts_are_whole_numbers_by_clip():
    errors = count_errors(["a b"] * 3, ["a b", "a", "a b c"], NORMALISERS["split"])
    assert errors.edits.tolist() == [0, 1, 1] and errors.edits.dtype == np.int64
