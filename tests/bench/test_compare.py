import pytest

from bench.before import main
from bench.compare import paired


def test_a_ratio_is_the_median_of_pairs_and_not_that_of_medians():
    row = paired("x", "y", [(1, 2), (10, 10), (3, 1)], "s", "<= 1")
    assert (row.ours, row.theirs, row.ratio) == (3, 2, 1)


def test_what_is_no_earlier_checkout_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["python -m bench.before", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2 and "expected a checkout" in capsys.readouterr().err
