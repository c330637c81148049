from argparse import Namespace

from bench import before
from bench.compare import paired


def test_a_ratio_is_the_median_of_pairs_and_not_that_of_medians():
    row = paired("x", "y", [(1, 2), (10, 10), (3, 1)], "s", "<= 1")
    assert (row.ours, row.theirs, row.ratio) == (3, 2, 1)


def test_without_the_earlier_commit_nothing_is_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(before, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert before.rows(Namespace()) == []
    assert f"commit {before.BEFORE} is not in" in capsys.readouterr().err
