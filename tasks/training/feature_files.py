"""Files of kept features: whole or not there, and of one identity each."""

import json
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from modalities.outputs import check_output_folder
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

SUFFIX = ".safetensors"
IDENTITY = "identity"  # the one entry of a file's metadata
OWNER = "extractor.json"  # in a folder that holds features of one identity alone
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
        owner: What made them, in words, where the folder is for features of this identity alone:
            the folder says so from the first file on, and is refused for another one.

    Raises:
        OSError: The folder cannot be written.
        ValueError: It is for features of another identity.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], owner: str = ""):
        self.identity = json.dumps(identity, sort_keys=True)
        self.whole, self.owner = folder, owner
        if owner:
            check_owner(folder, owner, self.identity)
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
            ValueError: The folder has become one for features of another identity.
        """
        from safetensors.torch import save_file

        if self.owner:
            _claim(self.whole, self.owner, self.identity)
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


def check_owner(folder: Path, owner: str, identity: str) -> bool:
    """Check that a folder is for features of this identity, or of none yet.

    Args:
        folder: Need not be there.
        owner: What is to make them, in words.
        identity: What they are made by, as sorted JSON.

    Returns:
        Whether it says so already.

    Raises:
        ValueError: It is for those of another identity, or what it says is damaged.
    """
    path = folder / OWNER
    if not path.is_file():
        return False
    try:
        told = json.loads(read_text(path))
        name, found = str(told["name"]), json.dumps(told["identity"], sort_keys=True)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); remove the folder: its features are computed again."
        ) from error
    if found != identity:
        other = "with other weights or settings" if name == owner else f"as {owner!r} is asked for"
        raise ValueError(
            f"{folder} keeps features of another extractor, {name!r}, {other}; give another "
            "folder, or remove it."
        )
    return True


def _claim(folder: Path, owner: str, identity: str) -> None:
    """Let a folder say whose features it holds; of two that do so at once, one is refused."""
    if not check_owner(folder, owner, identity):
        told = {"name": owner, "identity": json.loads(identity)}
        with replace_when_whole(folder / OWNER) as partial:
            partial.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
