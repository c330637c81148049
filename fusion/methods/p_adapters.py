"""P-Adapters: a recurrent network that makes prompts from the input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fusion.contract.method import Adapter, Attention
from fusion.contract.sites import Site
from fusion.methods.prefix import check_tokens
from fusion.methods.prompts import (
    check_pairs,
    is_decoder,
    is_first,
    is_last,
    longer_mask,
    takes_prompts,
)


@dataclass(frozen=True)
class RewritePromptsOptions:
    """Options of rewritten inputs.

    Attributes:
        residual: Whether the network's output is added to the input, from zero; else it takes its
            place, as in the paper, and a fresh adapter changes the model.
    """

    residual: bool = True


class RewritePrompts(Adapter):
    """A network over the whole input rewrites what the first block of an encoder reads.

    The paper has it at word embeddings, `where=("embed",)`; there it leaves padding out, where the
    table says which word that is, and expects it at the end. It reads padding at "input". Decoders
    are passed over, since it reads to the end before it writes the beginning.
    """

    Options = RewritePromptsOptions
    embeddings = True
    where = ("input",)
    float_only = "torch's LSTM holds its own matrices"
    title = "P-Adapters, Rewrite (2021, arXiv 2110.07280)"
    formula = "E' = E + W biLSTM(E) (residual) or W biLSTM(E)"

    def __init__(self, site: Site, options: RewritePromptsOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.residual, self.at_table = options.residual, site.role == "embed"
        self.padding = getattr(site.module, "padding_idx", None) if self.at_table else None
        self.reader = build_reader(site.dim_in)
        self.out = nn.Linear(2 * (site.dim_in // 2), site.dim_in)
        if options.residual:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    @classmethod
    def accepts(cls, site: Site, options: RewritePromptsOptions) -> bool:
        """Take inputs of encoders; of a table the name alone tells whose it is."""
        whole = site.role in ("input", "embed") and "decoder" not in site.name.split(".")
        return whole and not is_decoder(site)

    @classmethod
    def count(cls, site: Site, options: RewritePromptsOptions) -> int:
        """The reader's and d^2 + d."""
        dim = site.dim_in
        return count_reader(dim) + 2 * (dim // 2) * dim + dim

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Rewrite what a block reads."""
        return inputs if self.at_table else self._rewrite(inputs)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Rewrite what an embedding table returns."""
        if not self.at_table:
            return outputs
        return self._rewrite(outputs, None if self.padding is None else inputs != self.padding)

    def _rewrite(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        written = self.out(read(self.reader, features, mask))
        return features + written if self.residual else written


@dataclass(frozen=True)
class PrefixPromptsOptions:
    """Options of prompts that depend on the input.

    Attributes:
        tokens: Prompts.
    """

    tokens: int = 9

    def __post_init__(self):
        check_tokens(self.tokens)


class PrefixPrompts(Adapter):
    """Prompts that a network makes of the input go through all blocks of an encoder.

    The paper puts them in front of word embeddings, where they get positions; here they come
    before the first block, without. The network reads padding too. What `ShallowPrompts` says of
    decoders, of several at once and of the blocks between holds here too.
    """

    Options = PrefixPromptsOptions
    where = ("block", "self.attention")  # attention makes the mask longer
    acts_on = "attention"
    per_sample = False
    changed_at_start = "attention spreads over the prompts"
    float_only = "torch's LSTM holds its own matrices"
    title = "P-Adapters, Prefix (2021, arXiv 2110.07280)"
    formula = "y = blocks([MLP(max_t biLSTM(E)); E]) without the prompts"

    def __init__(self, site: Site, options: PrefixPromptsOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.tokens, self.first, self.last = options.tokens, is_first(site), is_last(site)
        if self.first:
            dim = site.dim_in
            self.reader = build_reader(dim)
            self.hidden = nn.Linear(2 * (dim // 2), dim)
            self.out = nn.Linear(dim, options.tokens * dim)

    @classmethod
    def accepts(cls, site: Site, options: PrefixPromptsOptions) -> bool:
        """Take encoders."""
        return takes_prompts(site) and not is_decoder(site)

    @classmethod
    def share(cls, sites: Sequence[Site], options: PrefixPromptsOptions) -> None:
        """Check that the prompts can go all the way."""
        check_pairs(sites, all_layers=True)

    @classmethod
    def count(cls, site: Site, options: PrefixPromptsOptions) -> int:
        """The reader's and (1 + tokens) (d^2 + d), once an encoder."""
        if not is_first(site):
            return 0
        dim, read_dim = site.dim_in, 2 * (site.dim_in // 2)
        return count_reader(dim) + (read_dim + 1) * dim + options.tokens * (dim + 1) * dim

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Put the prompts before the first block."""
        if not self.first:
            return inputs
        summary = read(self.reader, inputs).amax(1)  # [batch, dim]
        prompts = self.out(torch.relu(self.hidden(summary)))
        return torch.cat([prompts.unflatten(1, (self.tokens, -1)), inputs], 1)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Drop them after the last."""
        return outputs[:, self.tokens :] if self.last else outputs

    def attend(self, call: Attention) -> Tensor:
        """Attend with the prompts in the mask."""
        return call.run(call.key, call.value, longer_mask(call, self.tokens))


def build_reader(dim: int) -> nn.LSTM:
    """Build the network: two layers, half as wide as the model in each direction."""
    return nn.LSTM(dim, dim // 2, num_layers=2, batch_first=True, bidirectional=True)


def count_reader(dim: int) -> int:
    """2 (4 n (d + n) + 8 n) + 2 (4 n 3 n + 8 n) with n = d / 2."""
    half = dim // 2
    return 2 * (4 * half * (dim + half) + 8 * half) + 2 * (12 * half**2 + 8 * half)


def read(reader: nn.LSTM, features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Read in both directions.

    Args:
        reader: The two-layer network that `build_reader` built, as wide as the features.
        features: [batch, tokens, dim].
        mask: True where real, [batch, tokens]; the rest is at the end and is not read.

    Returns:
        [batch, tokens, dim]; 0 where nothing was read.
    """
    if mask is None:
        return reader(features)[0]
    lengths = mask.sum(1).clamp(min=1).cpu()
    packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(reader(packed)[0], batch_first=True, total_length=features.shape[1])[
        0
    ]
