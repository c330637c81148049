"""Names that a package hands on, loaded when they are asked for."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def hand_on(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's `__getattr__`, so that reading one of its light files loads no heavy one.

    `dir()` of the package tells the names too, as what completes them asks it.

    Say the same names below `if TYPE_CHECKING:` as imports, where readers and checkers find them.

    Args:
        package: Its `__name__`.
        homes: The module that each name is defined in, which has another name: a submodule that is
            loaded stands on its package under its own.

    Returns:
        What loads a name, and raises AttributeError for one that is not handed on.
    """
    hidden = [home for name, home in homes.items() if home == f"{package}.{name}"]
    assert not hidden, f"{hidden} would hide what it defines"

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    own = vars(sys.modules[package])
    own["__dir__"] = lambda: sorted({*own, *homes})
    return load
