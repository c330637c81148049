"""What a step freed, the next one gets without the system."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from tasks.cli.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(8 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
given_back = faults()
kept = keep_freed_memory()
faults()
print(int(kept), given_back, faults())
"""


def test_large_blocks_are_used_again_without_new_pages():
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
    )
    kept, before, after = map(int, done.stdout.split())
    if not kept:
        pytest.skip("the memory of this system's C library cannot be set")
    assert after < before / 20
