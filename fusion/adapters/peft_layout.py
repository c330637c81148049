"""Let PEFT say where its config puts what, on a copy of the model without weights."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

KEY = "peft_file"  # what the adapter is called on the copy
# What PEFT adds to `modules_to_save` for a task, whether or not the file says so.
HEADS = {
    "SEQ_CLS": ["classifier", "score"],
    "TOKEN_CLS": ["classifier", "score"],
    "QUESTION_ANS": ["qa_outputs"],
}
# How training starts and what it adds to gradients: it says nothing of places and ranks.
TRAINING = ("init_lora_weights", "loftq_config", "eva_config", "corda_config", "lora_ga_config")
TRAINING += ("velora_config", "monteclora_config", "runtime_config")


@dataclass(frozen=True)
class Layout:
    """Where an adapter of PEFT's lies.

    Attributes:
        config: PEFT's config without what concerns training alone.
        layers: PEFT's layers on the copy, by the name of the module that they adapt.
        saved: Modules that the file replaces as a whole, each with the name of the module whose
            tensors it has: its own, but where PEFT ties two.
        tokens: Rows of tables that the file replaces, by the name of the table, with the name of
            the table that has them in the file.
    """

    config: Any
    layers: dict[str, Any]
    saved: dict[str, str]
    tokens: dict[str, tuple[str, list[int]]]


def read_layout(model: nn.Module, path: Path, values: Mapping[str, Any]) -> Layout:
    """Let PEFT resolve a config.

    Args:
        model: It stays as it is.
        path: The config's file, for messages.
        values: Its keys, as `check_keys` returns them.

    Raises:
        ValueError: PEFT refuses the config, or finds no module for it.
    """
    with refusing(path):
        values = _prepare(values)
        plain = build_config({**values, "use_dora": False} if "use_dora" in values else values)
        twin = copy_structure(model)
        inject_peft(twin, plain, KEY, empty=True)
        config = build_config(values)
    return Layout(config, _layers_on(twin, plain), _saved_on(twin), _tokens_on(twin))


@contextmanager
def refusing(path: Path, said: str = "") -> Iterator[None]:
    """Turn what PEFT raises about a file into a ValueError with the file's name.

    Args:
        path: The file.
        said: What else to say of it, in front.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path}: {said}PEFT cannot put this adapter on the model ({reason}). Load it on the "
            "model that it was trained on."
        ) from error


def _prepare(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if key not in TRAINING}
    if kept.get("layers_to_transform") is None:
        kept.pop("layers_pattern", None)  # without effect, and newer versions of PEFT refuse it
    if heads := HEADS.get(kept.get("task_type", "")):
        kept["modules_to_save"] = [*(kept.get("modules_to_save") or []), *heads]
    return kept


def build_config(values: Mapping[str, Any]) -> Any:
    """Build PEFT's config of a type from its keys."""
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    rest = {key: copy.copy(value) for key, value in values.items() if key != "peft_type"}
    config: Any = PEFT_TYPE_TO_CONFIG_MAPPING[values["peft_type"]](**rest)
    if hasattr(config, "mask_fn"):
        config.mask_fn = None  # SHiRA's positions are in the file
    return config


def inject_peft(model: nn.Module, config: Any, key: str, empty: bool = False) -> None:
    """Let PEFT inject.

    Args:
        model: It is changed in place.
        config: PEFT's.
        key: Name of the adapter.
        empty: Whether the adapter needs no values.
    """
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    tuner: Any = PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type]
    tuner(model, config, key, low_cpu_mem_usage=empty)


def copy_structure(model: nn.Module) -> nn.Module:
    """Copy a model without its values: all tensors are on torch's "meta" device."""
    empty: dict[int, Any] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        bare = torch.empty_like(tensor, device="meta")
        is_parameter = isinstance(tensor, nn.Parameter)
        empty[id(tensor)] = nn.Parameter(bare, requires_grad=False) if is_parameter else bare
    return copy.deepcopy(model, empty)


def _layers_on(twin: nn.Module, config: Any) -> dict[str, Any]:
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    tuner: Any = PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type]
    kind = tuner.tuner_layer_cls
    found: dict[str, Any] = {}
    for name, module in twin.named_modules():
        inside = name.rpartition(".base_layer.")[0] in found  # of torch's MultiheadAttention
        if isinstance(module, kind) and not inside:
            if any(KEY in getattr(module, held, {}) for held in kind.adapter_layer_names):
                found[name] = module
    return found


def _saved_on(twin: nn.Module) -> dict[str, str]:
    from peft.utils.other import ModulesToSaveWrapper

    found: dict[str, str] = {}
    by_weight: dict[int, str] = {}
    for name, module in twin.named_modules():
        kept: Any = getattr(module, "modules_to_save", {})
        if isinstance(module, ModulesToSaveWrapper) and KEY in kept:
            weight = getattr(kept[KEY], "weight", module)
            found[name] = by_weight.setdefault(id(weight), name)
    return found


def _tokens_on(twin: nn.Module) -> dict[str, tuple[str, list[int]]]:
    from peft.utils.other import TrainableTokensWrapper

    found, by_adapter = {}, {}
    for name, module in twin.named_modules():
        if not isinstance(module, TrainableTokensWrapper):
            continue
        adapter: Any = module.token_adapter
        source = getattr(adapter, "tied_adapter", None) or adapter
        by_adapter.setdefault(id(adapter), name)
        found[name] = (id(source), list(adapter.token_indices[KEY]))
    return {
        name: (by_adapter.get(source, name), indices) for name, (source, indices) in found.items()
    }
