"""What frozen parts of a model make of their inputs: computed once, kept in memory or on disk."""

import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from torch import Tensor

from tasks.training.feature_files import FeatureFiles

# Pooled features of a sound are a kilobyte and dense ones of an image some megabytes, so a file
# each would be thousands of tiny files for the one and of middling ones for the other, which
# cluster disks take badly. What a file holds is lost with a killed program until it is written:
# this many bytes, or what was made in this time.
FILE_BYTES = 64_000_000
FILE_S = 20.0


class KeptFeatures:
    """Features by the inputs that they were made of.

    On disk they outlive the program: another run that asks for the same inputs by the same identity
    reads them, mapped into memory, and computes nothing. Several programs may use a
    folder at once; at worst both compute the same. Of several threads one computes, and the others
    wait for it.

    Args:
        folder: Where they are kept, which may hold those of other identities too; None for memory
            alone.
        identity: All that decides what is made of an input, as JSON takes it: the encoder, a hash
            of its weights (`hash_weights`), the size and the preparation of inputs. What was kept
            under another identity is never read.
        owner: What makes them, in words, where the folder is for this identity alone, and is to be
            refused where it was for another; "" shares a folder.
        most_bytes: Bytes that are kept in memory where there is no folder; what came first is
            forgotten, and computed again where it is asked for. None keeps all.

    Attributes:
        identity: As it was given.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A file in it is damaged, or it is for features of another owner.
    """

    def __init__(
        self,
        folder: Path | None,
        identity: Mapping[str, Any],
        owner: str = "",
        most_bytes: int | None = None,
    ):
        self.identity = dict(identity)
        self._files = None if folder is None else FeatureFiles(Path(folder), identity, owner)
        self._waiting: dict[str, dict[str, Tensor]] = {}  # for a file, or for good in memory
        self._bytes, self._most_bytes = 0, most_bytes
        self._since = 0.0
        self._lock = Lock()
        self._alone: dict[str, Lock] = {}  # who computes the features of a key
        if self._files is not None:
            weakref.finalize(self, _write_rest, self._files, self._waiting)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._waiting or (self._files is not None and key in self._files)

    def of(self, key: str, compute: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return the features of an input; where they are not kept yet, compute and keep them.

        Args:
            key: What tells the input from all others: a path is not enough where files change, a
                hash of what is in it (`hash_tensors`) is.
            compute: Returns tensors by name.

        Returns:
            Tensors on the CPU by name, in any order, of the type and shape that were computed; not
            to be changed in place.

        Raises:
            OSError: There is no room, or a file cannot be read or written.
            ValueError: Nothing was computed, or a file is damaged.
        """
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found
            alone = self._alone.setdefault(key, Lock())
        with alone:  # a batch that is read ahead may ask for what is being measured
            with self._lock:
                found = self._find(key)
            if found is None:
                found = self.add(key, compute())
        with self._lock:
            self._alone.pop(key, None)
        return found

    def add(self, key: str, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Keep features that were computed together with others; see `of`.

        What is kept of the same input stays as it is.

        Returns:
            What is kept.
        """
        if not values or any(":" in name for name in values):
            raise ValueError(
                f"Features of {key!r} are called {list(values)}; expected one name or more, "
                "without a colon."
            )
        # A copy: the given ones may be parts of a batch, all of which they would hold.
        made = {name: v.detach().to("cpu", copy=True).contiguous() for name, v in values.items()}
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found
            self._wait(key, made)
            return made

    def flush(self) -> None:
        """Write what waits for its file; without a folder, nothing.

        It is done now and then by itself and at the program's end, where a full disk goes untold:
        a training that ends well does it before.

        Raises:
            OSError: There is no room, or the folder cannot be written.
        """
        with self._lock:
            self._flush()

    def _find(self, key: str) -> dict[str, Tensor] | None:
        if key in self._waiting:
            return self._waiting[key]
        if self._files is not None and key in self._files:
            return self._files.read(key)
        return None

    def _wait(self, key: str, made: dict[str, Tensor]) -> None:
        now = time.monotonic()
        if not self._waiting:
            self._since = now
        self._waiting[key] = made
        self._bytes += sum(value.nbytes for value in made.values())
        if self._bytes >= FILE_BYTES or now - self._since >= FILE_S:
            self._flush()
        if self._files is None and self._most_bytes is not None:
            self._forget(self._most_bytes)

    def _forget(self, most: int) -> None:
        """Drop what came first, but for the last one, until no more bytes are kept."""
        while self._bytes > most and len(self._waiting) > 1:
            first = self._waiting.pop(next(iter(self._waiting)))
            self._bytes -= sum(value.nbytes for value in first.values())

    def _flush(self) -> None:
        if self._files is not None and self._waiting:
            self._files.write(self._waiting)
            self._waiting.clear()
            self._bytes = 0


def _write_rest(files: FeatureFiles, waiting: dict[str, dict[str, Tensor]]) -> None:
    with suppress(
        OSError, ValueError
    ):  # nothing is wrong without them but the time to make them again
        if waiting:
            files.write(waiting)
