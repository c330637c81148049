import pytest
import torch

from fusion.conditions.catalog import PRESETS
from fusion.conditions.files import load_injectors, save_injectors
from fusion.conditions.injection import inject
from modalities.diffusion.small import SmallDenoiserOptions, build_small
from modalities.tensor_file import write_tensors

pytest.importorskip("diffusers")


@pytest.mark.parametrize(
    "name",
    [
        "nexus_slim",
        "mv_adapter",
        "unicon",
        "att_adapter",
        "pka",
        "unic_adapter_low_rank",
        "care_edit",
    ],
)
def test_injectors_come_back_as_they_were(
    name, model, run, small_preset, conditions, disturb, tmp_path
):
    parts = small_preset(name)
    disturb(*parts.values())
    save_injectors(parts, tmp_path / "a.safetensors")
    others, found = load_injectors(model, tmp_path / "a.safetensors"), []
    for some in (parts, others):
        injection = inject(model, some)
        with injection.tell(*conditions(some)):
            found.append(run())
        injection.remove()
    assert torch.equal(*found)
    assert list(others) == list(PRESETS[name].parts)


def test_files_that_are_not_what_is_asked_for_are_refused(unet, small_preset, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected injectors"):
        load_injectors(unet, tmp_path / "none.safetensors")
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(1)})
    with pytest.raises(ValueError, match="holds no injectors"):
        load_injectors(unet, path)
    write_tensors(path, {"a": torch.ones(1)}, {"mcgurk_conditions": "[]"})
    with pytest.raises(ValueError, match="is damaged"):
        load_injectors(unet, path)
    save_injectors(small_preset("t2i_adapter"), path)
    with pytest.raises(ValueError, match="cannot stand on a Linear"):
        load_injectors(torch.nn.Linear(2, 2), path)
    wider = build_small(SmallDenoiserOptions(channels=(16, 32), attention=(0, 1), token_dim=12))
    with pytest.raises(ValueError, match="'map': .* is .* weights of other options, or for"):
        load_injectors(wider.unet, path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="is damaged"):
        load_injectors(unet, path)
