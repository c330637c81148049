"""Injectors in one .safetensors file: their weights, and what they were built with."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fusion.conditions.catalog import INJECTORS
from fusion.conditions.contract import Injector
from fusion.contract.options import build_options
from modalities.tensor_file import read_tensors, write_tensors

KIND = "mcgurk_conditions"
AGAIN = "save the injectors again"


def save_injectors(
    injectors: Mapping[str, Injector], path: str | Path, *, half: bool = False
) -> None:
    """Write injectors so that `load_injectors` builds them; no weights of a denoiser are written.

    Args:
        injectors: By the names that conditions call them by.
        path: A .safetensors file; it appears when it is whole.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The file cannot be written.
    """
    kinds = {kind: name for name, kind in INJECTORS.items()}
    parts = {
        name: {"kind": kinds[type(one)], "options": asdict(one.options)}
        for name, one in injectors.items()
    }
    tensors = {
        f"{name}/{key}": value.detach().cpu()
        for name, one in injectors.items()
        for key, value in one.weights().items()
    }
    write_tensors(path, tensors, {KIND: json.dumps(parts)}, half=half)


def load_injectors(model: Any, path: str | Path) -> dict[str, Injector]:
    """Build injectors as they were saved, in evaluation mode.

    Args:
        model: The denoiser that they are to stand on, of diffusers.
        path: A file that `save_injectors` wrote.

    Returns:
        By the names that conditions call them by.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds something else, or is for another denoiser.
    """
    tensors = read_tensors(path, "expected injectors", AGAIN)
    built = {}
    for name, part in _read_parts(path).items():
        if part["kind"] not in INJECTORS:
            known = ", ".join(INJECTORS)
            raise ValueError(f"{path} has an injector of kind {part['kind']!r}; known: {known}.")
        kind = INJECTORS[part["kind"]]
        built[name] = kind(model, build_options(part["kind"], kind.Options, part["options"]))
        prefix = f"{name}/"
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            built[name].load_weights(own)
        except ValueError as error:
            raise ValueError(f"{path}, {name!r}: {error}") from error
        built[name].eval()
    return built


def _read_parts(path: str | Path) -> dict[str, dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        told = (file.metadata() or {}).get(KIND)
    if told is None:
        raise ValueError(f"{path} holds no injectors; expected what save_injectors wrote.")
    try:
        parts = json.loads(told)
        return {name: {"kind": p["kind"], "options": p["options"]} for name, p in parts.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}); {AGAIN}.") from error
