"""Work in processes: order, errors, and what an interrupt leaves on the terminal."""

import os
import subprocess
import sys

import pytest

from data_prep.workers.processes import run_in_processes

INTERRUPTED = """
import os, signal, sys, threading, time
from data_prep.workers.processes import run_in_processes

if __name__ == "__main__":
    work = run_in_processes(abs, [-1, -2, -3, -4], 2)
    threading.Timer(float(sys.argv[1]), os.killpg, [os.getpgrp(), signal.SIGINT]).start()
    try:
        print("began", flush=True)
        print(sorted(work), flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_each_item_is_worked_on_once():
    assert sorted(run_in_processes(abs, [-1, 2, -3], 2)) == [1, 2, 3]
    assert list(run_in_processes(abs, [-1, 2, -3], 1)) == [1, 2, 3]


def test_what_an_item_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(run_in_processes((1).__truediv__, [1, 0, 2], 2))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups here")
@pytest.mark.parametrize("after_s", [0.02, 0.2, 1.0])
def test_an_interrupt_while_processes_start_leaves_no_traceback(after_s, tmp_path):
    """As Ctrl-C on a terminal does, it goes to all of them."""
    script = tmp_path / "work.py"
    script.write_text(INTERRUPTED)
    started = subprocess.Popen(
        [sys.executable, str(script), str(after_s)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    _, errors = started.communicate(timeout=120)
    assert started.returncode == 130 and errors == ""
