import sys

import cv2
import numpy as np
import pytest

from data_prep.mixtures.manifest import read_mixtures
from tasks.audio_to_image.painting.manifest import read_examples
from tools.mix_digits import main


def mix(monkeypatch, folder, spoken, *given):
    words = [str(folder), "--digits", str(spoken), "--speakers", "ann", "--workers", "1", *given]
    monkeypatch.setattr(sys, "argv", ["mix_digits", *words])
    main()


def test_it_writes_mixtures_with_pictures_and_pictures_alone(monkeypatch, tmp_path, spoken, capsys):
    counts = ["--train", "6", "--validation", "5", "--test", "5", "--pictures", "21"]
    monkeypatch.chdir(tmp_path)
    mix(monkeypatch, "out", spoken, *counts, "--seed", "3")
    assert "16 mixtures (7 of 1, 9 of 2 sounds" in capsys.readouterr().out
    rows = list(read_mixtures(tmp_path / "out/mixtures/manifest.jsonl"))
    assert [row.id for row in rows] == [f"digits3.{n:06d}" for n in range(16)]
    assert [row.fold for row in rows] == ["train"] * 6 + ["validation"] * 5 + ["test"] * 5
    for row in rows:
        assert len(row.sources) == len(row.labels)
        assert cv2.imread(row.picture).shape == (16, 32, 3)
    listed = list(read_mixtures(tmp_path / "out/recordings/manifest.jsonl"))
    trained, tested = ({r.id for r in listed if r.fold == fold} for fold in ("train", "test"))
    assert len(tested) == 24 and all("_ann_" in name for name in tested)
    assert not any(name.endswith(("_0", "_1")) or "_ann_" in name for name in trained)
    pictures, nothing = read_examples(tmp_path / "out/pictures", False)
    assert nothing is None and [one.fold for one in pictures].count("validation") == 2
    assert np.ptp(cv2.imread(pictures[0].picture)) > 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--train", "0"], "train is 0; expected 1"),
        (["--speakers", "eve"], "No speakers ['eve']"),
        (["--digits", "none"], "none"),
    ],
)
def test_mistakes_are_one_line(monkeypatch, tmp_path, spoken, capsys, given, told):
    with pytest.raises(SystemExit) as ended:
        mix(monkeypatch, tmp_path, spoken, "--pictures", "1", *given)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
