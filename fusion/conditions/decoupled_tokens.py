"""Cross-attention to tokens of a condition, beside the denoiser's own to its text."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from fusion.conditions.branches import Branch, branches_on, first_input, key_of
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector
from fusion.conditions.tokenisers import AttributeAutoencoder, AttributeMlp, Projection
from fusion.contract.options import check_choice
from modalities.diffusion.decoupled import cross_attentions

NONE, PROJECTION, MLP, AUTOENCODER = "none", "projection", "mlp", "autoencoder"
TOKENISERS = (NONE, PROJECTION, MLP, AUTOENCODER)


@dataclass(frozen=True)
class DecoupledOptions:
    """How tokens of a condition are made and read.

    Attributes:
        tokeniser: A name of `TOKENISERS`: what makes tokens of a vector, or "none" where the
            condition is tokens.
        dim: Width of the vector.
        tokens: How many it becomes.
        hidden: Width between layers of "mlp" and "autoencoder".
        cause: Width of the hidden cause of "autoencoder".
        token_dim: Width of tokens; 0 for that of the denoiser's own.
        bounds: The least and the most that a number of the vector can be; () for any.
        zero: Whether it begins by adding 0.
    """

    tokeniser: str = NONE
    dim: int = 1024
    tokens: int = 4
    hidden: int = 256
    cause: int = 16
    token_dim: int = 0
    bounds: tuple[float, ...] = ()
    zero: bool = True

    def __post_init__(self):
        check_choice("tokeniser", self.tokeniser, TOKENISERS)
        check_counts(self, "dim", "tokens", "hidden", "cause")
        if self.bounds and not (len(self.bounds) == 2 and self.bounds[0] < self.bounds[1]):
            raise ValueError(f"bounds are {list(self.bounds)}; expected the least and the most.")


class DecoupledTokens(Injector):
    """Lets each cross-attention read tokens of a condition, with keys and values of its own.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: Sizes.

    Attributes:
        divergence: After a step in training, what the hidden cause of "autoencoder" says that
            attributes do not, in nats, [rows]: a term of the loss.

    Raises:
        ValueError: Another denoiser, or one without cross-attention of the right form.

    Source:
        IP-Adapter, arXiv 2308.06721; Att-Adapter, arXiv 2503.11937.
    """

    Options = DecoupledOptions

    def __init__(self, model: Any, options: DecoupledOptions):
        super().__init__(model, options)
        own = model.config.cross_attention_dim
        self.token_dim = options.token_dim or own
        if self.token_dim != own:
            raise ValueError(f"token_dim is {self.token_dim}; this denoiser reads tokens of {own}.")
        self.branches = branches_on(
            list(cross_attentions(model)), False, options.zero, "cross-attention"
        )
        self.tokeniser: Any = _tokeniser(options, model.config.in_channels, self.token_dim)
        self.divergence: Tensor | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """A vector, or tokens where nothing makes them."""
        return ("tokens",) if self.tokeniser is None else ("vector",)

    @property
    def may_take(self) -> tuple[str, ...]:
        """In training the latents of the picture, where a hidden cause is read from it."""
        return ("latent",) if self.options.tokeniser == AUTOENCODER else ()

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds, widths or numbers that it was not built for.
        """
        super().check(conditions)
        given = conditions[self.needs[0]]
        width = self.token_dim if self.tokeniser is None else self.options.dim
        if given.data.shape[-1] != width:
            raise ValueError(
                f"The {given.kind} {given.name!r} is {given.data.shape[-1]} wide; expected {width}."
            )
        if self.options.bounds:
            least, most = self.options.bounds
            out = given.data[(given.data < least) | (given.data > most)]
            if out.numel():
                raise ValueError(
                    f"The {given.kind} {given.name!r} has {out[0]:g}; expected {least:g} to "
                    f"{most:g}."
                )

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Make tokens, [rows, tokens, token_dim], and their mask where some are not real."""
        given = conditions[self.needs[0]]
        if self.options.tokeniser == AUTOENCODER:
            seen = conditions.get("latent")
            tokens, self.divergence = self.tokeniser(given.data, seen.data if seen else None)
            return {"tokens": tokens}
        if self.tokeniser is not None:
            return {"tokens": self.tokeniser(given.data)}
        mask = given.mask
        return {"tokens": given.data} if mask is None else {"tokens": given.data, "mask": mask}

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each cross-attention."""
        return [
            attention.register_forward_hook(partial(self._add, key_of(name)), with_kwargs=True)
            for name, attention in cross_attentions(model)
        ]

    def _add(
        self, key: str, attention: Any, args: tuple, kwargs: dict[str, Any], output: Tensor
    ) -> Tensor:
        if not self.on:
            return output
        branch, told = self.branches[key], self.told
        assert isinstance(branch, Branch) and told is not None and told.values is not None
        states, tokens = first_input(args, kwargs), told.values["tokens"]
        batch = len(states)
        keys = told.keep((key, "keys", batch), lambda: told.spread(branch.to_k(tokens), batch))
        values = told.keep((key, "values", batch), lambda: told.spread(branch.to_v(tokens), batch))
        mask = told.take("mask", batch) if "mask" in told.values else None
        found = branch(attention, states, keys, values, mask)
        return output + told.scale * found.to(output.dtype)


def _tokeniser(options: DecoupledOptions, channels: int, token_dim: int) -> torch.nn.Module | None:
    if options.tokeniser == PROJECTION:
        return Projection(options.dim, options.tokens, token_dim)
    if options.tokeniser == MLP:
        return AttributeMlp(options.dim, options.hidden, options.tokens, token_dim)
    if options.tokeniser == AUTOENCODER:
        return AttributeAutoencoder(
            options.dim, options.hidden, options.cause, channels, options.tokens, token_dim
        )
    return None
