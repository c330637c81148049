"""SHiRA: what merging writes, and what it cannot do."""

import pytest
import torch

from fusion.adapters.interface import attach


def test_merging_a_sparse_change_writes_to_its_entries_alone(disturb, linear, entries_of):
    model = linear()
    before = model[0].weight.clone()
    adapters = attach(model, "shira", {"rank": 1}, ["0"])
    disturb(adapters, "default")
    values = adapters.parameters("default")[0].detach()
    mask = entries_of(model)
    adapters.merge()
    after = model.get_submodule("0").weight
    assert torch.equal(after[~mask], before[~mask])
    torch.testing.assert_close(after[mask], before[mask] + values)
    assert adapters.selection.originals[0].weight.shape == (10,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "dense"}, "'dense'; known: random, struct, magnitude"),
        ({"rank": 3}, "so 30 entries; 0 has 24. Take from 1 to 2"),
        ({"rank": 0}, "is 0; expected 1 or more"),
        ({"rank": 1, "mask": "snip"}, "'snip' of 'shira' needs data; give `calibrate`"),
    ],
)
def test_shira_tells_what_it_cannot_do(options, message, linear):
    with pytest.raises(ValueError, match=message):
        attach(linear(), "shira", options, ["0"])


def test_shira_tells_that_it_wants_the_bare_layer_and_batches(linear):
    model = linear()
    attach(model, "lora", {"rank": 1}, ["0"], name="low")
    with pytest.raises(ValueError, match="Attach 'shira' before the other method"):
        attach(model, "shira", {"rank": 1}, ["0"], name="high")
    options = {"rank": 1, "mask": "gradient"}
    with pytest.raises(ValueError, match="yielded no loss that comes from 0"):
        attach(linear(), "shira", options, ["0"], calibrate=lambda model: [])
