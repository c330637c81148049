"""Peak memory of a process that was started for it."""

import subprocess
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mb() -> float:
    """Return the most memory that this process has had resident, in MB; Linux alone tells it.

    resource's ru_maxrss begins with that of the process that started this one, however small this
    one is.
    """
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def run_for_peak(code: str, *arguments: str) -> float:
    """Run Python code in a process of its own, and return its peak in MB.

    Args:
        code: What it runs; anything that it prints is not looked at.
        arguments: Its sys.argv after the first.
    """
    told = code + "\nfrom bench.peak import peak_mb\nprint()\nprint(peak_mb())\n"
    output = subprocess.run(
        [sys.executable, "-c", told, *arguments], check=True, capture_output=True, text=True
    )
    return float(output.stdout.splitlines()[-1])
