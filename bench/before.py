"""The command on a clip with its video against that of an earlier checkout of mcgurk.

`git worktree add ../before 496fafd~1` makes one of before the engine without torch; then
`python -m bench.before ../before` prints both, and their ratios.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.compare import Row, paired, to_markdown
from bench.media import DEMO
from bench.peak import ROOT, run_command

BEFORE, ROUNDS = "an earlier checkout", 5


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
    return [
        paired(f"{what}, time", BEFORE, [(a[0], b[0]) for a, b in pairs], "s", "<= 0.5"),
        paired(f"{what}, peak memory", BEFORE, [(a[1], b[1]) for a, b in pairs], "MB", "<= 0.6"),
    ]


def main() -> None:
    """Read the command line and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.before", description=__doc__)
    parser.add_argument("before", type=Path, metavar="FOLDER", help="the earlier checkout")
    given = parser.parse_args()
    if not (given.before / "tasks/__main__.py").is_file():
        parser.error(f"{given.before} has no tasks/__main__.py; expected a checkout of mcgurk.")
    print(to_markdown(compare_commands(given.before.resolve(), DEMO)))


if __name__ == "__main__":
    main()
