"""Counts of several servers in one answer, as Prometheus reads them."""

from tasks.serving.metrics import Metrics, join_texts


def counted(status: int, times: int) -> str:
    metrics = Metrics()
    for _ in range(times):
        metrics.count("/healthz", status)
    return metrics.to_text({"uploads": ("Uploads.", times)})


def test_counts_of_servers_stand_side_by_side():
    lines = join_texts({"b": counted(503, 2), "a": counted(200, 5)}).splitlines()
    assert 'mcgurk_requests_total{replica="a",route="/healthz",status="200"} 5' in lines
    assert 'mcgurk_requests_total{replica="b",route="/healthz",status="503"} 2' in lines
    assert 'mcgurk_uploads{replica="b"} 2' in lines
    heads = [line for line in lines if line.startswith("#")]
    assert len(set(heads)) == len(heads)
    # All lines of a name stand together, below what it is.
    names = [line.split()[2] if line[0] == "#" else line.partition("{")[0] for line in lines]
    changes = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    assert len(set(changes)) == len(changes)


def test_of_no_server_nothing_is_told():
    assert join_texts({}) == ""
