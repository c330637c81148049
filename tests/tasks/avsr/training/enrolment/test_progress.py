"""The steps of an enrolment are one row of seconds, wherever it goes on."""

import pytest

from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.avsr.training.enrolment.progress import Steps


def test_what_is_done_adds_up_to_all():
    told = []
    steps = Steps(EnrolOptions("me", "clips"), 30, lambda done, total: told.append((done, total)))
    for step in steps.seconds:
        steps.report(step)(1, 2)
        steps.report(step)(2, 2)
    assert told == sorted(told) and told[-1][0] == pytest.approx(told[-1][1])
    assert {total for _, total in told} == {sum(steps.seconds.values())}


def test_a_step_that_goes_on_counts_what_was_done_before_it():
    told = []
    steps = Steps(EnrolOptions("me", "clips"), 10, lambda done, total: told.append(done))
    steps.report("set")(0, 100)
    before = [steps.seconds[name] for name in ("cut", "texts", "lips", "agreement")]
    assert told == [sum(before)]
    Steps(EnrolOptions("me", "clips"), 10).report("cut")(1, 10)  # nobody asked
