"""Descriptors on disk: beside the sets that they tell of, and not needed to run these."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fusion.contract.options import check_choice
from fusion.sets.descriptors import AutoencoderDescriptor, Descriptor, GaussianDescriptor
from modalities.tensor_file import read_tensors, write_tensors
from modalities.whole_file import replace_when_whole

CARD, WEIGHTS = "descriptors.json", "descriptors.safetensors"
AGAIN = "save the descriptors again"


@dataclass(frozen=True)
class DescriptorOptions:
    """What a descriptor is built of.

    Attributes:
        kind: "gaussian" or "autoencoder".
        dim: Features of a clip; 1 or more.
        width: Features in the midst of an autoencoder, 1 or more; SEMA has 128.
    """

    kind: str
    dim: int
    width: int = 128

    def __post_init__(self):
        check_choice("kind", self.kind, ("gaussian", "autoencoder"))
        if self.dim < 1 or self.width < 1:
            raise ValueError(
                f"A descriptor has {self.dim} features and width {self.width}; expected 1 or more."
            )


def build_descriptor(options: DescriptorOptions) -> Any:
    """Build a descriptor that is to be fitted."""
    if options.kind == "gaussian":
        return GaussianDescriptor(options.dim)
    return AutoencoderDescriptor(options.dim, options.width)


def save_descriptors(
    folder: str | Path, descriptors: Mapping[str, Descriptor], thresholds: Mapping[str, float]
) -> None:
    """Write descriptors and their thresholds, in the order that they have.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    card, tensors = {}, {}
    for number, (name, descriptor) in enumerate(descriptors.items()):
        assert isinstance(descriptor, nn.Module)
        card[name] = _describe(descriptor) | {"threshold": thresholds[name]}
        state = descriptor.state_dict()
        tensors |= {f"{number}.{key}": tensor.cpu() for key, tensor in state.items()}
    with replace_when_whole(folder / CARD) as partial:
        partial.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    # The tensors come last: a folder without them was not finished.
    write_tensors(folder / WEIGHTS, tensors)


def load_descriptors(folder: str | Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Read what `save_descriptors` wrote: descriptors and thresholds by name.

    Raises:
        FileNotFoundError: The folder or a file is not there.
        ValueError: They are damaged.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CARD}; expected what save_descriptors wrote.")
    tensors = read_tensors(path.parent / WEIGHTS, "expected descriptors", AGAIN)
    descriptors, thresholds = {}, {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        for number, (name, told) in enumerate(card.items()):
            thresholds[name] = float(told.pop("threshold"))
            descriptors[name] = build_descriptor(DescriptorOptions(**told))
            start = f"{number}."
            state = {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}
            descriptors[name].load_state_dict(state)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(f"{path} is damaged ({reason}); {AGAIN}.") from error
    return descriptors, thresholds


def _describe(descriptor: nn.Module) -> dict[str, Any]:
    if isinstance(descriptor, GaussianDescriptor):
        return {"kind": "gaussian", "dim": len(descriptor.mean)}
    assert isinstance(descriptor, AutoencoderDescriptor)
    encoder = descriptor.encoder
    return {"kind": "autoencoder", "dim": encoder.in_features, "width": encoder.out_features}
