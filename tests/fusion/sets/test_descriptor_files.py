"""Descriptors on disk: same scores, same order, and what is damaged is told."""

import json

import pytest
import torch

from fusion.sets.descriptor_files import (
    DescriptorOptions,
    build_descriptor,
    load_descriptors,
    save_descriptors,
)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    descriptors = {}
    for name, kind in (("street.1", "autoencoder"), ("car", "gaussian")):
        descriptors[name] = build_descriptor(DescriptorOptions(kind, 6, 3))
        descriptors[name].fit(torch.randn(20, 6))
    save_descriptors(tmp_path, descriptors, {"car": 1.5, "street.1": 2.0, "other": 3.0})
    return tmp_path, descriptors


def test_descriptors_come_back_in_their_order_with_their_scores(saved):
    folder, descriptors = saved
    found, thresholds = load_descriptors(folder)
    assert list(found) == ["street.1", "car"] and thresholds == {"street.1": 2.0, "car": 1.5}
    clips = torch.randn(5, 6)
    for name, descriptor in descriptors.items():
        assert torch.equal(found[name].score(clips), descriptor.score(clips))


def test_what_is_damaged_or_missing_is_told(saved, tmp_path):
    folder, _ = saved
    card = json.loads((folder / "descriptors.json").read_text())
    for change, told in (
        ({"kind": "gausian"}, "Option 'kind' is 'gausian'; known: gaussian, autoencoder"),
        ({"dim": 7}, "size mismatch"),
        ({"width": 0}, "6 features and width 0; expected 1 or more"),
        ({"strange": 1}, "unexpected keyword argument 'strange'"),
    ):
        wrong = card | {"street.1": card["street.1"] | change}
        (folder / "descriptors.json").write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match=f"descriptors.json is damaged .*{told}"):
            load_descriptors(folder)
    (folder / "descriptors.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="descriptors.safetensors; expected descriptors"):
        load_descriptors(folder)
    with pytest.raises(FileNotFoundError, match="holds no descriptors.json"):
        load_descriptors(tmp_path / "nowhere")
