import sys

import pytest

from bench.peak import run_for_peak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells the peak")


def test_a_process_is_measured_alone_whoever_starts_it():
    held = bytearray(400_000_000)
    small, large = run_for_peak("pass"), run_for_peak("held = bytearray(200_000_000)")
    assert len(held) / 1e6 > 400 - 1 and small < 100
    assert large - small == pytest.approx(200e6 / 2**20, rel=0.1)
