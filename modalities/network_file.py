"""Small networks of our own in one .safetensors file: weights, and options among the metadata."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from modalities.tensor_file import check_finite
from modalities.whole_file import replace_when_whole

KIND = "mcgurk"
Network = TypeVar("Network", bound=nn.Module)


def save_network(network: Any, path: str | Path, half: bool = True) -> None:
    """Write a network that has `options`, a dataclass, and is built from them alone.

    Args:
        network: To write; where it has `elsewhere`, beginnings of names, weights of such names are
            left out, as they are there when it is built.
        path: A .safetensors file; it appears when it is whole.
        half: Floats become float16.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors.torch import save

    state = {
        name: value.half().contiguous()
        if half and value.is_floating_point()
        else value.contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith(_elsewhere(network))
    }
    described = {"network": type(network).__name__, "options": asdict(network.options)}
    with replace_when_whole(path) as partial:
        partial.write_bytes(save(state, {KIND: json.dumps(described)}))


def read_name(path: str | Path) -> str:
    """Return the name of the class whose weights a file holds; "" where that is not told.

    Args:
        path: The file; one that is damaged tells nothing.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return json.loads((file.metadata() or {}).get(KIND, "{}")).get("network", "")
    except (OSError, SafetensorError, ValueError, AttributeError):
        return ""


def load_network(kind: type[Network], options: type, path: str | Path) -> Network:
    """Read a network that `save_network` wrote, as float32 and in evaluation mode.

    Args:
        kind: Its class.
        options: Class of its options.
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, has numbers that are none, or holds another network.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; expected the weights of {kind.__name__}.")
    try:
        with safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {}).get(KIND, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if described.get("network") != kind.__name__:
            raise ValueError(f"it holds {described.get('network') or 'something else'}")
        network = kind(options(**_tuples(described["options"])))
        own = {n: v.float() if v.dtype == torch.float16 else v for n, v in state.items()}
        built = network.state_dict()
        there = {n: v for n, v in built.items() if n.startswith(_elsewhere(network))}
        network.load_state_dict({**own, **there})
    except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{path} holds no {kind.__name__} ({reason}); expected a file that training wrote."
        ) from error
    check_finite(state, path, "train it again")
    return network.eval()


def _elsewhere(network: Any) -> tuple[str, ...]:
    return getattr(network, "elsewhere", ())


def _tuples(options: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON's lists into the tuples that they were."""

    def tuples(value: Any) -> Any:
        return tuple(tuples(v) for v in value) if isinstance(value, list) else value

    return {name: tuples(value) for name, value in options.items()}
