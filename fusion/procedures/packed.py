"""Adapters in files without a header: nothing but the bytes of their tensors."""

from itertools import accumulate
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from fusion.adapters.files import set_tensors, tensors_of
from fusion.adapters.interface import Adapters
from fusion.adapters.quantisation import pack_state, plain_name, unpack_state
from modalities.whole_file import replace_when_whole


def write_packed(
    path: str | Path, adapters: Adapters, name: str, head: nn.Module | None = None
) -> None:
    """Write an adapter, and perhaps a head, as bytes alone.

    The tensors follow each other in the order of their names, part by part, the head last: little
    endian, row-major, of a quantised one the packed codes, mean and std. Neither names nor shapes
    are written: keep the method, its options and `bits` elsewhere.

    Args:
        path: The file to write, whole or not at all; one that is there is replaced, and its folder
            is made where missing.
        adapters: All adapters of the model.
        name: Which of them to write, with all its parts.
        head: Any module; `fusion.adapters.quantisation.quantise` makes a quantised one.

    Raises:
        ValueError: No such adapter.
        OSError: The file cannot be written.
    """
    tensors = [t for group in _groups(adapters, name, head) for t in group.values()]
    with replace_when_whole(path) as partial:
        partial.write_bytes(b"".join(map(_to_bytes, tensors)))


def read_packed(
    path: str | Path, adapters: Adapters, name: str, head: nn.Module | None = None
) -> None:
    """Read what `write_packed` wrote into an adapter that is attached.

    Args:
        path: A file that `write_packed` wrote.
        adapters: All adapters of the model.
        name: Which of them to fill: of the method, options and bits that were written. What it was
            is overwritten.
        head: A module of the shapes and bits of the head that was written, to fill; None for none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: No such adapter, or the file has another size. Of bytes alone nothing else can
            be checked.
    """
    groups = _groups(adapters, name, head)
    data = Path(path).read_bytes()
    expected = sum(t.numel() * t.element_size() for group in groups for t in group.values())
    if len(data) != expected:
        raise ValueError(
            f"{path} has {len(data):,} bytes; adapter {name!r}{' and the head' if head else ''} "
            f"take {expected:,}. Attach the method with the options and bits that were written."
        )
    found = _from_bytes(data, groups)
    for part, tensors in zip(adapters.parts(name), found, strict=False):
        set_tensors(adapters.model, part, tensors)
    if head is not None:
        _set_head(head, found[-1])


def _groups(adapters: Adapters, name: str, head: nn.Module | None) -> list[dict[str, Tensor]]:
    """Return the tensors of each part and of the head."""
    groups = [tensors_of(adapters.model, part) for part in adapters.parts(name)]
    if head is not None:
        groups.append(pack_state(_state_of(head), head))
    return [dict(sorted(group.items())) for group in groups]


def _state_of(head: nn.Module) -> dict[str, Tensor]:
    return {plain_name(name): t for name, t in head.state_dict(keep_vars=True).items()}


@torch.no_grad()
def _set_head(head: nn.Module, tensors: dict[str, Tensor]) -> None:
    state = _state_of(head)
    for name, tensor in unpack_state(tensors, state, head).items():
        state[name].copy_(tensor)


def _to_bytes(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _from_bytes(data: bytes, groups: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """Cut bytes into tensors like those given."""
    sizes = [t.numel() * t.element_size() for group in groups for t in group.values()]
    whole = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    starts = iter(accumulate(sizes, initial=0))
    return [
        {name: _cut(whole, next(starts), like) for name, like in group.items()} for group in groups
    ]


def _cut(whole: Tensor, start: int, like: Tensor) -> Tensor:
    size = prod(like.shape) * like.element_size()
    return whole[start : start + size].clone().view(like.dtype).view(like.shape)
