import pytest
import torch

from fusion.conditions.catalog import build_preset
from fusion.conditions.routing.place_weights import PATCH, PlaceOptions, PlaceWeights
from fusion.conditions.routing.weight_files import load_place_weights, save_place_weights
from modalities.tensor_file import write_tensors

pytest.importorskip("diffusers")


def test_weights_come_back_and_those_of_others_are_refused(unet, disturb, tmp_path):
    names = ("edges", "depth", "pose")
    made = {n: build_preset(unet, "t2i_adapter", {"map": {"pixels": 2}})["map"] for n in names}
    two = {name: made[name] for name in names[:2]}
    weights = PlaceWeights(two, PlaceOptions(PATCH, k=1, temperature=0.5))
    disturb(weights)
    path = tmp_path / "weights.safetensors"
    save_place_weights(weights, path)
    found = load_place_weights(made, path)
    assert found.names == weights.names and found.options == weights.options
    state = weights.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in found.state_dict().items())
    with pytest.raises(ValueError, match="no injector 'depth' among edges"):
        load_place_weights({"edges": made["edges"]}, path)
    wider = {
        name: build_preset(unet, "t2i_adapter", {"map": {"pixels": 2, "middle": True}})["map"]
        for name in names
    }
    with pytest.raises(ValueError, match="for another denoiser"):
        load_place_weights(wider, path)
    write_tensors(path, {"a": torch.ones(1)})
    with pytest.raises(ValueError, match="holds no weights of conditions"):
        load_place_weights(made, path)
