"""What a server gains by several requests at once, and what adapter sets beside those in use cost.

The server is a process on loopback, its clients are threads of this one.
"""

import json
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from shutil import copytree, ignore_patterns

from bench.compare import Row, paired, to_markdown
from bench.joined import SAID
from data_prep.datasets.speech.grid import find_grid_clips
from data_prep.media import read_audio
from data_prep.media.wav import WavFile
from modalities.rates import RATE_HZ
from tasks.avsr.sets.collection import COLLECTION, find_collection
from tools.marks import rewrite
from tools.served import Served, form, serving

PAGE = Path(__file__).resolve().parents[1] / "docs/serving.md"
MODEL, SETS = "whisper-tiny.en", "grid"
CLIENTS, ROUNDS = 8, 5
TARGET = ">= 1.8"
SECONDS = range(3, 11)
COLLECTIONS, IN_USE, SETS_EACH = 20, 4, 2
SEEING = ("all", "babble", "music", "natural")  # sets that take turns in the collections
Requests = Sequence[tuple[str, bytes]]  # model and file


def rows(given: Namespace) -> list[Row]:
    """Measure both, on clips of GRID and LibriSpeech."""
    grid = given.data / "grid"
    if not grid.is_dir():
        return []
    clips = [clip.media for clip in find_grid_clips(grid)]
    shown = [Path(clip).read_bytes() for clip in clips[:: len(clips) // CLIENTS][:CLIENTS]]
    found = [*_crowds(shown, given.data), *_tenants(shown)]
    if given.write:
        rewrite(PAGE, "serving", lambda _: to_markdown(found))
    return found


def measure_crowd(served: Served, asked: Requests) -> tuple[float, float]:
    """Send requests one by one and by 8 clients at once; return requests per second of both.

    Raises:
        RuntimeError: An answer differs.
    """
    bodies = [form(file, {"model": model}) for model, file in asked]
    start = time.perf_counter()
    alone = [served.transcribe(body) for body in bodies]
    between = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        crowd = list(pool.map(served.transcribe, bodies))
    end = time.perf_counter()
    if crowd != alone:
        differing = [pair for pair in zip(alone, crowd, strict=True) if pair[0] != pair[1]]
        raise RuntimeError(f"Answers of a crowd differ from those of a lone client: {differing}")
    return len(asked) / (end - between), len(asked) / (between - start)


def requests(shown: Sequence[bytes], data: Path) -> dict[str, Requests]:
    """Return requests to adapter sets and to plain Whisper, in turn and by themselves."""
    seen = [(f"{MODEL}+{SETS}", video) for video in shown]
    heard = [(MODEL, sound) for sound in _cut_speech(data)]
    mixed = list(chain(*zip(seen, heard, strict=True)))
    return {
        "adapter sets and plain Whisper in turn, clips of 3 to 10 s": mixed,
        "adapter sets, clips of 3 s": seen,
        "plain Whisper, sound of 3 to 10 s": heard,
    }


def _crowds(shown: Sequence[bytes], data: Path) -> list[Row]:
    found = []
    with serving("--queue", "32") as served:
        for kind, asked in requests(shown, data).items():
            measure_crowd(served, asked)
            pairs = [measure_crowd(served, asked) for _ in range(ROUNDS)]
            what = f"{CLIENTS} clients at once, {kind}"
            found.append(paired(what, "one client at a time", pairs, "requests/s", TARGET))
        found.append(_two_processes(served, requests(shown, data)))
    return found


def _two_processes(one: Served, kinds: dict[str, Requests]) -> Row:
    """Share requests of all kinds out to two servers of one thread, against one of all threads."""
    kind, asked = next(iter(kinds.items()))
    bodies = [form(file, {"model": model}) for model, file in asked]
    options = ("--queue", "32", "--no-page")
    with serving(*options, threads=1) as first, serving(*options, threads=1) as second:
        turns = [served for _ in bodies for served in (first, second)][: len(bodies)]

        def send(to: Sequence[Served]) -> float:
            start = time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(Served.transcribe, to, bodies))
            return len(bodies) / (time.perf_counter() - start)

        alone = [one] * len(bodies)
        pairs = [(send(turns), send(alone)) for _ in range(ROUNDS + 1)][1:]
    what = f"{CLIENTS} clients and two servers of one thread each, {kind}"
    return paired(what, "one server of all threads", pairs, "requests/s", "")


def _cut_speech(data: Path) -> list[bytes]:
    """Return sound of 3, 4 ... 10 s as .wav files."""
    known = [read_audio(data / name) for name in SAID if (data / name).is_file()]
    with tempfile.TemporaryDirectory() as name:
        found = []
        for number, seconds in enumerate(SECONDS):
            path = Path(name) / f"{seconds}.wav"
            file = WavFile(path, RATE_HZ)
            file.write(known[number % len(known)][: seconds * RATE_HZ])
            file.close()
            found.append(path.read_bytes())
        return found


def _tenants(shown: Sequence[bytes]) -> list[Row]:
    """Serve many collections and few, and send both the same requests to the few."""
    with tempfile.TemporaryDirectory() as name:
        models = [_write_collection(Path(name), number) for number in range(COLLECTIONS)]
        few = models[:IN_USE]
        many_sets, few_sets = COLLECTIONS * SETS_EACH, IN_USE * SETS_EACH
        with _holding(models) as all_of_them, _holding(few) as those_in_use:
            both = all_of_them, those_in_use
            for served, names in zip(both, (models, few), strict=True):
                for model in names:
                    served.transcribe(form(shown[0], {"model": _name(model)}))
            asked = [(_name(few[n % IN_USE]), file) for n, file in enumerate(shown)]
            pairs = [_throughputs(both, asked) for _ in range(ROUNDS + 1)][1:]
            grown = all_of_them.memory_mb - those_in_use.memory_mb
            own = [served.metric("model_bytes") / 1024**2 for served in both]
    what = f"{many_sets} adapter sets loaded, {few_sets} in use, {CLIENTS} clients"
    target = "their own bytes alone: about 1"
    more = f"memory of {many_sets - few_sets} more adapter sets"
    return [
        paired(what, f"{few_sets} loaded", pairs, "requests/s", ">= 0.95"),
        paired(more, "bytes of their weights", [(grown, own[0] - own[1])], "MB", target),
    ]


def _throughputs(both: tuple[Served, Served], asked: Requests) -> tuple[float, float]:
    bodies = [form(file, {"model": model}) for model, file in asked]
    told, found = [], []
    for served in both:
        start = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            told.append(list(pool.map(served.transcribe, bodies)))
        found.append(len(asked) / (time.perf_counter() - start))
    if told[0] != told[1]:
        raise RuntimeError("Answers differ between the two servers.")
    return found[0], found[1]


def _holding(models: Sequence[str]) -> AbstractContextManager[Served]:
    named = chain(*(("--model", model) for model in models))
    return serving("--keep", str(len(models)), "--queue", "32", *named)


def _name(model: str) -> str:
    return model.partition("=")[0]


def _write_collection(folder: Path, number: int) -> str:
    """Write a collection of one set that sees and one that only hears; return what to serve."""
    source, sees = find_collection(SETS), SEEING[number % len(SEEING)]
    path = folder / f"tenant{number}"
    kept = (sees, "audio")
    others = [one.name for one in source.iterdir() if one.is_dir() and one.name not in kept]
    copytree(source, path, ignore=ignore_patterns(*others))
    told = json.loads((path / COLLECTION).read_text())
    told |= {"groups": {"audio": ["audio"], "all": [sees]}}
    told["least_sure"] = 2.0  # no category is, so that the set of "all" is taken
    (path / COLLECTION).write_text(json.dumps(told))
    return f"tenant{number}={MODEL}+{path}"
