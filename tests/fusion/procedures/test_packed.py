"""Packed files: to the byte as published, and any adapter in all its parts."""

import pytest
import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.adapters.quantisation import quantise
from fusion.methods.catalog import METHODS
from fusion.procedures.packed import read_packed, write_packed

ADAPTFORMER = {"mode": "parallel", "input": "norm", "activation": "relu", "bias": False}


def bottlenecks_in(model) -> list:
    bottleneck = METHODS["bottleneck"]
    return [module for module in model.modules() if isinstance(module, bottleneck)]


@pytest.mark.parametrize(
    ("rank", "head", "size"),
    [
        (32, None, 73_920),
        (32, "quantised", 83_720),
        (1, "quantised", 12_296),
        (32, "float", 387_672),
    ],
)
def test_files_have_the_published_size(rank, head, size, tmp_path):
    def build_both() -> tuple[Adapters, nn.Module | None]:
        from transformers import ViTConfig, ViTModel

        # As wide and deep as ViT-B; what is frozen is small.
        config = ViTConfig(intermediate_size=8, image_size=32)
        adapters = attach(
            ViTModel(config), "bottleneck", {"rank": rank, **ADAPTFORMER}, ("mlp",), bits=1
        )
        layer = nn.Linear(768, 102, bias=head == "float") if head else None
        if layer is not None and head == "quantised":
            quantise(layer, 1)
        return adapters, layer

    (written, layer), (read, other) = build_both(), build_both()
    assert written.count("default") == 12 * 2 * 768 * rank
    file = tmp_path / "adapter.bin"
    write_packed(file, written, "default", layer)
    assert file.stat().st_size == size
    assert written.bytes("default") == 12 * 2 * (768 * rank // 8 + 8)
    read_packed(file, read, "default", other)
    features = torch.randn(2, 3, 768)
    adapters = [written, read]
    for first, second in zip(*(bottlenecks_in(a.model) for a in adapters), strict=True):
        assert torch.equal(first.after(features, features), second.after(features, features))
    if layer is not None and other is not None:
        assert torch.equal(layer(features), other(features))
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=f"{size + 1:,} bytes.*take {size:,}"):
        read_packed(file, read, "default", other)


def test_half_precision_is_saved_and_loaded_to_the_bit(build, tmp_path):
    model, other = build("ast").bfloat16(), build("ast").bfloat16()
    attach(model, "bottleneck", {"rank": 4}, bits=1)
    model.bfloat16()
    Adapters(model).save(tmp_path, "default")
    attach(other, "bottleneck", {"rank": 4}, bits=1)
    other.bfloat16()
    write_packed(tmp_path / "packed", Adapters(model), "default")
    read_packed(tmp_path / "packed", Adapters(other), "default")
    features = torch.randn(1, 4, 32, dtype=torch.bfloat16)
    for first, second in zip(bottlenecks_in(model), bottlenecks_in(other), strict=True):
        assert torch.equal(first.after(features, features), second.after(features, features))


def test_packed_files_hold_any_adapter_in_all_its_parts(build, disturb, tmp_path, output):
    def build_both() -> Adapters:
        model = build("whisper")
        attach(model, "paca", {"rank": 2}, name="a")  # float, with an index
        return attach(model, "bottleneck", {"rank": 3}, name="a", bits=3)

    written, read = build_both(), build_both()
    disturb(written, "a")
    write_packed(tmp_path / "a", written, "a")
    assert (tmp_path / "a").stat().st_size == written.bytes("a")
    read_packed(tmp_path / "a", read, "a")
    expected, found = (output("whisper", a.model) for a in (written, read))
    assert torch.equal(expected, found)
