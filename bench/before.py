"""The command on a clip with its video against the same before sound could be heard without torch.

The earlier commit is checked out beside a clone that has it, for as long as it is measured.
"""

import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from bench.compare import Row, paired
from bench.media import DEMO
from bench.peak import ROOT, run_command

BEFORE = "00b659d"  # the last commit with one engine
ROUNDS = 5


def rows(given: Namespace) -> list[Row]:
    """Run both commands in turn; nothing where this is no clone that has the earlier commit."""
    with tempfile.TemporaryDirectory() as name:
        earlier = Path(name) / "earlier"
        try:
            _git("worktree", "add", "--detach", str(earlier), BEFORE)
        except (OSError, subprocess.CalledProcessError):
            print(
                f"Not measured: commit {BEFORE} is not in this folder's history.", file=sys.stderr
            )
            return []
        try:
            return compare_commands(earlier, DEMO)
        finally:
            _git("worktree", "remove", "--force", str(earlier))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)


def compare_commands(before: Path, clip: Path, rounds: int = ROUNDS) -> list[Row]:
    """Run both checkouts' commands in turn, with their files in the system's cache.

    Args:
        before: The other checkout; the Python that runs this has to have what it needs.
        clip: With sound and pictures.
        rounds: How often each is measured.

    Raises:
        subprocess.CalledProcessError: One of them failed.
    """
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "x.srt"
        command = [sys.executable, "-m", "tasks", "transcribe", str(clip), "-o", str(output)]

        def run(folder: Path) -> tuple[float, float]:
            output.unlink(missing_ok=True)
            return run_command(command, folder)

        folders = [ROOT, before]
        for folder in folders:
            run(folder)
        pairs = [[run(folder) for folder in folders] for _ in range(rounds)]
    what = f"whole process: mcgurk transcribe {clip.name} -o x.srt, with its video"
    peer = f"the same of commit {BEFORE}"
    return [
        paired(f"{what}, time", peer, [(a[0], b[0]) for a, b in pairs], "s", "<= 0.5"),
        paired(f"{what}, peak memory", peer, [(a[1], b[1]) for a, b in pairs], "MB", "<= 0.6"),
    ]
