"""What a file of PEFT's changes of the model's own tensors: biases, modules, rows of tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from fusion.adapters.peft_layout import Layout
from fusion.contract.sites import SITE, unwrap

ROWS = "token_adapter.trainable_tokens_delta"
KEYS = "'bias', 'modules_to_save' or an embedding that was grown"


@dataclass
class BaseChanges:
    """What is added to the model's own tensors while an adapter is on.

    Attributes:
        whole: Added to weight and bias, by the name of the module, then of the tensor.
        rows: Added to some rows of a weight, by the name of the module: their numbers [rows], and
            the values [rows, dim].
    """

    whole: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    rows: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def join(self, weights: Mapping[str, Tensor]) -> None:
        """Make changes of rows part of a change of the whole tensor, where there is one.

        Args:
            weights: The model's, by the name of the module.
        """
        for name in self.whole.keys() & self.rows.keys():
            numbers, change = self.rows.pop(name)
            whole = torch.zeros_like(weights[name], dtype=torch.float32)
            self.add(name, "weight", whole.index_copy(0, numbers, change))

    def add(self, name: str, kind: str, change: Tensor) -> None:
        """Add a change of one tensor; one of nothing but zeros is none."""
        if change.any():
            own = self.whole.setdefault(name, {})
            own[kind] = own[kind] + change if kind in own else change


def plain(name: str) -> str:
    """Drop what PEFT's layers add to the name of a tensor of the model's own."""
    return ".".join(part for part in name.split(".") if part != "base_layer")


class BaseReader:
    """Reads the changes of a model's own tensors out of a file of PEFT's.

    Args:
        model: Without the changes.
        layout: Where the adapter lies.
        folder: The file's, for messages.
    """

    def __init__(self, model: nn.Module, layout: Layout, folder: Path):
        self.layout, self.folder = layout, folder
        self.modules = {
            name: unwrap(module)
            for name, module in model.named_modules()
            if SITE not in name.split(".") and "base_layer" not in name.split(".")
        }
        self.found = BaseChanges()

    @torch.no_grad()
    def read(self, tensors: Mapping[str, Tensor]) -> tuple[BaseChanges, list[str]]:
        """Read the changes.

        Args:
            tensors: Those of the file that are no adapter's, by their names in the model.

        Returns:
            The changes, and the names of the tensors that are of nothing in the model.

        Raises:
            ValueError: One has another shape, or changes what no method can change.
        """
        rest = dict(tensors)
        for name, (source, indices) in self.layout.tokens.items():
            self._read_rows(name, tensors.get(f"{source}.{ROWS}"), indices)
            rest.pop(f"{name}.{ROWS}", None)
        for name, source in self.layout.saved.items():
            self._read_saved(name, source, tensors)
            for key in [key for key in rest if key.startswith(f"{name}.")]:
                del rest[key]
        for name in list(rest):
            path, _, kind = plain(name).rpartition(".")
            if kind in self._own(path):
                self._change_all(path, kind, rest.pop(name))
        self.found.join({name: self._own(name)["weight"] for name in self.found.rows})
        return self.found, sorted(rest)

    def sharing(self, path: str, kind: str) -> list[str]:
        """Return the modules that have a tensor, as a model ties its embeddings to its head.

        Args:
            path: Name of one of them.
            kind: Name of the tensor in it.
        """
        tensor = self._own(path)[kind]
        found = [p for p in self.modules if self._own(p).get(kind) is tensor]
        bare = [p for p in found if not list(self.modules[p].children())] or [path]
        return [p for p in bare if p not in self.layout.saved]

    def _own(self, path: str) -> dict[str, Tensor]:
        module = self.modules.get(path)
        found = {} if module is None else {**module._parameters, **module._buffers}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def _read_rows(self, name: str, values: Tensor | None, indices: list[int]) -> None:
        weight = self._own(name)["weight"]
        if values is None or values.shape != (len(indices), weight.shape[1]):
            shape = None if values is None else tuple(values.shape)
            raise ValueError(
                f"{self.folder} does not fit this model: the key 'trainable_token_indices' names "
                f"{len(indices)} rows of {name}, and the file has {shape} for them; expected "
                f"{(len(indices), weight.shape[1])}. Load it on the model that it was trained on."
            )
        numbers = torch.tensor(indices, device=weight.device)
        change = values.to(weight.device).float() - weight[numbers].float()
        self.found.rows[name] = numbers, change

    def _read_saved(self, name: str, source: str, tensors: Mapping[str, Tensor]) -> None:
        """Change a module that was saved whole, and nothing that is tied to it."""
        inside = [p for p in self.modules if p == name or p.startswith(f"{name}.")]
        for path in inside:
            for kind in self._own(path):
                end = f"{path}.{kind}".removeprefix(name)
                value = tensors.get(name + end, tensors.get(source + end))
                if value is None:
                    raise ValueError(
                        f"{self.folder} does not fit this model: the key 'modules_to_save' names "
                        f"{name}, and it lacks {name + end}. Save the adapter again."
                    )
                self._change_one(path, kind, value)

    def _change_all(self, path: str, kind: str, value: Tensor) -> None:
        """Change a tensor as PEFT does, which writes over it: in all modules that share it."""
        for one in self.sharing(path, kind):
            self._change_one(one, kind, value)

    def _change_one(self, path: str, kind: str, value: Tensor) -> None:
        module, tensor = self.modules[path], self._own(path)[kind]
        if value.shape != tensor.shape:
            raise ValueError(
                f"{self.folder} does not fit this model: {path}.{kind} is {tuple(value.shape)} in "
                f"the file and {tuple(tensor.shape)} in the model. Load it on the model that it "
                "was trained on; where tokens were added, resize_token_embeddings comes first."
            )
        change = value.to(tensor.device).float() - tensor.float()
        if not change.any():
            return
        if kind not in ("weight", "bias") or kind not in module._parameters:
            raise ValueError(
                f"{self.folder} changes {path}.{kind} (the keys {KEYS}), a tensor of a "
                f"{type(module).__name__} that no adapter can change. Merge the adapter with "
                "PEFT's merge_and_unload, and load the merged model."
            )
        self.found.add(path, kind, change)
