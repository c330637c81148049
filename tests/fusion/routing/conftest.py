"""Families for the tests of routing, and banks that are not fresh."""

from collections.abc import Callable

import pytest
from torch import nn

from fusion.routing.bank import Bank, attach_bank


@pytest.fixture(scope="session")
def moved_bank(disturb) -> Callable[..., Bank]:
    """Attaches a bank whose parameters are off their start: model, options, where, name."""

    def attach_one(model: nn.Module, options=None, where=None, name: str = "bank") -> Bank:
        bank = attach_bank(model, options, where, name=name)
        disturb(bank.adapters, name)
        return bank

    return attach_one


@pytest.fixture(params=["whisper", "clip"])
def kind(request) -> str:
    """The name of a family: one with a decoder, one of two towers."""
    return request.param
