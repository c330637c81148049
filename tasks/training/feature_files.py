"""Files of kept features: whole or not there, and of one identity each."""

import json
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from modalities.outputs import check_output_folder
from modalities.whole_file import replace_when_whole

SUFFIX = ".safetensors"
IDENTITY = "identity"  # the one entry of a file's metadata
LEFT_S = 86_400.0  # nobody writes one file for so long: what is older was left by a killed program

Features = Mapping[str, Tensor]


class FeatureFiles:
    """Features of many inputs in a few files, which other programs may add to at the same time.

    Each file is written once, under a name that follows from the inputs in it: two programs that
    write different inputs write different files, and of the same inputs the later file takes the
    earlier one's place, with the same in it.

    Args:
        folder: For features of any identity; each has a folder of its own in it.
        identity: What they were made by, as JSON takes it.

    Raises:
        OSError: The folder cannot be written.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        self.identity = json.dumps(identity, sort_keys=True)
        self.folder = folder / sha256(self.identity.encode()).hexdigest()[:16]
        check_output_folder(self.folder)
        self._places: dict[str, dict[str, tuple[Path, str]]] = {}  # by input, by name of a tensor
        self._open: dict[Path, Any] = {}
        self._seen: set[str] = set()
        self._remove_left()
        self._look()

    def __contains__(self, key: str) -> bool:
        if key not in self._places:
            self._look()
        return key in self._places

    def read(self, key: str) -> dict[str, Tensor]:
        """Return the features of an input that is here, mapped from its file.

        Raises:
            OSError: The file has been removed since.
            ValueError: It is damaged.
        """
        places = self._places[key]
        return {name: self._file(path).get_tensor(at) for name, (path, at) in places.items()}

    def write(self, features: Mapping[str, Features]) -> None:
        """Write features of one input or more, as a file.

        Raises:
            OSError: There is no room, or the folder cannot be written.
        """
        from safetensors.torch import save_file

        named = "\n".join(sorted(features))
        path = self.folder / f"{sha256(named.encode()).hexdigest()[:32]}{SUFFIX}"
        tensors = {
            f"{name}:{key}": value for key, of in features.items() for name, value in of.items()
        }
        with replace_when_whole(path) as partial:
            save_file(tensors, partial, {IDENTITY: self.identity})
        self._open.pop(path, None)
        # Ours from now on, where another program has computed the same, to the last bit or not.
        self._places |= self._take(path, tensors)

    def _look(self) -> None:
        """Take in the files that have come since the last time."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob(f"[!.]*{SUFFIX}")):
            if path.name not in self._seen:
                file = self._file(path)
                # The folder's name is a hash, and files can be copied by hand.
                if (file.metadata() or {}).get(IDENTITY) == self.identity:
                    for key, places in self._take(path, file.keys()).items():
                        self._places.setdefault(key, places)
                self._seen.add(path.name)

    def _take(self, path: Path, names: Iterable[str]) -> dict[str, dict[str, tuple[Path, str]]]:
        """Return where the features in a file are, which is not looked into again."""
        found: dict[str, dict[str, tuple[Path, str]]] = {}
        for at in names:
            name, _, key = at.partition(":")
            found.setdefault(key, {})[name] = (path, at)
        self._seen.add(path.name)
        return found

    def _file(self, path: Path) -> Any:
        from safetensors import SafetensorError, safe_open

        if path not in self._open:
            try:
                self._open[path] = safe_open(path, "pt")
            except SafetensorError as error:
                raise ValueError(
                    f"{path} is damaged ({error}); remove it: what was in it is computed again."
                ) from error
        return self._open[path]

    def _remove_left(self) -> None:
        for path in self.folder.glob(f".*{SUFFIX}"):
            try:
                if time.time() - path.stat().st_mtime > LEFT_S:
                    path.unlink()
            except OSError:  # another program's, which has removed it or does not let us
                continue
