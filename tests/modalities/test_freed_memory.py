import sys

import pytest

from modalities import freed_memory
from modalities.freed_memory import give_back_freed


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_what_was_freed_is_given_back():
    def resident_mb() -> float:
        with open("/proc/self/status") as file:
            (line,) = [line for line in file if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    pieces = [bytearray(60_000) for _ in range(4000)]  # too small to be mapped by themselves
    pins = pieces[::40]
    full = resident_mb()
    del pieces
    give_back_freed()
    assert full - resident_mb() > 150 and len(pins) == 100


def test_where_there_is_no_such_call_nothing_is_done(monkeypatch):
    monkeypatch.setattr(freed_memory, "_find_trim", lambda: None)
    assert not give_back_freed()
