"""Captions as words of the Penn Treebank, as coco-caption parts them before it counts n-grams.

It parts them by a Java program, Stanford's PTBTokenizer; these rules give the same words of text as
captions have it, without Java. Addresses of the web, smileys, tags and entities of HTML are
not known here: they are parted like any other text.
"""

import re

# Words that have a full stop of their own wherever they stand.
ABBREVIATIONS = frozenset(
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri "
    "ala ariz calif colo conn fla ga ind kan ky md mich minn mo mont neb nev okla penn tenn va vt "
    "wis wyo inc co cos corp ltd plc rt bancorp dept bhd assn univ intl sys pty tel est ext sq jr "
    "sr bros blvd rd esq mr mrs ms dr drs prof profs sen sens rep reps atty lt col gen messrs gov "
    "govs adm rev maj sgt cpl pvt mt capt st ste ave pres lieut hon brig cmdr comdr pfc spc supt "
    "det bldg ft vs etc al seq cf ct elec mfg natl ph asst".split()
)
CAPITALISED = frozenset("Ark Del Ill La Mass Miss Ore Pa Tex Wash".split())
BEFORE_NUMBERS = frozenset("ca fig figs prop no nos art pp op".split())
# What begins a sentence, so that a letter before it ("plan B. It ...") has no full stop of its own.
SENTENCE_STARTS = (
    "A About After An As At But He Her Here However If In It Mr[.] Many More Now One Other Our She "
    "Since So Some Such That The Their Then There These They This We What When While Yet You Last "
    "Once Earlier".replace(" ", "|")
)
PUNCTUATION = frozenset("' ` \" . ? ! , : - ;".split())
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
TYPESET = str.maketrans(
    {"\u2018": " ` ", "\u2019": "'", "\u201c": ' " ', "\u201d": ' " ', "\u2026": " ... "}
    | dict.fromkeys("\u2013\u2014\u2015", " -- ")
    | {"\u00bd": " 1/2 ", "\u00bc": " 1/4 ", "\u00be": " 3/4 "}
    | {"\u00a3": " # ", "\u20ac": " $ ", "\u00a2": " cents "}
)
BEYOND_BASIC = re.compile("[\U00010000-\U0010ffff]")  # pictographs; they part words and go
TWO_WORDS = re.compile(
    r"\b(?:can(?=not\b)|gim(?=me\b)|lem(?=me\b)|gon(?=na\b)|wan(?=na\b)|got(?=ta\b)|y'(?=all\b))"
    r"|(?<!\w)'t(?=(?:is|was)\b)",
    re.IGNORECASE,
)
TOKEN = re.compile(
    rf"""
    [^\W\d_](?=\.\s+(?-i:{SENTENCE_STARTS})(?![\w.]))   # plan B. It is
    | (?:[^\W\d_]\.)+(?:(?<=\..\.)-[^\W_]+|(?![^\W_])) # p.m.  U.S.-made  plan B.
    | o'clock\b | ma'am\b | y'(?=\s) | 't(?=\s(?:is|was)\b)
    | [^\W\d_]+(?=n't\b) | n't\b                        # do n't
    | '(?:s|m|d|ll|re|ve)(?!\w)                         # it 's
    | (?<!\w)'(?:em|til|cause|\d\ds?)(?![\w']) | 'n'?(?!\w)
    | [dol]'[^\W\d_]+                                   # O'Brien
    | (?-i:[A-Z]+&[A-Z]+)                               # AT&T
    | \d+(?::\d\d)+(?=[ap]m\b)                          # 3:30 pm
    | (?:(?<!\w)[-+])?(?:\d+(?:[.,:/]\d+)*|(?<!\w)\.\d+)[^\W_]*(?:[-_/][^\W_]+)*
    | [^\W_]+(?:(?<=[^\W\d_])\.[^\W\d_]+|[-_/][^\W_]+)* # dark-haired  and/or  end.then
    | (?<!\w)[#@][^\W\d_]\w* | _+ | \.\.\.+ | --+ | [?!]+ | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
LONG_MARKS = ("--", "...")  # however long they are


def split_caption(text: str) -> list[str]:
    """Part a caption into words as coco-caption does: lower case, without punctuation.

    "The dog's bed isn't red." is "the dog 's bed is n't red". What surprises is coco-caption's:
    brackets stay as words ("-lrb-"), "?!" does too while "?" goes, and full stops stay with
    abbreviations ("st.") and single letters ("plan b.").

    Args:
        text: One caption; line breaks and tabs are spaces.

    Returns:
        Words; none where there is nothing but punctuation.

    Source:
        pycocoevalcap 1.2, tokenizer/ptbtokenizer.py (Stanford CoreNLP 3.4.1).
    """
    text = BEYOND_BASIC.sub(" ", text.translate(TYPESET))
    text = TWO_WORDS.sub(r"\g<0> ", text)
    words, place = [], 0
    while found := TOKEN.search(text, place):
        place = found.end()
        word = found.group()
        if text[place : place + 1] == "." and _keeps_stop(word, text[place + 1 :]):
            word, place = word + ".", place + 1
        words.append(BRACKETS.get(word, word.lower()))
    return [word for word in words if word not in PUNCTUATION and not word.startswith(LONG_MARKS)]


def _keeps_stop(word: str, rest: str) -> bool:
    """Say whether the full stop between a word and the rest of a caption is part of the word."""
    following = rest.lstrip()[:1]
    if not word.isalpha():
        return False
    if word.lower() in BEFORE_NUMBERS and following.isdigit():
        return True
    known = word.lower() in ABBREVIATIONS or word in CAPITALISED
    return (known and not rest[:1].isalnum()) or rest[:1] in {",", ";", ":"}
