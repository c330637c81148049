"""Kill an enrolment of s4 at random moments, go on, and compare it with one that nobody killed.

python -m tools.enrol_killed [--kills 5]
"""

import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Annotated

import torch
import typer

from tools.enrol_s4 import BUILT, enrol_some

CLIPS, SEED, KILLED = 30, 0, "killed"
ENROL = f"from tools import enrol_killed; enrol_killed.enrol_once({KILLED!r})"


def enrol_once(name: str) -> Path:
    """Enrol with one thread, or go on, and return the folder."""
    torch.set_num_threads(1)
    folder, _ = enrol_some(CLIPS, SEED, name)
    return folder


def run(seconds: float | None) -> bool:
    """Enrol in a process of its own, killed after some seconds; tell if it came to its end."""
    process = subprocess.Popen([sys.executable, "-c", ENROL], start_new_session=True)
    try:
        if process.wait(seconds):
            raise SystemExit(f"The enrolment ended with {process.returncode}.")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def digests(folder: Path) -> dict[str, str]:
    """Return a sum of each file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in files}


def main(
    kills: Annotated[int, typer.Option(help="How often it is killed.")] = 5,
    seed: Annotated[int, typer.Option(help="Fixes when.")] = 0,
    longest: Annotated[float, typer.Option(help="Seconds from one kill to the next.")] = 100.0,
) -> None:
    """Compare, and exit with 1 where a byte differs."""
    random, whole = Random(seed), enrol_once("")
    for path in BUILT.glob(f"*{KILLED}*"):
        shutil.rmtree(path)
    for _ in range(kills):
        moment = random.uniform(15.0, longest)
        if run(moment):
            raise SystemExit("It came to its end before it was killed; expected less --longest.")
        print(f"killed after {moment:.0f} s", flush=True)
    run(None)
    one, other = digests(whole), digests(BUILT / KILLED)
    differing = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    print(f"{len(one)} files, {len(differing)} differ: {', '.join(differing) or 'none'}")
    raise SystemExit(bool(differing))


if __name__ == "__main__":
    typer.run(main)
