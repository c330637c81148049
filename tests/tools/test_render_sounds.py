import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.media.wav import decode_wav
from data_prep.mixtures.manifest import read_mixtures
from data_prep.mixtures.scenes.mixture import render_mixture
from tools.render_sounds import RenderOptions, main, render_folder

OPTIONS = RenderOptions(count=22, seed=5, seconds=0.5, size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("rendered")
    render_folder(place, OPTIONS, workers=1)
    return place


def sound(path):
    return decode_wav(Path(path).read_bytes())


def test_files_hold_what_the_manifest_says(folder):
    rows = list(read_mixtures(folder / "manifest.jsonl"))
    assert [row.id for row in rows] == [f"scenes5.{n:06d}" for n in range(22)]
    assert {row.fold for row in rows} == {"train", "validation", "test"}
    for number, row in enumerate(rows):
        made = render_mixture(5, number, 3, 0.5, 32)
        sources = [sound(one.media) for one in row.sources]
        assert np.abs(sum(sources) - sound(row.media)).max() <= 2 * len(sources) / 2**15
        assert row.labels == tuple(one.label for one in row.sources) == made.labels
        assert sum(one.share for one in row.sources) == pytest.approx(1)
        for path, picture in [
            (row.picture, made.picture),
            (row.sources[-1].picture, made.icons[-1]),
        ]:
            assert np.array_equal(cv2.imread(path)[..., ::-1], picture)


def test_the_same_seed_gives_the_same_folder_in_several_processes(folder, tmp_path):
    render_folder(tmp_path, OPTIONS, workers=2)
    assert (tmp_path / "manifest.jsonl").read_bytes() == (folder / "manifest.jsonl").read_bytes()
    for place in ("sounds/scenes5.000021.wav", "images/scenes5.000021.png"):
        assert (tmp_path / place).read_bytes() == (folder / place).read_bytes()


def test_it_says_how_much_there_is(monkeypatch, tmp_path, capsys):
    given = [str(tmp_path), "--count", "3", "--most-sources", "1", "--seconds", "0.5"]
    monkeypatch.setattr(sys, "argv", ["render_sounds", *given, "--workers", "1"])
    main()
    assert "3 mixtures (3 of 1 sounds; train 3)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"count": 0}, "count is 0"),
        ({"most_sources": 4}, "most-sources is 4; expected 1 to 3"),
        ({"seconds": 0.4}, "seconds is 0.4"),
        ({"size": 31}, "size 31"),
    ],
)
def test_what_cannot_be_rendered_is_refused(given, told):
    with pytest.raises(ValueError, match=told):
        RenderOptions(**given)


@pytest.mark.parametrize("size", [31, 1025, 100_000_000])
def test_pictures_are_of_a_size_that_can_be_drawn(size):
    with pytest.raises(ValueError, match=f"size {size}; .* 32 to 1,024 pixels"):
        RenderOptions(size=size)


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_workers_are_one_or_more(monkeypatch, capsys, tmp_path, workers):
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path), "--count", "1", "--workers", workers])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"workers is {workers}; expected 1 or more, or none for as many as cores.")
    )
