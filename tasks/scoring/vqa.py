"""VQA accuracy: how many of ten people gave the same answer, by the rules of the challenge."""

import math
import re
from collections.abc import Sequence
from typing import Literal

Rules = Literal["official", "vl_t5"]
AGREEING = 3  # people whose answer is fully right
FEWEST = AGREEING + 1  # with fewer answers none could be fully right, as one is left out
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
COMMA_IN_NUMBER = re.compile(r"\d,\d")
STOP = re.compile(r"\.(?!\d)")
MOST_STOPS = 32  # the challenge hands re.UNICODE over as the count of replacements, by mistake
DIGITS = {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"none": "0"}
ARTICLES = frozenset(("a", "an", "the"))
# The challenge writes these where one apostrophe is missing. Its table has no "we'd", "we'll",
# "we're", "he'll", "I'll", "she'll" or "it's": without the apostrophe most are other words. Its
# "Im" and "Ive" are left out here: they meet lower case only and never match.
APOSTROPHES = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's they'd
they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've
when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't
would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
CONTRACTIONS = {
    word[: mark.start()] + word[mark.end() :]: word
    for word in APOSTROPHES.split()
    for mark in re.finditer("'", word)
} | {"somebody'd": "somebodyd"}  # the other way round, in the challenge's own table


def vqa_accuracy(answer: str, references: Sequence[str], rules: Rules = "official") -> float:
    """Score one answer, 0 to 100: 100 where three or more others of the people said the same.

    Each of the people is left out once, and the mean taken: of ten, one that agrees is 30, two 60,
    three 90, four 100.

    Args:
        answer: What a model says.
        references: What people said: ten in VQA, four or more.
        rules: "official": both sides are normalised, but only where people differ. Where all ten
            wrote the same, "Yes" is wrong for "yes". "vl_t5": as VL-T5 and VL-Adapter report it
            (the challenge's older script): the answer is always normalised, of people's answers
            the punctuation alone, and where they differ: "none" and "two" never match themselves.

    Raises:
        ValueError: There are fewer than four references.

    Source:
        GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py; VL-T5, src/vqa_data.py.
    """
    if isinstance(references, str) or len(references) < FEWEST:
        raise ValueError(
            f"The references are {references!r}; expected the answers of ten people, four at "
            "least. Where one answer is right, compare with tasks.scoring.answers.label_score."
        )
    said = _on_one_line(answer)
    others = [_on_one_line(text) for text in references] if rules == "official" else [*references]
    differ = len(set(others)) > 1
    if differ or rules == "vl_t5":
        said = normalise_answer(said)
    if differ:
        change = normalise_answer if rules == "official" else _strip_punctuation
        others = [change(text) for text in others]
    agreeing = sum(text == said for text in others)
    each = [min(1.0, (agreeing - (text == said)) / AGREEING) for text in others]
    return 100 * math.fsum(each) / len(each)


def normalise_answer(text: str) -> str:
    """Write an answer as the challenge compares it.

    Lower case; no articles; numbers to ten as digits, and "none" as 0; missing apostrophes put in;
    a mark of punctuation goes where a space stands beside one of its kind or a number has a comma
    ("1,000"), and is a space elsewhere ("black/white"); a full stop goes but before a digit.

    Args:
        text: Any text; "" stays so, and "the" becomes it.
    """
    words = _strip_punctuation(_on_one_line(text)).lower().split()
    digits = (DIGITS.get(word, word) for word in words)
    return " ".join(CONTRACTIONS.get(word, word) for word in digits if word not in ARTICLES)


def _on_one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _strip_punctuation(text: str) -> str:
    kept = text
    for mark in PUNCTUATION:
        goes = mark + " " in text or " " + mark in text or COMMA_IN_NUMBER.search(text)
        kept = kept.replace(mark, "" if goes else " ")
    return STOP.sub("", kept, count=MOST_STOPS)
