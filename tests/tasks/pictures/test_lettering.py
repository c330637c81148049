"""Text of any script is drawn right, or said not to be: never as question marks or backwards."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pictures import fonts
from tasks.pictures.fonts import check_font, find_fonts
from tasks.pictures.lettering import Lettering
from tasks.pictures.line_breaks import split_clusters

SIZE = 32
HEBREW, ARABIC = "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627"
THAI, HINDI = "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0939\u093f\u0928\u094d\u0926\u0940"
BENGALI = "\u09ac\u09be\u0982\u09b2\u09be"
CHINESE, KOREAN = "\u4f60\u597d\u4e16\u754c", "\uc548\ub155"
SCRIPTS = {"Thai": THAI, "Devanagari": HINDI, "Bengali": BENGALI}


def ink(mask: np.ndarray) -> np.ndarray:
    """The drawn part of a mask."""
    rows, columns = np.nonzero(mask)
    return mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two masks, the second brought to the size of the first."""
    fitted = cv2.resize(other, one.shape[::-1])
    return float(np.corrcoef(one.ravel(), fitted.ravel())[0, 1])


@pytest.fixture
def bare(monkeypatch):
    """A machine with no font but matplotlib's."""
    monkeypatch.setattr(fonts, "_installed", tuple)
    return Lettering()


def test_hebrew_begins_at_the_right():
    lettering = Lettering()
    word, first = (ink(lettering.draw(text, SIZE)[0]) for text in (HEBREW, HEBREW[0]))
    width = first.shape[1]
    assert likeness(first, word[:, -width:]) > 0.5 and likeness(first, word[:, :width]) < 0.2


def test_a_latin_word_in_a_hebrew_line_is_read_from_the_left():
    lettering = Lettering()
    latin = ink(lettering.draw("mat", SIZE)[0])
    line = ink(lettering.draw(f"{HEBREW} mat", SIZE)[0])
    assert likeness(latin, ink(line[:, : latin.shape[1]])) > 0.8


def test_arabic_letters_are_joined():
    lettering = Lettering()
    joined, apart = (
        ink(lettering.draw(mark.join("\u0628\u0633\u0645"), SIZE)[0]) for mark in ("", "\u200c")
    )
    assert joined.shape[1] < 0.75 * apart.shape[1]
    assert joined[-12:].any(0).mean() > 0.9, "there are gaps between the letters"


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_with_a_font_package_are_drawn(script):
    lettering = Lettering()
    mask, _ = lettering.draw(SCRIPTS[script], SIZE)
    assert not lettering.missing and mask.any()
    found, missing = find_fonts(set(SCRIPTS[script]), ())
    assert not missing and len(found) == 2


def test_a_conjunct_is_one_shape_and_a_short_i_stands_in_front():
    lettering = Lettering()
    ka, ssa, kssa = (
        ink(lettering.draw(text, SIZE)[0]) for text in ("\u0915", "\u0937", "\u0915\u094d\u0937")
    )
    assert kssa.shape[1] < ka.shape[1] + ssa.shape[1]
    ki = ink(lettering.draw("\u0915\u093f", SIZE)[0])
    assert likeness(ka, ki[-ka.shape[0] :, -ka.shape[1] :]) > 0.7


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_without_a_font_is_named_and_leaves_a_note(bare, script):
    lines = bare.wrap(f"{SCRIPTS[script]} abc", SIZE, 1000)
    assert lines == [f"[text in {script}: no font]"]
    assert list(bare.missing) == [script]


@pytest.mark.parametrize("text", [CHINESE, KOREAN, f"hello {CHINESE}, 123"])
def test_east_asian_text_needs_no_font(bare, text):
    mask, _ = bare.draw(text, SIZE)
    marks = bare.draw("?" * len(text), SIZE)[0]
    assert mask.any() and not bare.missing and mask.shape != marks.shape


def test_east_asian_text_beside_hebrew_is_not_drawn_backwards(bare):
    assert bare.wrap(f"{HEBREW} {CHINESE}", SIZE, 1000)[0].startswith("[text in Chinese")


@pytest.mark.parametrize(
    "text",
    [
        "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac",
        "\u0440\u0443\u0441\u0441\u043a\u0438\u0439",
        "\u0540\u0561\u0575\u0565\u0580\u0565\u0576",
        "Ti\u1ebfng Vi\u1ec7t \u00e7a va",
        f"{HEBREW} {ARABIC}",
    ],
)
def test_what_matplotlibs_font_has_needs_no_other(bare, text):
    assert bare.draw(text, SIZE)[0].any() and not bare.missing


def test_emoji_without_a_font_are_left_out_without_a_word(bare):
    assert bare.wrap("well \U0001fae0\ufe0f done", SIZE, 1000) == ["well done"]
    assert bare.wrap("well \U0001f9d1\u200d\U0001f9b0 done", SIZE, 1000) == ["well done"]
    assert not bare.missing and bare.wrap(" \n ", SIZE, 1000) == []


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.text(f"abcde {HEBREW}{ARABIC}{CHINESE}", max_size=30), max_size=6).map(" ".join),
    st.integers(10, 40),
    st.integers(60, 400),
)
def test_no_line_is_wider_than_the_picture_and_no_letter_is_lost(text, size, width):
    lettering = Lettering()
    lines = lettering.wrap(text, size, width)
    assert all(lettering.width(line, size) <= width for line in lines)
    if not lettering.missing:
        assert "".join("".join(lines).replace("\u200f", "").split()) == "".join(text.split())


def test_lines_break_at_no_mark_and_inside_no_syllable():
    assert split_clusters("\u0e40\u0e02\u0e32\u0e17\u0e35\u0e48") == [
        "\u0e40\u0e02\u0e32",
        "\u0e17\u0e35\u0e48",
    ]
    assert split_clusters("\u0915\u094d\u0937\u093f") == ["\u0915\u094d\u0937\u093f"]
    assert split_clusters("\u4f60\u597d\u3002") == ["\u4f60", "\u597d\u3002"]
    assert "".join(split_clusters(HINDI + THAI)) == HINDI + THAI


def test_a_named_font_comes_first_and_must_be_one(tmp_path):
    own = fonts._default_font().with_name("DejaVuSerif.ttf")
    found, _ = find_fonts({"a"}, [own])
    assert found[0] == own
    plain, serif = Lettering().draw("mat", SIZE)[0], Lettering([own]).draw("mat", SIZE)[0]
    assert plain.shape != serif.shape
    with pytest.raises(FileNotFoundError, match="no font .*nowhere.ttf"):
        check_font(tmp_path / "nowhere.ttf")
    (tmp_path / "letter.ttf").write_text("Dear reader")
    with pytest.raises(ValueError, match=r"letter.ttf is no font"):
        check_font(tmp_path / "letter.ttf")
