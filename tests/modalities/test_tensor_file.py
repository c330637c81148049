"""Weights that are no numbers are told where they are read, whatever model they are of."""

from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fusion.adapters.files import read_weights
from modalities.network_file import load_network, save_network
from modalities.tensor_file import read_tensors, write_tensors

TOLD = "has NaN or infinite numbers in weight; expected finite ones"


@dataclass(frozen=True)
class Options:
    """What a network is built from."""

    width: int = 3


class Network(nn.Linear):
    """A network of our own, as small as can be."""

    def __init__(self, options: Options):
        super().__init__(options.width, 1)
        self.options = options


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_told_by_name(tmp_path, value):
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {"bias": torch.zeros(2), "weight": torch.tensor([1.0, value])})
    with pytest.raises(ValueError, match=f"{TOLD}. It is damaged; copy it again"):
        read_tensors(path, "it is gone", "copy it again")


def test_whole_numbers_and_truths_are_finite(tmp_path):
    path = tmp_path / "weights.safetensors"
    kept = {"count": torch.tensor([3]), "known": torch.tensor([True]), "half": torch.ones(2).half()}
    write_tensors(path, kept)
    found = read_tensors(path, "it is gone", "copy it again")
    assert {n: v.tolist() for n, v in found.items()} == {n: v.tolist() for n, v in kept.items()}


def test_a_weight_too_large_for_float16_is_told_of_a_network(tmp_path):
    network = Network(Options())
    with torch.no_grad():
        network.weight.fill_(1e6)
    save_network(network, tmp_path / "network.safetensors")
    with pytest.raises(ValueError, match=f"{TOLD}. It is damaged; train it again"):
        load_network(Network, Options, tmp_path / "network.safetensors")


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_that_is_no_numbers_is_told(tmp_path, name):
    tensors = {"base_model.model.weight": torch.tensor([torch.nan])}
    if name.endswith(".bin"):
        torch.save(tensors, tmp_path / name)
    else:
        save_file(tensors, tmp_path / name)
        assert load_file(tmp_path / name)["base_model.model.weight"].isnan().all()
    with pytest.raises(ValueError, match="has NaN or infinite numbers in base_model.model.weight"):
        read_weights(tmp_path)
