"""Measure against peers and write the table of docs/speed.md: `make bench`."""

import argparse
import os
import platform
import sys
from pathlib import Path

import torch

from bench.compare import Row, to_markdown
from tools.machine import processor
from tools.marks import rewrite

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/speed.md"
# Parts whose figures stand on a page of their own, between marks of their name.
PAGES = {"serving_sets": ROOT / "docs/serving.md"}


def main() -> None:
    """Run all parts, or those named, and write them into the page's table."""
    from bench import (
        adapters,
        audio_to_image,
        before,
        commands,
        conditions,
        faces,
        log_mel,
        measures,
        memory,
        routing,
        segmentation,
        serving,
        serving_sets,
        sets,
        sounds,
        speech,
        video,
        vision_language,
    )

    parts = {
        "speech": speech.rows,
        "commands": commands.rows,
        "before": before.rows,
        "video": video.rows,
        "faces": faces.rows,
        "log_mel": log_mel.rows,
        "adapters": adapters.rows,
        "routing": routing.rows,
        "sets": sets.rows,
        "serving": serving.rows,
        "serving_sets": serving_sets.rows,
        "sounds": sounds.rows,
        "segmentation": segmentation.rows,
        "vision_language": vision_language.rows,
        "audio_to_image": audio_to_image.rows,
        "measures": measures.rows,
        "conditions": conditions.rows,
        "memory": memory.rows,
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(parts)}; all without")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--tflite", type=Path, help="wheel or folder with the BlazeFace .tflite")
    parser.add_argument("--write", action="store_true", help="into docs/speed.md, even some parts")
    given = parser.parse_args()
    unknown = set(given.parts) - set(parts)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; known: {', '.join(parts)}")
    torch.set_num_threads(os.cpu_count() or 1)
    rows: list[Row] = []
    for name in given.parts or parts:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = parts[name](given)
        rows += found
        if given.write or not given.parts:  # at once: what comes later may be stopped
            own = name in PAGES
            write_page(to_markdown(found), PAGES.get(name, PAGE), name if own else "bench")
    print(to_markdown(rows))


def write_page(table: str, page: Path = PAGE, name: str = "bench") -> None:
    """Put the table between the marks of a page; rows that were not measured now stay."""
    note = (
        f"{os.cpu_count()} cores of {processor()}, torch {torch.__version__}, "
        f"Python {platform.python_version()}; medians of runs in turn, both figures of a line from "
        "one run."
    )
    head, lines = table.splitlines()[:2], table.splitlines()[2:]
    now = {_name(line): line for line in lines}

    def write(old: str) -> str:
        known = [line for line in old.splitlines() if line.startswith("| ") and line not in head]
        rows = [now.pop(_name(line), line) for line in known] + list(now.values())
        return "\n".join([*head, *rows, "", note])

    rewrite(page, name, write)


def _name(line: str) -> tuple[str, ...]:
    """Return what a line of the table compares."""
    return tuple(cell.strip() for cell in line.split("|")[1:3])


if __name__ == "__main__":
    main()
