"""Time and peak memory of whole processes, each started for it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What the system tells of a child's memory begins with that of the process that started it,
# however small the child is; so a small process starts it.
LAUNCHER = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
taken = time.perf_counter() - start
print(taken, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def run_command(command: list[str], folder: Path = ROOT) -> tuple[float, float]:
    """Run a command, and return its seconds and its peak memory in MB.

    Args:
        command: The program, by its whole path, and its arguments.
        folder: Where it runs.

    Raises:
        subprocess.CalledProcessError: It failed; what it wrote on stderr is told.
    """
    # Installed programs have their bytecode; ours is not to be compiled anew each time.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    launcher = [sys.executable, "-S", "-c", LAUNCHER, *command]
    output = subprocess.run(launcher, cwd=folder, env=environment, capture_output=True, text=True)
    if output.returncode:
        print(output.stderr, file=sys.stderr)
    output.check_returncode()
    taken_s, peak_mb = map(float, output.stdout.split())
    return taken_s, peak_mb


def run_for_peak(code: str, *arguments: str) -> float:
    """Run Python code in a process of its own, and return its peak in MB.

    Args:
        code: What it runs; anything that it prints is not looked at.
        arguments: Its sys.argv after the first.
    """
    return run_command([sys.executable, "-c", code, *arguments])[1]
