"""mcgurk prepare: every transcript is read as it was written, or its clip is not taken."""

import json
import wave

import numpy as np
import pytest

from tasks.__main__ import run


@pytest.fixture
def raw(tmp_path):
    """Write short sounds and files beside them."""

    def write(*sounds, **texts: bytes):
        folder = tmp_path / "raw"
        for name in sounds:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes(np.full(1600, 900, "<i2").tobytes())
        for name, text in texts.items():
            (folder / name.replace("_", ".")).write_bytes(text)
        return folder

    return write


def prepare(folder, out, *options) -> tuple[int, dict[str, dict]]:
    code = run(["prepare", "folder", str(folder), "-o", str(out), "--processes", "1", *options])
    lines = (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return code, {clip["id"]: clip for clip in map(json.loads, lines)}


def test_transcripts_in_any_encoding_that_says_so_and_any_case_are_read(raw, tmp_path, capsys):
    lrs = "Text:  BIN BLUE\r\nConf:  4\r\n\r\nWORD START END ASDSCORE\r\nBIN 0.50 0.80 5.6\r\n"
    folder = raw(
        "bom.WAV", "utf16.wav", "upper.Wav", "mac.wav",
        bom_txt=lrs.encode("utf-8-sig"), utf16_txt="größer".encode("utf-16"),
        upper_TXT=b"now", mac_Txt=b"two\rlines\r",
    )  # fmt: skip
    code, clips = prepare(folder, tmp_path / "out")
    assert code == 0, capsys.readouterr().err
    assert {name: clip["text"] for name, clip in clips.items()} == {
        "bom": "BIN BLUE", "utf16": "größer", "upper": "now", "mac": "two lines"
    }  # fmt: skip
    assert clips["bom"]["words"] == [{"text": "BIN", "start_s": 0.5, "end_s": 0.8}]


def test_a_clip_whose_transcript_cannot_be_read_is_told_and_the_others_are_taken(
    raw, tmp_path, capsys
):
    folder = raw("a.wav", "b.wav", a_txt="café".encode("latin-1"), b_txt=b"bin blue")
    code, clips = prepare(folder, tmp_path / "out")
    out = capsys.readouterr().out
    assert code == 0 and list(clips) == ["b"]
    assert "1 could not be prepared" in out and "a.txt looks like Latin-1" in out
    (folder / "a.txt").write_text("café", encoding="utf-8")
    (folder / "b.txt").write_text("corrected", encoding="utf-8")
    _, clips = prepare(folder, tmp_path / "out")
    assert [clip["text"] for clip in clips.values()] == ["café", "corrected"]
    assert not (tmp_path / "out/failed.jsonl").exists()


def test_nothing_prepared_is_a_mistake_that_says_why_for_each(raw, tmp_path, capsys):
    folder = raw("a.wav", "b.wav", "c.wav", a_txt="café".encode("latin-1"), b_txt=b"bi\0n")
    (folder / "c.wav").write_bytes(b"no sound")
    (folder / "c.TXT").write_text("hello")
    code, _ = prepare(folder, tmp_path / "out", "--json")
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.count("\n") == 1
    for told in ("a: ", "a.txt looks like Latin-1", "b: ", "bytes of value 0", "c.wav cannot be"):
        assert told in err


def test_two_transcripts_or_times_that_are_no_numbers_are_told(raw, tmp_path, capsys):
    lrs = b"Text: BIN\n\nWORD START END ASDSCORE\nBIN half one 5\n"
    folder = raw("a.wav", "b.wav", a_txt=b"one", a_TXT=b"two", b_txt=lrs)
    code, _ = prepare(folder, tmp_path / "out")
    err = capsys.readouterr().err
    assert code == 2 and "a.TXT and " in err and "are transcripts of one clip" in err
    assert "b.txt, line 4 is 'BIN half one 5'; expected a word" in err
