import sys

import numpy as np
import pytest

from data_prep.media.wav import decode_wav, encode_wav
from data_prep.mixtures.manifest import read_mixtures
from tools.mix_sounds import main


@pytest.fixture
def folder(tmp_path):
    """Two folds of three classes; each class and fold has its own pitch."""
    for place, fold in enumerate(("train", "test")):
        for number, label in enumerate(("a", "b", "c")):
            pitch = 500 * (number + 1) + 100 * place
            path = tmp_path / f"data/{fold}/{label}/1.wav"
            path.parent.mkdir(parents=True)
            path.write_bytes(encode_wav(0.3 * np.sin(pitch * 2 * np.pi * np.arange(8000) / 16_000)))
    return tmp_path


def mix(monkeypatch, folder, *given):
    words = [str(folder / "out"), "--sounds", "classes", str(folder / "data"), "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["mix_sounds", *words, *given])
    main()
    return list(read_mixtures(folder / "out/manifest.jsonl"))


def test_mixtures_of_a_fold_are_of_its_own_sounds(folder, monkeypatch, capsys):
    rows = mix(monkeypatch, folder, "--count", "8", "--duration-s", "0.5", "--levels-db", "-3", "0")
    assert "8 mixtures" in capsys.readouterr().out
    assert [row.fold for row in rows] == ["train"] * 4 + ["test"] * 4
    for row in rows:
        for one in row.sources:
            source = decode_wav(open(one.media, "rb").read())
            pitch = np.abs(np.fft.rfft(source)).argmax() * 16_000 / len(source)
            expected = 500 * ("abc".index(one.label) + 1) + 100 * (row.fold == "test")
            assert pitch == pytest.approx(expected, abs=5) and -3 <= one.level_db <= 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--most", "4"], "There are sounds of 3 labels"),
        (["--sounds", "esc5", "x"], "No data set 'esc5'"),
        (["--count", "1"], "count is 1; expected 2 to"),
    ],
)
def test_mistakes_are_one_line(folder, monkeypatch, capsys, given, told):
    with pytest.raises(SystemExit) as ended:
        mix(monkeypatch, folder, *given)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
