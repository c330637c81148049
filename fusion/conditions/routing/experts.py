"""Experts that change the tokens of a picture: each by one thing that was told."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from fusion.conditions.rotary import Angles, turn
from modalities.diffusion.decoupled import split_heads

TEXT, MASK, REFERENCE, BASE = "text", "mask", "reference", "base"
EXPERTS = (TEXT, MASK, REFERENCE, BASE)


@dataclass(frozen=True, eq=False)
class Seen:
    """What experts see beside the tokens of the picture; None where it was not told.

    Attributes:
        grid: Height and width of the picture in tokens.
        text: Its tokens, as the block returns them, [batch, tokens, dim].
        angles: Rotary angles of the picture's places, each [places, head_dim].
        base: Tokens of the picture that is edited, [batch, places, base_dim].
        reference: Tokens of a reference, [batch, tokens, reference_dim].
        real: Which of these are real, bool, [batch, tokens]; None for all.
        mask: Where to edit, 0 to 1, [batch, 1, height, width].
    """

    grid: tuple[int, int]
    text: Tensor
    angles: Angles
    base: Tensor | None = None
    reference: Tensor | None = None
    real: Tensor | None = None
    mask: Tensor | None = None

    def painted(self, mask: Tensor) -> "Seen":
        """Return the same with another mask."""
        return replace(self, mask=mask)


@dataclass(frozen=True)
class Sizes:
    """Sizes of the experts of a denoiser.

    Attributes:
        dim: Width of its tokens.
        heads: How many an expert's attention has.
        head_dim: Width of each, the denoiser's own.
        base_dim: Width of tokens of a picture that is edited.
        reference_dim: Width of tokens of a reference.
    """

    dim: int
    heads: int
    head_dim: int
    base_dim: int
    reference_dim: int

    @property
    def width(self) -> int:
        """Width of what an expert reckons with."""
        return self.heads * self.head_dim


def to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return tokens, [batch, places, dim], as a map, [batch, dim, height, width]."""
    return tokens.mT.unflatten(2, grid)


def to_tokens(features: Tensor) -> Tensor:
    """Return a map, [batch, dim, height, width], as tokens, [batch, places, dim]."""
    return features.flatten(2).mT


class LightAdapter(nn.Module):
    """A convolution of each channel by itself, then a layer that begins at 0.

    Args:
        width: Channels that it reads.
        dim: Channels that it makes.
    """

    def __init__(self, width: int, dim: int):
        super().__init__()
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.up = nn.Linear(width, dim, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, features: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return [batch, places, dim] of [batch, places, width]."""
        return self.up(functional.silu(to_tokens(self.near(to_map(features, grid)))))


class AttendingExpert(nn.Module):
    """Lets the picture's places attend to tokens: those of the text, or of what is edited.

    Of what is edited, each place is also told the token at its own position, which CARE-Edit's
    tokens have from the denoiser's own attention; that is ours.

    Args:
        sizes: Widths of the denoiser's tokens and heads.
        token_dim: Width of the tokens.
        aligned: Whether they lie where the picture's places do.
    """

    def __init__(self, sizes: Sizes, token_dim: int, aligned: bool):
        super().__init__()
        self.heads, self.aligned = sizes.heads, aligned
        self.to_q = nn.Linear(sizes.dim, sizes.width, bias=False)
        self.to_k = nn.Linear(token_dim, sizes.width, bias=False)
        self.to_v = nn.Linear(token_dim, sizes.width, bias=False)
        self.adapter = LightAdapter(sizes.width, sizes.dim)

    def forward(self, states: Tensor, seen: Seen) -> Tensor:
        """Return what is added to the picture's tokens, [batch, places, dim].

        Args:
            states: Those, normed, [batch, places, dim].
            seen: What there is beside.
        """
        tokens = seen.base if self.aligned else norm_tokens(seen.text)
        assert tokens is not None
        query, keys = (
            split_heads(one, self.heads) for one in (self.to_q(states), self.to_k(tokens))
        )
        if self.aligned:
            query, keys = turn(query, seen.angles), turn(keys, seen.angles)
        values = split_heads(self.to_v(tokens), self.heads)
        found = functional.scaled_dot_product_attention(query, keys, values)
        if self.aligned:  # each place reads what lies where it does as well
            found = found + values
        return self.adapter(found.transpose(1, 2).flatten(2), seen.grid)


class ReferenceExpert(nn.Module):
    """Scales and shifts the picture's tokens by the mean of what a reference's tokens become.

    Args:
        sizes: Widths of the denoiser's tokens and heads.
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.down = nn.Linear(sizes.dim, sizes.width, bias=False)
        self.read = nn.Linear(sizes.reference_dim, sizes.width)
        self.film = nn.Linear(sizes.width, 2 * sizes.width)
        self.adapter = LightAdapter(sizes.width, sizes.dim)

    def summary(self, seen: Seen) -> Tensor:
        """Return what the reference is like, [batch, width]."""
        assert seen.reference is not None
        read = functional.silu(self.read(seen.reference))
        if seen.real is None:
            return read.mean(1)
        real = seen.real[..., None].to(read)
        return (read * real).sum(1) / real.sum(1)

    def forward(self, states: Tensor, seen: Seen) -> Tensor:
        """Return what is added to the picture's tokens, see `AttendingExpert`."""
        scale, shift = self.film(self.summary(seen))[:, None].chunk(2, -1)
        return self.adapter(self.down(states) * (1 + scale) + shift, seen.grid)


class MaskExpert(nn.Module):
    """Convolves the picture's tokens where the mask is.

    Args:
        sizes: Widths of the denoiser's tokens and heads.
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.down = nn.Linear(sizes.dim, sizes.width)
        self.near = nn.Conv2d(sizes.width, sizes.width, 3, padding=1)
        self.adapter = LightAdapter(sizes.width, sizes.dim)

    def forward(self, states: Tensor, seen: Seen) -> Tensor:
        """Return what is added to the picture's tokens, see `AttendingExpert`."""
        assert seen.mask is not None
        read = to_map(self.down(states), seen.grid) * seen.mask.to(states)
        return self.adapter(to_tokens(functional.silu(self.near(read))), seen.grid)


def build_expert(name: str, sizes: Sizes) -> nn.Module:
    """Build an expert by its name, one of `EXPERTS`."""
    makers: dict[str, Any] = {
        TEXT: lambda: AttendingExpert(sizes, sizes.dim, aligned=False),
        BASE: lambda: AttendingExpert(sizes, sizes.base_dim, aligned=True),
        REFERENCE: lambda: ReferenceExpert(sizes),
        MASK: lambda: MaskExpert(sizes),
    }
    return makers[name]()


def norm_tokens(states: Tensor) -> Tensor:
    """Return tokens with mean 0 and deviation 1 each, as experts and routers read them."""
    return functional.layer_norm(states, states.shape[-1:])
