"""PaCA: the columns that it trains, and what it keeps for that."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from fusion.adapters.interface import attach


def test_paca_has_the_gradients_of_the_weight_s_columns(inputs_of):
    model = nn.Sequential(nn.Linear(12, 10))
    dense = deepcopy(model)
    adapters = attach(model, "paca", {"rank": 4, "alpha": 8.0}, ("0",))
    model(inputs_of()).square().sum().backward()
    dense(inputs_of()).square().sum().backward()
    (columns,) = adapters.parameters("default")
    index = model[0].mcgurk_site.mcgurk_adapters["default"].index
    torch.testing.assert_close(columns.grad, 2.0 * dense[0].weight.grad[:, index])


def test_paca_chooses_other_columns_by_layer_and_by_seed():
    def chosen(seed: int) -> list[list[int]]:
        model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
        attach(model, "paca", {"seed": seed}, ("0", "1"))
        held = [layer.mcgurk_site.mcgurk_adapters["default"] for layer in model]
        return [adapter.index.tolist() for adapter in held]

    first, second = chosen(0)
    assert first != second
    assert chosen(0) == [first, second]
    assert chosen(1) != [first, second]


def saved_values(method: str, features: torch.Tensor) -> set[int]:
    """Return the values per token that training keeps, as widths of the tensors."""
    model = nn.Sequential(nn.Linear(64, 48))
    attach(model, method, {"rank": 4}, ("0",))
    widths = set()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 1 and tensor.numel() // tensor.shape[-1] == 3 * 5:
            widths.add(tensor.shape[-1])
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(features).sum()
    return widths


def test_paca_keeps_the_chosen_inputs_alone_for_training(inputs_of):
    assert saved_values("paca", inputs_of(3, 64)) == {4}
    assert saved_values("lora", inputs_of(3, 64)) == {64, 4}


def test_paca_refuses_more_columns_than_there_are_and_leaves_the_model_alone(two_layers):
    model = two_layers()
    with pytest.raises(ValueError, match="'rank' of 'paca' is 13; 1 has 12 columns"):
        attach(model, "paca", {"rank": 13}, ("1",))
    assert len(list(model.modules())) == 3
