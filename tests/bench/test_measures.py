import pytest

from bench import measures
from tools.flow_measures import PLAIN, TRANSPORT


def test_steps_are_compared_with_transport_and_plain(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr(measures, "RUNS", 1)
    monkeypatch.setattr(measures, "IN_TURN", 1)
    monkeypatch.setattr(measures, "available", lambda: [PLAIN, TRANSPORT])
    rows = measures.rows(None)  # type: ignore[arg-type]
    assert [(row.peer, row.target) for row in rows] == [(TRANSPORT, "<= 0.33"), (PLAIN, "<= 1.2")]
    assert all(row.ours > 0 and "256 pairs" in row.what for row in rows)
