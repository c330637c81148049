"""The tokens that a language model gets for places in pictures, and the tables that grow by them.

In BART one table is five places: words into encoder and decoder, places of visual tokens, and the
head that scores words. In T5 1.1 and Flan the head is a table of its own.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KINDS = ("extra_id", "vis_extra_id")
# The first place in a picture is the last row; T5 has the first hundred of them already.
ADDED = tuple(f"<{kind}_{number}>" for kind in KINDS for number in reversed(range(100)))


def add_tokens(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Add the tokens of `ADDED` that a tokenizer lacks, at its end and in their order."""
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    lacking = [AddedToken(name, special=True) for name in ADDED if name not in known]
    tokenizer.add_tokens(lacking, special_tokens=True)  # type: ignore[arg-type]


@torch.no_grad()
def resize(model: "PreTrainedModel", vocabulary: int, deviation: float, seed: int = 0) -> None:
    """Bring the tables of words to a size; what is one storage stays one.

    Args:
        model: Is changed, its config too.
        vocabulary: Rows; where they are as many already, nothing is touched.
        deviation: Of the new rows, drawn around 0. transformers' own start would make them one
            vector, and all places in a picture one place.
        seed: Fixes the new rows: they stay frozen, and what is trained on them needs them again.
    """
    table: Any = model.get_input_embeddings().weight
    old = len(table)
    if old == vocabulary:  # even then transformers would exchange the head of T5 1.1
        return
    head: Any = model.get_output_embeddings()
    own = None if head.weight is table else head.weight.detach().clone()
    with torch.random.fork_rng(devices=[]):  # transformers draws, and it is drawn anew below
        model.resize_token_embeddings(vocabulary, mean_resizing=False)
    table = model.get_input_embeddings().weight
    if vocabulary > old and not table.is_meta:
        drawn = torch.randn(
            vocabulary - old, table.shape[1], generator=torch.Generator().manual_seed(seed)
        )
        table[old:] = (drawn * deviation).to(table)
    if own is not None:
        model.set_output_embeddings(_resize_head(own, vocabulary))


def _resize_head(own: Tensor, vocabulary: int) -> nn.Linear:
    """Return a head with the rows of another; new ones score as their mean does, never highest."""
    rows, dim = own.shape
    new = own.mean(0, keepdim=True).expand(max(vocabulary - rows, 0), -1)
    head = nn.Linear(dim, vocabulary, bias=False, device="meta")
    head.weight = nn.Parameter(torch.cat([own[:vocabulary], new]))
    return head
