"""Normalisers: what each makes of text, and that GRID's words stay apart."""

import random
from itertools import product

import pytest

from data_prep.datasets.speech.grid import ADVERBS, COLOURS, COMMANDS, DIGITS, PREPOSITIONS, spell
from tasks.scoring import NORMALISERS, find_normaliser

LETTERS = "abcdefghijklmnopqrstuvxyz"
grid, whisper = NORMALISERS["grid"], NORMALISERS["whisper"]


def sentences(count: int) -> list[str]:
    """Names of GRID clips, drawn at random."""
    names = ["".join(name) for name in product(COMMANDS, COLOURS, PREPOSITIONS, LETTERS)]
    draw = random.Random(0)
    return [
        draw.choice(names) + draw.choice([*DIGITS]) + draw.choice([*ADVERBS]) for _ in range(count)
    ]


def test_every_grid_sentence_keeps_six_words_and_all_51_stay_apart():
    pairs = set()
    for name in sentences(3000):
        spoken, normalised = spell(name).split(), grid(spell(name)).split()
        assert len(normalised) == 6, name
        pairs |= set(zip(spoken, normalised, strict=True))
    assert (
        len(pairs) == len({spoken for spoken, _ in pairs}) == len({kept for _, kept in pairs}) == 51
    )


@pytest.mark.parametrize("pattern", ["{}{}", "{} {}", "{}-{}", "{}. {}", "{}.{}", "{}, {}"])
def test_a_letter_and_a_digit_are_two_words_however_a_model_writes_them(pattern):
    for letter, (digit, name) in product(LETTERS, DIGITS.items()):
        written = pattern.format(letter.upper(), digit.replace("z", "0"))
        expected = grid(f"bin blue at {letter} {name} now")
        assert grid(f"Bin blue at {written} now.") == expected, written


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("o two", "o 2"),
        ("Oh, two.", "o 2"),
        ("two two now", "2 2 now"),
        ("[music playing] set", "set"),
        ("(inaudible noise)", ""),
        ("um, uh, hmm", ""),
        ("", ""),
        ("at one", "at one"),
        ("at 1", "at one"),
    ],
)
def test_grid_normalises_word_by_word(written, expected):
    assert grid(written) == expected


def test_whisper_joins_what_grid_keeps_apart():
    assert whisper("at o two now") == "at 02 now"
    assert whisper("Mr. Grey's colour, um, isn't twenty two") == "mister gray is color is not 22"


def test_plain_normalisers():
    assert NORMALISERS["lower"]("  Don't --  STOP,\tnow. ") == "dont stop now"
    assert NORMALISERS["split"]("  Don't \n STOP,\tnow. ") == "don't stop, now."


@pytest.mark.parametrize("name", NORMALISERS)
def test_normalised_text_has_single_spaces_and_stays_as_it_is(name):
    normalise = NORMALISERS[name]
    for text in ("", "  ", "Set white at F2, now!  please", *map(spell, sentences(50))):
        once = normalise(text)
        assert once == " ".join(once.split())
        assert name == "whisper" or normalise(once) == once  # Whisper's "05" turns into "5"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="'fairseq'; known: whisper, basic, lower, split, grid"):
        find_normaliser("fairseq")
