"""Send a server hundreds of requests of all kinds, and see that none is lost and memory is flat.

The server is a process on loopback, its clients are threads of this one. It writes the table and
the plot of docs/serving.md.
"""

import argparse
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tools.marks import rewrite
from tools.served import BOUNDARY, LOOPBACK, ROUTE, Served, form, serving

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs/serving.md", ROOT / "docs/serving_memory.png"
DEMO = ROOT / "tests/assets/white_house_address.mp4"
MODELS = "whisper-tiny.en", "whisper-tiny.en+grid"
FORMATS = "json", "text", "srt", "verbose_json", "vtt"
CLIENTS, QUEUE, BURST, AGAIN_S, EVERY_S = 8, 8, 24, 1.0, 1.0
OUT_OF = 25  # of so many things that clients do, each kind is done as often as `SHARES` says
SHARES = {"good": 12, "stream": 3, "bad": 4, "unknown": 2, "hang-up": 2, "slow": 1, "burst": 1}
HUNG_UP = 0  # stands for the status that nobody reads
KINDS = {
    "good": "a clip, in one of five formats, plain or with sets",
    "stream": "a clip, streamed",
    "bad": "no file, an empty one, noise, half a form, an unknown field or format",
    "unknown": "an unknown model",
    "hang-up": "hung up in the upload or before the answer",
    "slow": "a byte a second",
    "burst": f"{BURST} clips at once",
}


@dataclass
class Soak:
    """What clients do, and what became of it.

    Attributes:
        served: The server.
        clips: Files that can be transcribed.
        known: The right answers, by model, clip and format.
        counts: How often a kind of request ended with a status.
        wrong: What should not have come.
        memory: Seconds since the start, and megabytes of the server.
    """

    served: Served
    clips: Sequence[bytes]
    known: dict[tuple[str, int, str], str] = field(default_factory=dict)
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def learn(self) -> None:
        """Ask for each answer once, alone."""
        for model in MODELS:
            for clip in range(len(self.clips)):
                for format in (*FORMATS, "stream"):
                    status, told = self._ask(model, clip, format)
                    assert status == 200, told
                    self.known[model, clip, format] = told

    def good(self, draw: random.Random, kind: str = "good", patient: bool = True) -> None:
        """Ask for a transcript; who is patient comes again where too many wait."""
        asked = draw.choice(MODELS), draw.randrange(len(self.clips)), draw.choice(FORMATS)
        asked = (*asked[:2], "stream") if kind == "stream" else asked
        status, told = self._ask(*asked)
        while patient and status == 429:
            time.sleep(AGAIN_S)
            status, told = self._ask(*asked)
        self._note(kind, status, (200,) if patient else (200, 429))
        if status == 200 and told != self.known[asked]:
            self.wrong.append(f"{kind} {asked}: another answer")

    def burst(self, draw: random.Random) -> None:
        """Send more at once than may wait."""
        with ThreadPoolExecutor(BURST) as pool:
            for _ in range(BURST):
                one = random.Random(draw.random())
                pool.submit(self._guarded, partial(self.good, one, "burst", False), "burst")

    def bad(self, draw: random.Random) -> None:
        """Send what cannot be transcribed."""
        clip = self.clips[0]
        whole = form(clip, {"model": MODELS[0]})
        body = draw.choice(
            [
                form(None, {"model": MODELS[0]}),
                form(b"", {"model": MODELS[0]}),
                form(draw.randbytes(5000), {"model": MODELS[0]}),
                whole[: len(whole) // 2],
                form(clip, {"model": MODELS[0], "modle": "x"}),
                form(clip, {"model": MODELS[0], "response_format": "docx"}),
            ]
        )
        self._send("bad", body, 400)

    def unknown(self, draw: random.Random) -> None:
        """Ask for a model that is not served."""
        self._send("unknown", form(self.clips[0], {"model": f"whisper-{draw.random()}"}), 404)

    def hang_up(self, draw: random.Random) -> None:
        """Go away in the middle of the upload, or when all is sent."""
        body = form(self.clips[0], {"model": draw.choice(MODELS)})
        with self._begin(body) as line:
            line.sendall(body[: draw.choice([len(body) // 2, len(body)])])
            time.sleep(draw.random())
        self._note("hang-up", HUNG_UP, (HUNG_UP,))

    def slow(self, _: random.Random) -> None:
        """Send a byte a second until the server has enough of it."""
        body = form(self.clips[0], {"model": MODELS[0]})
        told = b""
        with self._begin(body) as line:
            line.settimeout(1.0)
            for place in range(60):
                line.sendall(body[place : place + 1])
                with suppress(TimeoutError):
                    told = line.recv(100)
                    break
        said = told.decode().split()
        self._note("slow", int(said[1]) if len(said) > 1 else -1, (408, 429))

    def run(self, asked: Sequence[tuple[str, int]]) -> None:
        """Do what is asked, kinds and seeds, by several clients at once."""
        does: dict[str, Callable[[random.Random], None]] = {
            "good": self.good,
            "stream": lambda draw: self.good(draw, "stream"),
            "bad": self.bad,
            "unknown": self.unknown,
            "hang-up": self.hang_up,
            "slow": self.slow,
            "burst": self.burst,
        }
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,))
        watch.start()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for kind, seed in asked:
                pool.submit(self._guarded, partial(does[kind], random.Random(seed)), kind)
        over.set()
        watch.join()

    def _guarded(self, do: Callable[[], None], kind: str) -> None:
        try:
            do()
        except Exception as error:  # a lost answer is what this looks for
            self.wrong.append(f"{kind}: {error!r}")

    def _ask(self, model: str, clip: int, format: str) -> tuple[int, str]:
        wanted = {"stream": "true"} if format == "stream" else {"response_format": format}
        return self.served.post(form(self.clips[clip], {"model": model, **wanted}))

    def _send(self, kind: str, body: bytes, expected: int) -> None:
        status, _ = self.served.post(body)
        while status == 429:
            time.sleep(AGAIN_S)
            status, _ = self.served.post(body)
        self._note(kind, status, (expected,))

    def _begin(self, body: bytes) -> socket.socket:
        line = socket.create_connection((LOOPBACK, self.served.port))
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{kind}\r\n"
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        return line

    def _note(self, kind: str, status: int, expected: Sequence[int]) -> None:
        self.counts[kind, status] += 1
        if status not in expected:
            self.wrong.append(f"{kind}: {status}; expected {expected}")

    def _watch(self, over: threading.Event) -> None:
        start = time.monotonic()
        while not over.wait(EVERY_S):
            self.memory.append((time.monotonic() - start, self.served.memory_mb))


def plan(requests: int, seed: int = 0) -> list[tuple[str, int]]:
    """Return what to do, kinds and seeds, so that there are at least so many requests."""
    draw = random.Random(seed)
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    assert len(kinds) == OUT_OF
    planned: list[tuple[str, int]] = []
    count = 0
    while count < requests:
        draw.shuffle(kinds)
        planned += [(kind, draw.randrange(2**32)) for kind in kinds]
        count += OUT_OF - SHARES["burst"] + BURST * SHARES["burst"]
    return planned


def tabulate(counts: Mapping[tuple[str, int], int]) -> str:
    """Return a Markdown table of kinds and statuses."""
    lines = ["| requests | of which | answers |", "| --- | --- | --- |"]
    for kind, what in KINDS.items():
        told = {status: n for (one, status), n in sorted(counts.items()) if one == kind}
        named = (f"{n} x {status}" if status else "not waited for" for status, n in told.items())
        lines.append(f"| {sum(told.values())} | {what} | {', '.join(named)} |")
    return "\n".join(lines)


def describe_memory(memory: Sequence[tuple[float, float]]) -> str:
    """Say how much the server held in each quarter of the time, at most and in the middle."""
    quarters = [memory[len(memory) * n // 4 : len(memory) * (n + 1) // 4] for n in range(4)]
    middles = [sorted(mb for _, mb in part)[len(part) // 2] for part in quarters]
    told = ", ".join(f"{middle:.0f}" for middle in middles)
    peak = max(mb for _, mb in memory)
    return f"Memory, median of each quarter of the time: {told} MB; at most {peak:.0f} MB."


def draw_memory(memory: Sequence[tuple[float, float]], path: Path) -> None:
    """Draw memory over time as a small .png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.4), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(*zip(*memory, strict=True), linewidth=1)
    axes.set(xlabel="seconds", ylabel="MB of the server")
    axes.set_ylim(bottom=0)
    figure.savefig(path)


def main() -> None:
    """Run the soak; exit with 1 where a request went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak_server", description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--write", action="store_true", help="into docs/serving.md")
    given = parser.parse_args()
    known = sorted((given.data / "grid").rglob("*.mp4"))[:2]
    clips = [path.read_bytes() for path in known] or [DEMO.read_bytes()]
    asked = plan(given.requests)
    with serving("--queue", str(QUEUE), "--model", MODELS[0], "--model", MODELS[1]) as served:
        soak = Soak(served, clips)
        soak.learn()
        soak.run(asked)
        soak.wrong += [] if served.process.poll() is None else ["the server ended"]
    table, memory = tabulate(soak.counts), describe_memory(soak.memory)
    told = f"{sum(soak.counts.values())} requests in {soak.memory[-1][0]:.0f} s. {memory}"
    print(table, told, json.dumps(soak.wrong, indent=1), sep="\n\n")
    if given.write:
        draw_memory(soak.memory, PICTURE)
        wrong = (
            f"{len(soak.wrong)} answers were wrong or lost."
            if soak.wrong
            else ("Each had its right status, and each transcript was that of a lone request.")
        )
        picture = f"![Memory of the server over time]({PICTURE.name})"
        rewrite(PAGE, "soak", lambda _: f"{table}\n\n{told} {wrong}\n\n{picture}")
    raise SystemExit(bool(soak.wrong))


if __name__ == "__main__":
    main()
