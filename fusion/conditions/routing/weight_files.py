"""Weights of conditions by place in one .safetensors file, and whose they are."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from fusion.conditions.contract import Injector
from fusion.conditions.routing.place_weights import PlaceOptions, PlaceWeights
from fusion.contract.options import build_options
from modalities.tensor_file import read_tensors, write_tensors

KIND = "mcgurk_place_weights"
AGAIN = "save the weights again"


def save_place_weights(weights: PlaceWeights, path: str | Path) -> None:
    """Write weights of conditions, so that `load_place_weights` builds them.

    Args:
        weights: To write; what they weigh is written by `fusion.conditions.files`.
        path: A .safetensors file; it appears when it is whole.

    Raises:
        OSError: The file cannot be written.
    """
    card = {"names": weights.names, "options": asdict(weights.options)}
    tensors = {name: value.detach().cpu() for name, value in weights.state_dict().items()}
    write_tensors(path, tensors, {KIND: json.dumps(card)})


def load_place_weights(injectors: Mapping[str, Injector], path: str | Path) -> PlaceWeights:
    """Build weights of conditions as they were saved, in evaluation mode.

    Args:
        injectors: That they are of, by name; others among them are passed over.
        path: A file that `save_place_weights` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds something else, or is of other injectors.
    """
    from safetensors import safe_open

    tensors = read_tensors(path, "expected weights of conditions", AGAIN)
    with safe_open(path, "pt") as file:
        told = (file.metadata() or {}).get(KIND)
    if told is None:
        raise ValueError(
            f"{path} holds no weights of conditions; expected what save_place_weights wrote."
        )
    card = json.loads(told)
    if missing := [name for name in card["names"] if name not in injectors]:
        raise ValueError(
            f"{path} weighs {', '.join(card['names'])}; there is no injector {missing[0]!r} among "
            f"{', '.join(injectors)}."
        )
    options = build_options("place_weights", PlaceOptions, card["options"])
    built = PlaceWeights({name: injectors[name] for name in card["names"]}, options)
    own = built.state_dict()
    if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in tensors.items()}:
        raise ValueError(f"{path} is of injectors for another denoiser; expected this one's.")
    built.load_state_dict(tensors)
    return built.eval()
