"""VLSM-Adapter's block by hand, where it goes, and how a closed skip is opened."""

import pytest
import torch
from torch import nn

from fusion.adapters.interface import attach
from fusion.methods.vlsm import Vlsm, VlsmOptions
from modalities.tap import Skip, Tap


def test_block_has_two_relus_and_keeps_what_it_reads(bare_site, moved, features_of):
    adapter = moved(Vlsm(bare_site, VlsmOptions(rank=3)))
    inputs, outputs = features_of(7), features_of(7).flip(1)
    narrow = torch.relu(outputs @ adapter.down.weight.T + adapter.down.bias)
    wide = torch.relu(narrow @ adapter.up.weight.T + adapter.up.bias)
    found = adapter.after(inputs, outputs)
    torch.testing.assert_close(found, outputs + wide)
    assert (found >= outputs).all() and (found > outputs).any()  # what a ReLU adds


class Joined(nn.Module):
    """A frozen layer, with a tap and a skip around it."""

    def __init__(self):
        super().__init__()
        self.layer, self.tap, self.skip = nn.Linear(12, 12), Tap(12), Skip(12)

    def forward(self, features):
        return self.tap(self.layer(features)) + self.skip(features)


@pytest.fixture
def joined() -> Joined:
    torch.manual_seed(0)
    return Joined().eval()


def test_taps_change_nothing_until_they_are_adapted(joined, features_of):
    features = features_of(5)
    plain = joined.layer(features)
    assert torch.equal(joined(features), plain)
    adapters = attach(joined, "vlsm", {"rank": 3}, ("tap", "skip"))
    assert not torch.allclose(joined(features), plain)
    adapters.use(None)
    assert torch.equal(joined(features), plain)


def test_open_skip_adds_what_it_reads_and_the_change(joined, features_of):
    features = features_of(5)
    attach(joined, "vlsm", {"rank": 3}, ("skip",))
    [block] = [module for module in joined.modules() if isinstance(module, Vlsm)]
    wide = torch.relu(block.up(torch.relu(block.down(features))))
    torch.testing.assert_close(joined(features), joined.layer(features) + features + wide)


def test_other_methods_pass_taps_over(joined):
    with pytest.raises(ValueError, match="fits none of the 2 modules at tap"):
        attach(joined, "bottleneck", {"rank": 3}, ("tap",))
