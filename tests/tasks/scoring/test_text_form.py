"""What differs in typesetting alone is one text to every scorer; "whisper" answers as OpenAI's."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.scoring import NORMALISERS, count_errors
from tasks.scoring.text_form import unify_text

ANSWERS = json.loads(Path(__file__).with_name("whisper_answers.json").read_text("utf-8"))["answers"]
# What a typesetter, a word processor or a web page writes for what is in ASCII.
SET_IN_TYPE = {
    "'": "'\u2018\u2019\u201b\u2032\u02bc\uff07\u00b4",
    '"': '"\u201c\u201d\u201e\u00ab\u00bb\u2033',
    "-": "-\u2010\u2011\u2012\u2013\u2212\uff0d",
    " ": " \t\n\r\u00a0\u2002\u2003\u2009\u200a\u202f\u205f\u3000\u2028",
    "%": "%\uff05",
    "$": "$\uff04",
}
UNSEEN = ["", "\ufeff", "\u200b", "\u200c", "\u00ad", "\u2060", "\u200e", "\u202a", "\ufe0f"]


@pytest.mark.parametrize(("name", "key"), [("whisper", "english"), ("basic", "basic")])
def test_words_are_those_of_openai_whisper(name, key):
    assert len(ANSWERS) >= 200
    for answer in ANSWERS:
        assert NORMALISERS[name](answer["text"]).split() == answer[key].split(), answer["text"]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([answer["text"] for answer in ANSWERS]), st.data())
def test_a_typeset_sentence_is_its_plain_one_to_every_normaliser(text, data):
    drawn = [
        data.draw(st.sampled_from(SET_IN_TYPE.get(mark, mark)))
        + data.draw(st.sampled_from(UNSEEN if not unicodedata.combining(mark) else [""]))
        for mark in unicodedata.normalize(data.draw(st.sampled_from(["NFC", "NFD"])), text)
    ]
    typeset = "\ufeff" + "".join(drawn).replace("...", "\u2026")
    for name, normalise in NORMALISERS.items():
        assert normalise(typeset) == normalise(text), name
        assert count_errors([text + " x"], [typeset + " x"], normalise).edits.tolist() == [0], name


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_the_form_of_a_form_is_itself_and_has_single_spaces(text):
    once = unify_text(text)
    assert unify_text(once) == once == " ".join(once.split())


@settings(max_examples=300, deadline=None)
@given(st.text("ab 1.,'\"?!$%()[]<>"))
def test_plain_text_stays_as_it_is_but_for_spaces(text):
    if "..." not in text:
        assert unify_text(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("typeset", "plain"),
    [
        ("don\u2019t \u201cstop\u201d", 'don\'t "stop"'),
        ("wait\u2026what", "wait... what"),
        ("well\u2014yes \u2014 no--now", "well - yes - no - now"),
        ("pages 3\u20135", "pages 3-5"),
        ("2\u00bd cups", "2 1/2 cups"),
        ("\ufb01nal \uff21\uff22", "final AB"),
        ("cafe\u0301", "caf\u00e9"),
        ("Windows\u2122", "Windows"),
        ("\u00ab\u00a0oui\u202f\u00bb, dit-il", '"oui", dit-il'),
        ("\u275dyes\u275e don\u2035t", '"yes" don\'t'),
        ("wait\u22ef a\u05beb\u1806c", "wait... a-b-c"),
    ],
)
def test_each_mark_has_one_plain_form(typeset, plain):
    assert unify_text(typeset) == plain


@pytest.mark.parametrize("blank", ["\t", "\n", "\r\n", "  ", "\u00a0", "\u2028"])
def test_no_blank_joins_or_parts_words_under_any_function(blank):
    def of_the_user(text: str) -> str:
        return text.replace(" ", "\t\t")

    for normalise in (str, of_the_user, *NORMALISERS.values()):
        errors = count_errors(["set red now"], [f"set{blank}red{blank}now{blank}"], normalise)
        assert errors.edits.tolist() == [0] and errors.words.tolist() == [3]


@pytest.mark.parametrize("name", NORMALISERS)
@pytest.mark.parametrize(
    "written", ["yes \u2014 no", "yes \u2013 no", "yes\u2026 no", "yes no \u2026"]
)
def test_a_mark_between_words_is_no_word(name, written):
    said = ["yes... no" if "\u2026 no" in written and name == "split" else "yes no"]
    assert count_errors(said, [written], NORMALISERS[name]).edits.tolist() == [0]


def test_words_in_other_scripts_lose_their_punctuation_too():
    lower = NORMALISERS["lower"]
    assert lower("\u00bfQu\u00e9 tal?") == "qu\u00e9 tal"
    assert lower("\u4f60\u597d\uff0c\u4e16\u754c\u3002") == "\u4f60\u597d\u4e16\u754c"
    hindi = "\u0939\u093f\u0928\u094d\u0926\u0940"
    assert lower(hindi + "\u0964") == hindi
