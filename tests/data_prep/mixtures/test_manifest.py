import json

import pytest

from data_prep.mixtures.manifest import MixedSound, Source, read_mixtures, write_mixtures

SOURCES = (Source("s/1.wav", "bell", 0.0, 0.8, "i/1.png"), Source("s/2.wav", "rain", -6.0, 0.2))
ROW = MixedSound("a", "a.wav", ("bell", "rain"), "train", 1.0, 9.5, "a.png", None, SOURCES)


def test_a_manifest_can_be_read_where_it_was_moved_to(tmp_path):
    write_mixtures(tmp_path / "one/manifest.jsonl", [ROW, MixedSound("b", "/far/b.mp4", ("dog",))])
    (tmp_path / "one").rename(tmp_path / "two")
    row, far = read_mixtures(tmp_path / "two/manifest.jsonl")
    assert row.media == str(tmp_path / "two/a.wav") and row.picture == str(tmp_path / "two/a.png")
    assert row.sources[0].media == str(tmp_path / "two/s/1.wav")
    assert row.sources[0].picture == str(tmp_path / "two/i/1.png") and row.sources[1].picture == ""
    assert far.media == "/far/b.mp4" and far.picture == ""
    assert (row.labels, row.start_s, row.end_s) == (("bell", "rain"), 1.0, 9.5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fold": "tset"}, "has the fold 'tset'"),
        ({"labels": []}, "has no labels"),
        ({"labels": ["bell", "bell"]}, "has a label twice"),
        ({"start_s": 9.5}, "begins at 9.5 s and ends at 9.5 s"),
        ({"sources": [{"media": "s", "label": "l", "level_db": 0, "share": 2}]}, "share is not"),
        ({"sources": [{"media": "s"}]}, "is no mixture of sounds"),
        ({"seen": 1}, "is no mixture of sounds"),
    ],
)
def test_a_damaged_row_is_told_with_its_line(tmp_path, change, told):
    data = json.loads(ROW.to_json()) | change
    (tmp_path / "manifest.jsonl").write_text(f"{ROW.to_json()}\n{json.dumps(data)}\n")
    with pytest.raises(ValueError, match=f"line 2 .*{told}"):
        list(read_mixtures(tmp_path / "manifest.jsonl"))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([MixedSound("a", "a.wav", ("",))], "The row 'a' .* has no labels, or an empty one"),
        ([MixedSound("a", "a.wav", ("x",), start_s=2.0, end_s=1.0)], "begins at 2.0 s and ends"),
        ([MixedSound("a", "a.wav", ("x",))] * 2, "have the id 'a'; expected one for each"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, rows, told):
    path = tmp_path / "manifest.jsonl"
    with pytest.raises(ValueError, match=told):
        write_mixtures(path, rows)
    assert not path.exists()
