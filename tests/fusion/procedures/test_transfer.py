"""Adapters carried over to another model."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.procedures.transfer import TransferOptions, train_discriminator, transfer


def clip_vision(layers: int, seed: int) -> nn.Module:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(seed)
    sizes = dict(hidden_size=32, intermediate_size=48, num_attention_heads=2, image_size=16)
    return CLIPVisionModel(CLIPVisionConfig(num_hidden_layers=layers, patch_size=8, **sizes)).eval()


def pooled(model: nn.Module, batch) -> torch.Tensor:
    return model(batch["pixel_values"]).pooler_output


def pictures(count: int, seed: int, shift: float = 0.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"pixel_values": torch.randn(count, 3, 16, 16, generator=generator) + shift}


def test_a_transferred_adapter_does_what_the_source_s_does(disturb):
    source, target = clip_vision(2, 0), clip_vision(3, 1)
    disturb(attach(source, "lora", {"rank": 4}, name="known"), "known")
    adapters = Adapters(source)
    adapters.use(None)
    attach(target, "lora", {"rank": 4}, ("q", "v", "o", "fc2"), name="new")
    Adapters(target).use(None)
    batches = [pictures(8, seed) for seed in range(4)]
    options = TransferOptions(samples=32, epochs=10, learning_rate=0.01)
    losses = transfer(source, "known", target, "new", batches, pooled, options=options)
    assert len(losses) == 10
    assert losses[-1] < 0.7 * losses[0]
    assert adapters.active == [] and Adapters(target).active == ["new"]
    unseen = pictures(8, 9)
    with torch.no_grad():
        adapters.use("known")
        wanted, near = pooled(source, unseen), pooled(target, unseen)
        Adapters(target).use(None)
        far = pooled(target, unseen)
    assert functional.mse_loss(near, wanted) < functional.mse_loss(far, wanted)


def test_rows_that_the_discriminator_refuses_are_not_learned_from(disturb):
    source, target = clip_vision(2, 0), clip_vision(2, 1)
    disturb(attach(source, "lora", {"rank": 2}, name="known"), "known")
    attach(target, "lora", {"rank": 2}, name="new")

    def features(batch) -> torch.Tensor:
        return batch["pixel_values"].mean((2, 3))

    probe = train_discriminator(features(pictures(20, 1)), features(pictures(20, 2, shift=2.0)))
    mixed = {
        name: torch.cat([values, pictures(3, 4, shift=2.0)[name]])
        for name, values in pictures(5, 3).items()
    }
    seen = []

    def watch(model: nn.Module, batch) -> torch.Tensor:
        seen.append(batch["pixel_values"])
        return pooled(model, batch)

    once = TransferOptions(samples=8, epochs=1)
    names = ("known", target, "new")
    transfer(source, *names, [mixed, mixed], watch, lambda b: probe(features(b)) > 0, options=once)
    assert [len(batch) for batch in seen] == [5, 3, 5, 3]
    assert torch.equal(seen[0], mixed["pixel_values"][:5])
    with pytest.raises(ValueError, match="None of 8 inputs was kept"):
        transfer(source, *names, [mixed], watch, lambda b: probe(features(b)) > 99)


def test_an_adapter_is_transferred_within_one_model(disturb):
    model = clip_vision(2, 0)
    disturb(attach(model, "lora", {"rank": 2}, name="known"), "known")
    attach(model, "bitfit", name="new")
    before = [p.clone() for p in Adapters(model).parameters("known")]
    options = TransferOptions(epochs=8, learning_rate=0.01)
    losses = transfer(model, "known", model, "new", [pictures(8, 1)], pooled, options=options)
    assert losses[-1] < losses[0]
    after = Adapters(model).parameters("known")
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
