"""Adapter sets of a model that come and go while others run, within a limit on memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from fusion.adapters.interface import Adapters
from fusion.sets.card import read_card
from fusion.sets.files import load_set
from modalities.tensor_file import count_entries

FLOAT_BYTES = 4  # sets run in float32, whatever their files hold


@dataclass(eq=False)
class LoadedSet:
    """A set that is on the model.

    Attributes:
        name: By which it is asked for.
        adapter: What it is called on the model: another name for each version of a set.
        fusion: What joins lips and sound in it; None in one that hears only.
        bytes: What it takes.
        users: How many hold it; it stays as long as anybody does.
    """

    name: str
    adapter: str
    fusion: nn.Module | None
    bytes: int
    users: int = 0


class LoadedSets:
    """Loads sets when they are asked for, and drops the one longest unused where room is wanted.

    Any thread may call: what changes the model waits until the pass that runs is done. The model
    runs one batch at a time, within `turn`.

    Args:
        adapters: Those of the model.
        limit_bytes: The most that all loaded sets may take together; None for no limit.
        prefix: Stands before the names of sets on the model, which may have others of these names.

    Attributes:
        folders: Where the sets that may be asked for are, by name.
        loaded: Those on the model by name, the one longest unused first.
        loads: How often a set was loaded.

    Raises:
        ValueError: The limit is below 1.
    """

    def __init__(self, adapters: Adapters, limit_bytes: int | None = None, prefix: str = ""):
        if limit_bytes is not None and limit_bytes < 1:
            raise ValueError(f"The limit is {limit_bytes} bytes; expected 1 or more, or None.")
        self.adapters, self.limit_bytes, self.prefix = adapters, limit_bytes, prefix
        self.folders: dict[str, Path] = {}
        self.loaded: OrderedDict[str, LoadedSet] = OrderedDict()
        self.leaving: list[LoadedSet] = []
        self.loads = 0
        self._lock = threading.RLock()

    @property
    def bytes(self) -> int:
        """What the sets on the model take, those that leave as well."""
        with self._lock:
            return sum(one.bytes for one in (*self.loaded.values(), *self.leaving))

    def add(self, name: str, folder: str | Path) -> None:
        """Let a set be asked for from now on; it is loaded when it is.

        A set of the same name is replaced, and whoever holds that keeps it.

        Raises:
            FileNotFoundError: The folder holds no set.
            ValueError: Its card is damaged.
        """
        read_card(folder)
        with self._lock:
            if name in self.loaded:
                self._drop(self.loaded[name])
            self.folders[name] = Path(folder)

    def adopt(self, name: str, fusion: nn.Module | None) -> None:
        """Let a set be asked for whose adapter is on the model already; it is never dropped.

        Raises:
            ValueError: The model has no such adapter.
        """
        with self._lock:
            size = self.adapters.bytes(name) + bytes_of(fusion)
            self.loaded[name] = LoadedSet(name, name, fusion, size, users=1)

    def remove(self, name: str) -> None:
        """Let a set be asked for no more, and drop it as soon as nobody holds it.

        Raises:
            ValueError: No such set.
        """
        with self._lock:
            self._check([name])
            self.folders.pop(name, None)
            if name in self.loaded:
                self._drop(self.loaded[name])

    def remove_all(self) -> None:
        """Let no set be asked for any more, and drop each as soon as nobody holds it."""
        with self._lock:
            for name in (*self.folders, *self.loaded):
                if name in self.folders or name in self.loaded:
                    self.remove(name)

    @contextmanager
    def held(self, names: Sequence[str]) -> Iterator[list[LoadedSet]]:
        """Have sets loaded, and keep them for as long as the block lasts.

        Args:
            names: One may come several times.

        Yields:
            Each of them, in this order.

        Raises:
            ValueError: No such set, damaged, for another model, or there is no room for it.
            FileNotFoundError: A file of it is not there.
        """
        taken: list[LoadedSet] = []
        try:
            with self._lock:
                self._check(names)
                # What is here is held first, so that no room is made of it.
                for name in sorted(dict.fromkeys(names), key=lambda one: one not in self.loaded):
                    one = self.loaded.get(name) or self._load(name)
                    self.loaded.move_to_end(name)
                    one.users += 1
                    taken.append(one)
            by_name = {one.name: one for one in taken}
            yield [by_name[name] for name in names]
        finally:
            with self._lock:
                for one in taken:
                    self._release(one)

    @contextmanager
    def turn(self, rows: Sequence[LoadedSet | None] | None = None) -> Iterator[None]:
        """Have the model for oneself: nothing runs on it, comes or goes meanwhile.

        Args:
            rows: The set of each row of the batch, of which `held` gave them; None leaves what is
                on as it is.
        """
        with self._lock:
            names = None if rows is None else [one and one.adapter for one in rows]
            with nullcontext() if names is None else self.adapters.rows(names):
                yield

    def _check(self, names: Sequence[str]) -> None:
        known = dict.fromkeys((*self.folders, *self.loaded))
        if strange := sorted(set(names) - set(known)):
            raise ValueError(f"No adapter set {strange[0]!r}; known: {', '.join(known)}.")

    def _load(self, name: str) -> LoadedSet:
        folder = self.folders[name]
        self._make_room(name, FLOAT_BYTES * sum(map(count_entries, folder.rglob("*.safetensors"))))
        taken = {one.adapter for one in self.leaving}
        first = self.prefix + name
        versions = (f"{first}@{number}" for number in range(2, len(taken) + 3))
        adapter = first if first not in taken else next(v for v in versions if v not in taken)
        active = list(self.adapters.selection.active)
        try:
            _, fusion = load_set(folder, self.adapters, adapter)
        except Exception:
            if adapter in self.adapters.names:  # its fusion is damaged
                self.adapters.drop(adapter)
            raise
        finally:
            self.adapters.selection.active[:] = active
        self.loads += 1
        if fusion is not None:
            fusion.to(next(self.adapters.model.parameters()).device).requires_grad_(False).eval()
        size = self.adapters.bytes(adapter) + bytes_of(fusion)
        self.loaded[name] = LoadedSet(name, adapter, fusion, size)
        return self.loaded[name]

    def _make_room(self, name: str, wanted: int) -> None:
        if self.limit_bytes is None:
            return
        idle = [one for one in self.loaded.values() if not one.users]
        while idle and self.bytes + wanted > self.limit_bytes:
            self._drop(idle.pop(0))
        if self.bytes + wanted > self.limit_bytes:
            raise ValueError(
                f"Adapter set {name!r} takes {wanted} bytes, and sets in use {self.bytes} of "
                f"{self.limit_bytes}; ask again when they are done, or raise the limit."
            )

    def _drop(self, one: LoadedSet) -> None:
        """Take a set off the model, or have it leave when nobody holds it any more."""
        del self.loaded[one.name]
        if one.users:
            self.leaving.append(one)
        else:
            self.adapters.drop(one.adapter)

    def _release(self, one: LoadedSet) -> None:
        one.users -= 1
        if one in self.leaving and not one.users:
            self.leaving.remove(one)
            self.adapters.drop(one.adapter)


def bytes_of(module: nn.Module | None) -> int:
    """Return what a module's tensors take; 0 for None."""
    tensors = () if module is None else module.state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
