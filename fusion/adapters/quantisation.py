"""Adapters of a few bits an entry: quantised in training, and packed in files."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

EPSILON = 1e-5
STD_AT_START = 1e-3  # of what constant matrices get, cut off at twice that
CODES, MOMENTS = ".codes", ".moments"
HELD = "quantised_"


@lru_cache(maxsize=64)
def levels_of(bits: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the codes of so many bits, for a standard normal.

    Each is the median of what is nearest to it: for one bit +-0.6745.

    Args:
        bits: 1 to 8.
        device: Where they are.

    Returns:
        In rising order, [2 ** bits], float32.
    """
    middles = torch.arange(2**bits, dtype=torch.float64, device="cpu") + 0.5
    levels = torch.special.ndtri(middles / 2**bits)
    for _ in range(500):
        below = torch.special.ndtr((levels[1:] + levels[:-1]) / 2)
        edges = torch.cat([below.new_zeros(1), below, below.new_ones(1)])
        levels = torch.special.ndtri((edges[1:] + edges[:-1]) / 2)
        levels = (levels - levels.flip(0)) / 2  # rounding must not make it lopsided
    return levels.float().to(device)


class Quantised(nn.Module):
    """A tensor that is trained as float, and that the model sees quantised.

    w_q = std q + mean, q the code nearest to (w - mean) / (std + 1e-5), mean and std over the
    tensor. Gradients pass q as if it were no step, and go through mean and std. What was read from
    a file keeps its codes, mean and std to the bit until the float tensor is moved.

    Args:
        latent: The float tensor.
        bits: 1 to 8.

    Source:
        1-bit adapters, "Revisiting the Parameter Efficiency of Adapters from the Perspective of
        Precision Redundancy" (2023, arXiv 2307.16867).
    """

    start: Tensor | None
    value: Tensor | None

    def __init__(self, latent: nn.Parameter, bits: int):
        super().__init__()
        self.latent, self.bits = latent, bits
        self.packed: tuple[Tensor, Tensor] | None = None
        self.register_buffer("start", None, persistent=False)
        self.register_buffer("value", None, persistent=False)

    def forward(self) -> Tensor:
        """Return the quantised tensor."""
        if not self.is_as_read():
            return self.quantise()
        assert self.value is not None
        if not (torch.is_grad_enabled() and self.latent.requires_grad):
            return self.value
        moving = self.quantise()
        return self.value + (moving - moving.detach())

    def quantise(self) -> Tensor:
        """Quantise by the tensor's own mean and std."""
        normal, mean, std = _normalise(self.latent)
        levels = levels_of(self.bits, self.latent.device)
        nearest = levels[_nearest(normal.detach(), levels)]
        # The difference is zero: it alone has a gradient.
        return (std * (nearest + (normal - normal.detach())) + mean).to(self.latent.dtype)

    def is_as_read(self) -> bool:
        """Tell whether the float tensor is what `unpack` has made."""
        return self.start is not None and torch.equal(self.latent, self.start)

    @torch.no_grad()
    def pack(self) -> tuple[Tensor, Tensor]:
        """Return the packed codes, uint8, and mean and std, float32 [2]."""
        if self.packed is not None and self.is_as_read():
            return self.packed
        normal, mean, std = _normalise(self.latent)
        codes = _nearest(normal, levels_of(self.bits, self.latent.device))
        return pack_codes(codes, self.bits), torch.stack([mean, std])

    @torch.no_grad()
    def unpack(self, codes: Tensor, moments: Tensor) -> None:
        """Take what `pack` returned.

        The float tensor is set so that its mean and std are those too, as far as rounding goes:
        training goes on where it was.

        Args:
            codes: Packed codes.
            moments: Mean and std.

        Raises:
            ValueError: They are of another size.
        """
        latent, size = self.latent, packed_bytes(self.latent.numel(), self.bits)
        if codes.dtype != torch.uint8 or codes.shape != (size,) or moments.shape != (2,):
            raise ValueError(
                f"codes of the shape {tuple(codes.shape)} and type {codes.dtype}; expected "
                f"({size},) of torch.uint8, for {tuple(latent.shape)} at {self.bits} bits"
            )
        codes, moments = codes.to(latent.device), moments.to(latent.device, torch.float32)
        levels = levels_of(self.bits, latent.device)
        found = levels[unpack_codes(codes, self.bits, latent.numel())].view(latent.shape)
        mean, std = moments
        self.value = (std * found + mean).to(latent.dtype)
        spread = found.std(correction=0).clamp_min(EPSILON)
        latent.copy_(std * (found - found.mean()) / spread + mean)
        self.start = latent.detach().clone()
        self.packed = codes, moments


def _normalise(latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    latent = latent.float()
    mean, std = latent.mean(), latent.std(correction=0)
    return (latent - mean) / (std + EPSILON), mean, std


def _nearest(normal: Tensor, levels: Tensor) -> Tensor:
    return torch.bucketize(normal, (levels[1:] + levels[:-1]) / 2)


def pack_codes(codes: Tensor, bits: int) -> Tensor:
    """Pack numbers of so many bits, the lowest bit first.

    Args:
        codes: Whole numbers from 0 to 2 ** bits - 1, of any shape.
        bits: 1 to 8.

    Returns:
        Flat, uint8, [ceil(numel * bits / 8)].
    """
    places = torch.arange(8, dtype=torch.uint8, device=codes.device)
    flat = codes.flatten().to(torch.uint8)
    single = (flat[:, None] >> places[:bits] & 1).flatten()
    padded = torch.cat([single, single.new_zeros(-len(single) % 8)])
    return (padded.view(-1, 8) << places).sum(1, dtype=torch.uint8)


def unpack_codes(packed: Tensor, bits: int, count: int) -> Tensor:
    """Take apart what `pack_codes` made.

    Args:
        packed: uint8, flat.
        bits: 1 to 8.
        count: How many numbers there are.

    Returns:
        [count].
    """
    places = torch.arange(8, dtype=torch.uint8, device=packed.device)
    single = (packed[:, None] >> places & 1).flatten()[: count * bits]
    return (single.view(count, bits) << places[:bits]).sum(1)


def packed_bytes(numel: int, bits: int) -> int:
    """Return how long the packed codes of a tensor are."""
    return -(-numel * bits // 8)


def check_bits(bits: int) -> None:
    """Check a number of bits.

    Raises:
        ValueError: It is none from 1 to 8.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise ValueError(f"bits is {bits!r}; expected 1 to 8, or None for float.")


def quantise(module: nn.Module, bits: int = 1) -> int:
    """Quantise the trained matrices of a module, in place; its vectors stay float.

    A matrix is a tensor of two axes or more. The parameters stay float and the same objects; the
    module sees their quantised values. A matrix that is constant, as one that starts at zero, has
    no std: it gets noise of std 1e-3, cut off at 2e-3. The module can be copied, but no longer be
    pickled.

    Args:
        module: An adapter, or a head.
        bits: Bits of each entry, 1 to 8.

    Returns:
        How many tensors are quantised.

    Raises:
        ValueError: `bits` is not from 1 to 8, or a module inside keeps hold of its matrices.
    """
    check_bits(bits)
    found = [
        (inside, name, parameter)
        for inside in module.modules()
        for name, parameter in inside.named_parameters(recurse=False)
        if parameter.requires_grad and parameter.ndim > 1 and parameter.numel() > 1
    ]
    for inside, _, _ in found:
        if isinstance(inside, nn.RNNBase | nn.ParameterDict | Quantised):
            raise ValueError(
                f"A {type(inside).__name__} keeps hold of its matrices, so they cannot be "
                "quantised. Leave bits out."
            )
    for inside, name, parameter in found:
        _leave_constant(parameter)
        _replace(inside, name, Quantised(parameter, bits))
    return len(found)


def quantise_all(method: str, held: Iterable[Any], bits: int) -> None:
    """Quantise an adapter.

    Args:
        method: Its name, for messages.
        held: Its modules, and parameters without a module of their own.
        bits: Bits of each entry, 1 to 8.

    Raises:
        ValueError: A matrix cannot be quantised, or there is none.
    """
    modules, alone = [], []
    for one in held:
        (modules if isinstance(one, nn.Module) else alone).append(one)
    if any(parameter.ndim > 1 for parameter in alone):
        raise ValueError(
            f"PEFT keeps matrices of {method!r} without a module of their own, so they cannot be "
            "quantised. Leave bits out."
        )
    if not sum(quantise(module, bits) for module in modules):
        raise ValueError(
            f"Method {method!r} has no matrices to quantise with these options; leave bits out."
        )


@torch.no_grad()
def _leave_constant(parameter: nn.Parameter) -> None:
    if not parameter.is_meta and bool((parameter == parameter.flatten()[0]).all()):
        limit = 2 * STD_AT_START
        noise = torch.empty_like(parameter)
        parameter.add_(nn.init.trunc_normal_(noise, std=STD_AT_START, a=-limit, b=limit))


def _replace(module: nn.Module, name: str, quantised: Quantised) -> None:
    """Let a module find the quantised tensor under the parameter's name.

    torch's own `parametrize` cannot: it has no parameters named keys or values.
    """
    held, kind = f"{HELD}{name}", type(module)
    del module._parameters[name]
    module.add_module(held, quantised)
    seen = property(lambda self: self._modules[held]())
    module.__class__ = type(kind.__name__, (kind,), {name: seen, "__module__": kind.__module__})


def plain_name(name: str) -> str:
    """Drop what quantising adds to the names of parameters."""
    return re.sub(rf"(^|\.){HELD}([^.]+)\.latent$", r"\1\2", name)


def pack_state(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Pack what is quantised in a state.

    Args:
        state: The module's own parameters and buffers, or some of them, by any names.
        module: What holds them.

    Returns:
        The state; of a quantised tensor there are packed codes, as NAME.codes, and mean and std,
        as NAME.moments.
    """
    quantised = _quantised_in(module)
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if id(tensor) in quantised:
            codes, moments = quantised[id(tensor)].pack()
            found |= {name + CODES: codes, name + MOMENTS: moments}
        else:
            found[name] = tensor.detach()
    return found


def unpack_state(
    tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], module: nn.Module
) -> dict[str, Tensor]:
    """Set what is quantised in a state.

    Args:
        tensors: What `pack_state` returned: codes, moments and plain tensors by name.
        state: Parameters and buffers to set, under the names that were packed.
        module: What holds it.

    Returns:
        The tensors that are not quantised, which are still to be set.

    Raises:
        ValueError: A tensor has another size.
    """
    rest, quantised = dict(tensors), _quantised_in(module)
    for name, tensor in state.items():
        if id(tensor) in quantised:
            codes, moments = rest.pop(name + CODES), rest.pop(name + MOMENTS)
            try:
                quantised[id(tensor)].unpack(codes, moments)
            except ValueError as error:
                raise ValueError(f"{name} has {error}") from error
    return rest


def _quantised_in(module: nn.Module) -> dict[int, Quantised]:
    """Return what is quantised, by the id of the float tensor."""
    return {id(m.latent): m for m in module.modules() if isinstance(m, Quantised)}
