"""Our methods on weights of AdapterHub's adapters 1.3.0 give what AdapterHub gives."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fusion.adapters.interface import Adapters, attach

PYTHON = Path(__file__).resolve().parents[3] / ".venv/adapterhub/bin/python"
SCRIPT = Path(__file__).with_name("adapterhub_reference.py")
pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if not PYTHON.exists():
        pytest.skip("AdapterHub's environment is not here; `make peers` sets it up")
    path = tmp_path_factory.mktemp("adapterhub") / "out.safetensors"
    subprocess.run([str(PYTHON), str(SCRIPT), str(path)], check=True, capture_output=True)
    return load_file(path)


@pytest.fixture
def bert(reference) -> nn.Module:
    from transformers import BertConfig, BertModel

    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    model = BertModel(
        BertConfig(**sizes, vocab_size=99, max_position_embeddings=16), add_pooling_layer=False
    )
    base = {k.removeprefix("base."): v for k, v in reference.items() if k.startswith("base.")}
    wanted = model.state_dict()
    model.load_state_dict({k: v for k, v in base.items() if k in wanted})
    return model.eval()


def fill(
    adapters: Adapters, rename: Callable[[str], tuple[str, Callable[[Tensor], Tensor]]], theirs
):
    """Copy weights; `rename` gives AdapterHub's name of one of ours, and what to do with it."""
    with torch.no_grad():
        for name, parameter in adapters.named_parameters("default").items():
            source, change = rename(name)
            parameter.copy_(change(theirs[source]))


def keep(tensor: Tensor) -> Tensor:
    return tensor


def bottleneck_name(kind: str, name: str) -> tuple[str, Callable[[Tensor], Tensor]]:
    site, _, rest = name.partition(".dense.")
    part, _, which = rest.removeprefix("mcgurk_adapters.").partition(".")
    layer = {"down": "adapter_down.0", "up": "adapter_up"}[part]
    return f"{kind}.weights.{site}.adapters.{kind}.{layer}.{which}", keep


def compare(reference, bert, kind: str) -> None:
    with torch.no_grad():
        found = bert(input_ids=reference["tokens"], attention_mask=reference["mask"])
    expected = reference[f"{kind}.output"]
    real = reference["mask"].bool()
    torch.testing.assert_close(found.last_hidden_state[real], expected[real], atol=1e-5, rtol=1e-4)


def test_sequential_bottlenecks(reference, bert):
    adapters = attach(bert, "bottleneck", {"rank": 4, "activation": "silu"})
    fill(adapters, lambda name: bottleneck_name("houlsby", name), reference)
    compare(reference, bert, "houlsby")


def test_parallel_bottlenecks(reference, bert):
    options = {"rank": 4, "activation": "relu", "mode": "parallel", "scale": 4.0}
    adapters = attach(bert, "bottleneck", options, ("mlp",))
    fill(adapters, lambda name: bottleneck_name("parallel", name), reference)
    compare(reference, bert, "parallel")


def test_invertible_adapters_with_bottlenecks(reference, bert):
    def name_of(name: str) -> tuple[str, Callable[[Tensor], Tensor]]:
        part, _, which = name.rpartition("mcgurk_adapters.")[2].partition(".")
        if ".dense." in name:
            return bottleneck_name("invertible", name)
        side, network = part.split("_")
        layer = f"{'FG'[network == 'second']}.{ {'down': 0, 'up': 2}[side] }"
        return f"invertible.weights.invertible_adapters.invertible.{layer}.{which}", keep

    attach(bert, "bottleneck", {"rank": 4, "activation": "relu"}, ("mlp",))
    adapters = attach(bert, "invertible")
    fill(adapters, name_of, reference)
    compare(reference, bert, "invertible")


def test_prefixes(reference, bert):
    tokens, layers = 3, 2
    holder = "attention.self.prefix_tuning.pool.prefix_tunings.prefix.self_prefix.control_trans"

    def name_of(name: str) -> tuple[str, Callable[[Tensor], Tensor]]:
        layer = int(name.split(".")[2])
        which = 2 * layer + name.endswith("values")
        return (
            f"prefix.weights.encoder.layer.0.{holder}",
            lambda flat: flat.view(tokens, 2 * layers, -1)[:, which],
        )

    adapters = attach(bert, "prefix", {"tokens": tokens})
    fill(adapters, name_of, reference)
    compare(reference, bert, "prefix")


def test_compacter(reference, bert):
    def name_of(name: str) -> tuple[str, Callable[[Tensor], Tensor]]:
        site, _, rest = name.partition(".dense.")
        part, _, which = rest.removeprefix("mcgurk_adapters.").partition(".")
        layer = {"down": "adapter_down.0", "up": "adapter_up"}[part]
        theirs = {"rule": "phm_rule", "weight": "W", "bias": "b"}[which]
        return f"compacter.weights.{site}.adapters.compacter.{layer}.{theirs}", keep

    options = {"rank": 4, "terms": 2, "shared": False, "factor_rank": 0}
    adapters = attach(bert, "compacter", options)
    fill(adapters, name_of, reference)
    compare(reference, bert, "compacter")
