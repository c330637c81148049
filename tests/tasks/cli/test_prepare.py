"""mcgurk prepare: every transcript is read as it was written, or its clip is not taken."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import av
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


def test_hidden_files_and_the_own_output_do_not_count_the_second_time(raw, tmp_path, capsys):
    folder = raw("a.wav", "b/c.wav", "b/d.mp4")
    for name in ("._a.wav", ".DS_Store", "Thumbs.db", ".hidden/e.wav", "._a.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7")
    out = folder / "out"
    assert list(prepare(folder, out)[1]) == ["a", "b_c", "b_d"]
    (out / "mouths").mkdir(exist_ok=True)
    (out / "mouths/a.mp4").write_bytes((folder / "a.wav").read_bytes())
    assert list(prepare(folder, out)[1]) == ["a", "b_c", "b_d"]
    (folder / "mouths").mkdir()
    (folder / "mouths/a.mp4").write_bytes((folder / "a.wav").read_bytes())
    capsys.readouterr()
    # The user's own, which would be replaced by the mouth of a.wav.
    assert run(["prepare", "folder", str(folder), "-o", str(folder)]) == 2
    assert "mouths/a.mp4" in capsys.readouterr().err


def test_an_empty_transcript_is_one_without_words_and_told_by_name(raw, tmp_path, capsys):
    folder = raw("a.wav", "b.wav", "c.wav", a_txt=b" \r\n", b_txt=b"\xef\xbb\xbf")
    code, clips = prepare(folder, tmp_path / "out")
    assert code == 0 and [clip["text"] for clip in clips.values()] == ["", "", None]
    assert "in which nobody speaks: a, b." in capsys.readouterr().out


def test_sound_beside_a_video_of_its_name_is_not_another_clip(raw, tmp_path, capsys):
    folder = raw("a.mp4", "a.wav", "b.WAV")
    code, clips = prepare(folder, tmp_path / "out", "--json")
    assert code == 0 and list(clips) == ["a", "b"] and clips["a"]["media"].endswith("a.mp4")
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert list(notes.values()) == [["a.wav"]]


def test_a_silent_video_beside_its_sound_is_told_how_to_be_put_together(raw, tmp_path, capsys):
    folder = raw("a.wav")
    with av.open(str(folder / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert prepare(folder, tmp_path / "out")[0] == 2
    assert "has no sound; expected speech. Its sound may be a.wav" in capsys.readouterr().err


def test_alignments_of_another_talker_are_told_and_their_times_are_not_used(raw, tmp_path, capsys):
    folder = raw("s5/bbaf2n.wav", "s5/BBAF2S.WAV", "s6/bbaf2n.wav", "s6/lgizzs.wav")
    own = "0 1000 sil\n1000 2000 BIN\n2000 3000 blue\n3000 3500 sp\n3500 4000 at\n4000 5000 f\n"
    texts = {
        "s5/bbaf2n": "0 1000 lay\n1000 2000 green\n",
        "s5/bbaf2s": own,
        "s6/bbaf2n": own + "5000 6000 two\n6000 7000 now\n",
        "s6/lgizzs": "no times\n",
    }
    for name, text in texts.items():
        path = folder / "alignments" / f"{name}.ALIGN"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    arguments = ("prepare", "grid", str(folder), "-o", str(tmp_path / "out"), "--processes", "1")
    assert run(list(arguments)) == 0
    lines = (tmp_path / "out/manifest.jsonl").read_text().splitlines()
    clips = {clip["id"]: clip for clip in map(json.loads, lines)}
    counts = {name: len(clip["words"]) for name, clip in clips.items()}
    assert counts == {"s5_BBAF2S": 4, "s5_bbaf2n": 0, "s6_bbaf2n": 6, "s6_lgizzs": 0}
    assert clips["s5_bbaf2n"]["text"] == "bin blue at f two now"
    out = capsys.readouterr().out
    assert "whose times are not used: s5_bbaf2n (lay green)." in out
    assert "lgizzs.ALIGN, line 1 is 'no times'" in out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take names in Unicode alone")
def test_a_clip_whose_name_is_no_unicode_is_told_and_the_others_are_taken(raw, tmp_path):
    folder = raw("a.wav", os.fsdecode(b"caf\xe9.wav"))
    command = [sys.executable, "-m", "tasks", "prepare", "folder", str(folder), "-o"]
    done = subprocess.run(
        [*command, str(tmp_path / "out"), "--processes", "1"],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"caf\udce9.wav is no name in UTF-8" in done.stdout
    failed = json.loads((tmp_path / "out/failed.jsonl").read_text(encoding="utf-8"))
    assert failed["id"] == r"caf\udce9"
