"""What tells tensors from all others: a hash of their bits."""

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn


def hash_weights(module: nn.Module) -> str:
    """Return a hash of all parameters and buffers of a module, with their names."""
    return hash_tensors({**dict(module.named_parameters()), **dict(module.named_buffers())})


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of tensors, on any device: of their names, types, shapes and bits."""
    total = sha256()
    for name, value in sorted(tensors.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        total.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()[:32]


def hash_frozen(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of a model's own tensors, whatever adapters are in it."""
    own = {n: v for n, v in tensors.items() if "mcgurk_" not in n and "lora_" not in n}
    return hash_tensors(own)
