"""Counts of what the server did, in the text format of Prometheus."""

from collections import Counter
from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SUMS = {
    "media_seconds": "Seconds of media that were transcribed.",
    "work_seconds": "Seconds that the model worked.",
    "wait_seconds": "Seconds that requests waited for the model.",
}


class Metrics:
    """Counts since the start; of one thread, that of the event loop."""

    def __init__(self):
        self.requests: Counter[tuple[str, int]] = Counter()
        self.sums = dict.fromkeys(SUMS, 0.0)

    def count(self, route: str, status: int) -> None:
        """Count an answer.

        Args:
            route: A path of the API, or "other".
            status: HTTP's status code, 499 where the client hung up before it.
        """
        self.requests[route, status] += 1

    def add(self, name: str, seconds: float) -> None:
        """Add to one of `SUMS`."""
        self.sums[name] += seconds

    def to_text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return all counts.

        Args:
            gauges: What is the case now: by name what it is, and how much.
        """
        lines = _head("requests_total", "Answers by route and status.", "counter")
        lines += [
            f'mcgurk_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.requests.items())
        ]
        for name, what in SUMS.items():
            lines += _head(f"{name}_total", what, "counter")
            lines.append(f"mcgurk_{name}_total {self.sums[name]:.3f}")
        for name, (what, value) in gauges.items():
            lines += [*_head(name, what, "gauge"), f"mcgurk_{name} {value:.15g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, what: str, kind: str) -> list[str]:
    return [f"# HELP mcgurk_{name} {what}", f"# TYPE mcgurk_{name} {kind}"]


def join_texts(texts: Mapping[str, str]) -> str:
    """Join the counts of several servers, each line with the label `replica`.

    Args:
        texts: What `Metrics.to_text` returned, by what a server is called.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for replica, text in sorted(texts.items()):
        for line in text.splitlines():
            if line.startswith("#"):
                name = line.split(" ")[2]
                heads.setdefault(name, []).append(line)
                continue
            what, _, value = line.rpartition(" ")
            name, _, labels = what.rstrip("}").partition("{")
            labels = ",".join([f'replica="{replica}"', *([labels] if labels else [])])
            samples.setdefault(name, []).append(f"{name}{{{labels}}} {value}")
    lines = [
        line
        for name, head in heads.items()
        for line in (*dict.fromkeys(head), *samples.get(name, ()))
    ]
    return "".join(f"{line}\n" for line in lines)
