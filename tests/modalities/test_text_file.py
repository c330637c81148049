"""Text comes as it was written, whatever program wrote it, or is refused by its file's name."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalities.text_file import decode_text, read_ended_lines, read_lines, read_text

MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff")
TEXTS = st.text(LETTERS, max_size=40)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
REFUSED = [
    ("café naïve", "latin-1", "Latin-1", "LATIN1"),
    ("Größe", "latin-1", "Latin-1", "LATIN1"),
    ("“café” – naïve", "cp1252", "cp1252", "CP1252"),
    ("これはテストです", "cp932", "Shift-JIS", "CP932"),
    ("今日は東京へ行きます", "euc-jp", "EUC-JP", "EUC-JP"),
    ("これはテストです", "iso2022-jp", "ISO-2022-JP", "ISO-2022-JP"),
    ("привет, как дела", "cp1251", "Windows-1251", "CP1251"),
    ("привет, как дела", "koi8-r", "KOI8-R", "KOI8-R"),
    ("hello there", "utf-16-le", "UTF-16LE without", "UTF-16LE"),
    ("hello there", "utf-16-be", "UTF-16BE without", "UTF-16BE"),
    ("привет, как дела", "utf-16-le", "UTF-16LE without", "UTF-16LE"),
    ("hello there", "utf-32-le", "UTF-32LE without", "UTF-32LE"),
]


@given(TEXTS, st.sampled_from([None, *MARKS]), ENDS)
def test_marked_text_and_utf_8_is_read_with_any_line_ends(text, encoding, end):
    written = text.replace("\n", end)
    data = MARKS[encoding] + written.encode(encoding) if encoding else written.encode()
    assert decode_text(data, "a.txt") == text


@pytest.mark.parametrize(("text", "encoding", "told", "codec"), REFUSED)
def test_other_encodings_are_refused_by_name_with_what_converts_them(
    tmp_path, text, encoding, told, codec
):
    path = tmp_path / "a clip.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=f"a clip.txt looks like .*{told}.* expected text in") as e:
        read_text(path)
    assert f"iconv -f {codec} -t UTF-8 '{path}' > NEW" in str(e.value)
    assert text.encode(encoding).decode(codec) == text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"bin\0blue", "no text, as it has bytes of value 0"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no text, as it has bytes of value 0"),
        (codecs.BOM_UTF16_LE + b"a\0\0\0b\0", "no text, as it has bytes of value 0"),
        (codecs.BOM_UTF16_LE + b"a\0b", "begins as UTF-16LE and is not .truncated data at byte 2"),
        ("größer, höher".encode().replace(b"\xb6h", b"\xb6\xff"), "UTF-8 that is damaged at byte"),
        ("你好世界".encode("gb18030"), "GB18030, Big5 or EUC-KR"),
    ],
)
def test_what_is_no_text_is_refused(data, told):
    with pytest.raises(ValueError, match=told):
        decode_text(data, "a.txt")


@given(st.binary(max_size=60))
def test_bytes_are_read_as_they_stand_or_refused_by_the_name_of_the_file(data):
    try:
        text = decode_text(data, "some.txt")
    except ValueError as error:
        assert str(error).startswith("some.txt ")
    else:
        assert "\0" not in text and "\r" not in text


@given(st.lists(TEXTS.map(lambda text: text.replace("\n", " ")), max_size=5), TEXTS, ENDS)
def test_lines_with_an_end_are_read_and_half_a_letter_at_the_end_is_not(
    tmp_path_factory, lines, cut, end
):
    path = tmp_path_factory.getbasetemp() / "lines.jsonl"
    whole = "".join(line + end for line in lines).encode()
    path.write_bytes(whole + cut.replace("\n", " ").encode() + "é".encode()[:1])
    assert list(read_ended_lines(path)) == lines
    for encoding, mark in MARKS.items():
        text = "".join(line + end for line in lines) + "unfinished"
        path.write_bytes(mark + text.encode(encoding))
        assert list(read_ended_lines(path)) == lines


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_last_line_without_an_end_is_read_and_told_by_that(tmp_path, end):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(f"one{end or chr(10)}\u2028two{end}".encode())
    assert list(read_lines(path)) == ["one\n", "\u2028two\n" if end else "\u2028two"]
    path.write_bytes("one\nhalf a letter, \xe9".encode()[:-1])
    assert list(read_lines(path)) == ["one\n", "half a letter, "]
    path.write_bytes("one\nhöher".encode("latin-1"))
    with pytest.raises(ValueError, match="looks like"):
        list(read_lines(path))


def test_a_letter_cut_off_at_the_end_is_told_by_its_place():
    whole = "Größ".encode()
    with pytest.raises(ValueError, match="a.txt looks like UTF-8 that is damaged at byte 4; "):
        decode_text(whole[:-1], "a.txt")


@given(TEXTS.filter(lambda text: not text.isascii()), st.data())
def test_a_file_cut_anywhere_is_read_or_refused_by_its_name(text, data):
    whole = text.encode()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        assert text.startswith(decode_text(cut, "a.txt"))
    except ValueError as error:
        assert str(error).startswith("a.txt looks like ")
