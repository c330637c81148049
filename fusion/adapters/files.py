"""Adapters on disk, in PEFT's layout: adapter_config.json and adapter_model.safetensors."""

import json
import pickle
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.quantisation import pack_state, plain_name, unpack_state
from fusion.contract.selection import Part
from modalities.tensor_file import check_finite, read_tensors
from modalities.whole_file import replace_when_whole

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
PEFT_PREFIX = "base_model.model."
SAVE_AGAIN = "save the adapter again"


def tensors_of(model: nn.Module, part: Part) -> dict[str, Tensor]:
    """Return the tensors of a part under PEFT's names, packed where it is quantised."""
    state = _state(model, part.key)
    return pack_state({_plain(name): tensor for name, tensor in state.items()}, model)


def set_tensors(model: nn.Module, part: Part, tensors: Mapping[str, Tensor]) -> None:
    """Set the tensors of a part, all those that `tensors_of` returns.

    Raises:
        ValueError: One has another shape.
    """
    state = _state(model, part.key)
    actual = {_plain(name): name for name in state}
    rest = unpack_state(tensors, {_plain(name): state[name] for name in state}, model)
    try:
        _set_state(model, part.key, {actual[name]: value for name, value in rest.items()})
    except RuntimeError as error:
        raise ValueError(str(error).strip().splitlines()[-1].strip()) from error


def save_parts(model: nn.Module, parts: list[Part], folder: Path) -> None:
    """Write an adapter; several parts go into numbered folders.

    Raises:
        OSError: The folder cannot be written.
    """
    for number, part in enumerate(parts):
        _save_part(model, part, folder if len(parts) == 1 else folder / str(number))


def _save_part(model: Any, part: Part, folder: Path) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        PEFT_PREFIX + name: tensor.detach().cpu().contiguous()
        for name, tensor in tensors_of(model, part).items()
    }
    config = copy(model.peft_config[part.key]) if part.bits is None else _config_of_packed(part)
    config.target_modules = list(part.sites)  # PEFT's set would be written in any order
    base = getattr(getattr(model, "config", None), "_name_or_path", None)
    config.base_model_name_or_path = config.base_model_name_or_path or base or None
    # The weights come last: a folder without them was not finished.
    config.save_pretrained(str(folder))
    with replace_when_whole(folder / WEIGHTS) as partial:
        save_file(tensors, partial, metadata={"format": "pt"})


def _config_of_packed(part: Part) -> Any:
    """Describe a quantised part as ours, even of a method of PEFT, which would read no tensor."""
    from fusion.adapters.tuner import MethodConfig

    return MethodConfig(
        method=part.method,
        options=asdict(part.options),
        where=list(part.where),
        layers=None if part.layers is None else list(part.layers),
        target_modules=part.sites,
        bits=part.bits,
    )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the tensors of an adapter by their names in the model.

    PEFT wrote adapter_model.bin until 2023; nothing but tensors is taken out of one.

    Raises:
        FileNotFoundError: They are not there.
        ValueError: The file is damaged, or a pickle of other things than tensors.
    """
    path, pickled = folder / WEIGHTS, folder / PICKLED
    if pickled.is_file() and not path.is_file():
        return _strip(_read_pickled(pickled))
    return _strip(read_tensors(path, "expected the weights of an adapter", SAVE_AGAIN))


def _read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        tensors, reason = None, f" ({str(error).strip().splitlines()[0][:200]})"
    else:
        reason = ""
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise ValueError(
            f"{path} is damaged, or a pickle of other things than tensors by name{reason}; none of "
            f"it was run. Save the adapter as {WEIGHTS}, which PEFT does by itself."
        )
    check_finite(tensors, path, SAVE_AGAIN)
    return tensors


def _strip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(PEFT_PREFIX): tensor for name, tensor in tensors.items()}


def read_adapter_config(path: Path) -> dict[str, Any]:
    """Read what a folder says of its adapter.

    Args:
        path: An adapter_config.json, ours or PEFT's.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is no JSON object.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); save the adapter again.") from error
    if not isinstance(config, dict):
        raise ValueError(
            f"{path} holds a {type(config).__name__}; expected an object with the key 'peft_type'."
        )
    return config


def _state(model: nn.Module, key: str) -> dict[str, Tensor]:
    from peft import get_peft_model_state_dict

    # The parameters themselves, so that it can be seen which are quantised.
    state = {plain_name(name): tensor for name, tensor in model.state_dict(keep_vars=True).items()}
    return get_peft_model_state_dict(model, state, key, save_embedding_layers=False)


def _set_state(model: nn.Module, key: str, tensors: dict[str, Tensor]) -> None:
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, tensors, adapter_name=key)


def _plain(name: str) -> str:
    """Drop what nesting adds to names, so that the order of attaching does not matter."""
    return ".".join(part for part in name.split(".") if part != "base_layer")
