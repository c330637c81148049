"""The parts of a transcription's time are timed, and add up to all of it."""

import re
import sys

import pytest

from bench import floor

pytest.importorskip("ctranslate2")
pytest.importorskip("onnxruntime")


def test_the_parts_add_up(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(floor, "TRIES", 1)
    monkeypatch.setattr(floor, "READ_MB", 8)
    monkeypatch.setattr(sys, "argv", ["floor", "--data", str(tmp_path)])  # then the demo clip
    floor.main()
    said = capsys.readouterr().out
    total = float(re.search(r"1 clips, 9 s of speech: ([\d.]+) s", said)[1])
    seconds = [float(text) for text in re.findall(r"([\d.]+) s +\d+ %  ", said)]
    assert len(seconds) >= 6 and sum(seconds) == pytest.approx(total, abs=0.06)
    assert "encoder, float32" in said and "vocabulary, float32" in said
    rates = re.findall(r"([\d.]+) G(?:FLOP|B)/s", said)
    assert len(rates) == 2 and all(float(rate) > 0 for rate in rates)
