"""What the tests of several methods compare with, and what they look into."""

from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from fusion.adapters.interface import Adapters
from fusion.contract.sites import Site
from fusion.papers.models import MODELS

DIM = 12


# Sites and tensors without a model


@pytest.fixture
def bare_site() -> Site:
    """The last layer of an mlp that reads 20 features and gives 12, beside no model."""
    return Site("fc2", "mlp", "layers", 0, 1, nn.Identity(), 20, DIM)


@pytest.fixture(scope="session")
def moved():
    """Moves the parameters of a bare adapter off their start; returns it in evaluation."""

    def move(adapter: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
        return adapter.eval()

    return move


@pytest.fixture(scope="session")
def features_of():
    """Draws what a bare site gives for so many tokens, [rows, tokens, 12]."""

    def draw(count: int, rows: int = 2) -> Tensor:
        return torch.randn(rows, count, DIM, generator=torch.Generator().manual_seed(4))

    return draw


@pytest.fixture(scope="session")
def inputs_of():
    """Draws features for a layer that is adapted by itself, [rows, 5, dim]."""

    def draw(rows: int = 3, dim: int = DIM) -> Tensor:
        return torch.randn(rows, 5, dim, generator=torch.Generator().manual_seed(2))

    return draw


@pytest.fixture(scope="session")
def convolve_slowly():
    """Convolves [batch, tokens, rank] with [rank out, rank in, taps], token by token."""

    def convolve(narrow: Tensor, taps: Tensor, before: int) -> Tensor:
        out = torch.zeros_like(narrow)
        for token in range(narrow.shape[1]):
            for tap in range(taps.shape[2]):
                seen = token + tap - before
                if 0 <= seen < narrow.shape[1]:
                    out[:, token] += narrow[:, seen] @ taps[:, :, tap].T
        return out

    return convolve


# Counts


@pytest.fixture(scope="session")
def full_size():
    """Builds a model of the published tables in its full size, without weights."""

    def build_one(name: str) -> nn.Module:
        with torch.device("meta"):
            return MODELS[name]()

    return build_one


@pytest.fixture(scope="session")
def both_counts():
    """Counts the adapter "default" by its closed form, and by the tensors it has."""

    def count(adapters: Adapters) -> tuple[int, int]:
        held = sum(parameter.numel() for parameter in adapters.parameters("default"))
        return adapters.count("default"), held

    return count


# Looking into a model


@pytest.fixture(scope="session")
def adapter_at():
    """Finds the module of an adapter at a place of a model."""

    def find(model: nn.Module, site: str, key: str = "default"):
        return model.get_submodule(site).mcgurk_site.mcgurk_adapters[key]

    return find


@pytest.fixture(scope="session")
def tensors_of():
    """Names the values of the adapter "default" by the place and what they are there."""

    def name_all(adapters: Adapters) -> dict[str, Tensor]:
        return {
            path.replace("mcgurk_adapters.", ""): parameter.detach()
            for path, parameter in adapters.named_parameters("default").items()
        }

    return name_all


@pytest.fixture(scope="session")
def entries_of():
    """Says which entries of a layer SHiRA trains, [out, in]."""

    def mask_of(model: nn.Module, name: str = "0", key: str = "default") -> Tensor:
        layer = model.get_submodule(name)
        mask = torch.zeros(layer.weight.shape)
        mask[tuple(layer.shira_indices[key].long())] = 1
        return mask.bool()

    return mask_of


@pytest.fixture(scope="session")
def recorded():
    """Records what a module reads and returns."""

    @contextmanager
    def record(module: nn.Module):
        calls: list = []

        def keep(module, args, kwargs, output):
            read = args[0] if args else kwargs["hidden_states"]
            calls.append((read, kwargs, output[0] if isinstance(output, tuple) else output))

        # After the holder's hooks, so that it sees what they make of the output.
        handle = module.register_forward_hook(keep, with_kwargs=True)
        yield calls
        handle.remove()

    return record


# Attention by hand


@pytest.fixture
def bart_inputs(tokens_of) -> dict[str, Tensor]:
    """What the tiny BART reads: two rows, of which the first ends after 4 of 7 tokens."""
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, 4:] = 0
    return dict(input_ids=tokens_of(), attention_mask=mask, decoder_input_ids=tokens_of(2, 5))


@pytest.fixture
def seen_in(bart_inputs):
    """Says which keys are seen in `bart_inputs`, [batch, 1, tokens or 1, keys]."""

    def mask_of(site: str) -> Tensor:
        if site.startswith("encoder"):
            return bart_inputs["attention_mask"].bool()[:, None, None]
        return torch.ones(5, 5, dtype=torch.bool).tril()[None, None].expand(2, -1, -1, -1)

    return mask_of


@pytest.fixture(scope="session")
def heads_of():
    """Parts features into heads: [..., tokens, dim] -> [..., heads, tokens, head_dim]."""

    def part(features: Tensor, heads: int = 2) -> Tensor:
        return features.unflatten(-1, (heads, -1)).transpose(-3, -2)

    return part


@pytest.fixture(scope="session")
def softmax_attention():
    """Attends step by step: [..., heads, tokens, head_dim] -> [batch, tokens, dim]."""

    def attend(query: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None = None) -> Tensor:
        scores = query @ keys.transpose(-2, -1) / query.shape[-1] ** 0.5
        if seen is not None:
            scores = scores.masked_fill(~seen, -torch.inf)
        return (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)

    return attend
