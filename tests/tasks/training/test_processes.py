"""Where a training computes."""

import pytest

from tasks.training.processes import Processes


def test_one_process_computes_where_it_is_told():
    assert Processes("cpu").device.type == "cpu"
    assert Processes("cpu").count == 1


def test_a_device_that_is_not_here_is_told():
    with pytest.raises(ValueError, match="No device 'tpuu' on this machine; here there are: .*cpu"):
        Processes("tpuu")
