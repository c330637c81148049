"""Tensors by name in a .safetensors file, which appears when it is whole."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

from torch import Tensor

from modalities.whole_file import replace_when_whole


def write_tensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: dict[str, str] | None = None,
    *,
    half: bool = False,
) -> None:
    """Write tensors, whatever their order in memory.

    Args:
        path: The file.
        tensors: By name.
        metadata: Texts by name that the file tells as well.
        half: Whether floats become float16, half as large and a little less exact.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors.torch import save_file

    if half:
        tensors = {n: v.half() if v.is_floating_point() else v for n, v in tensors.items()}
    with replace_when_whole(path) as partial:
        save_file({name: value.contiguous() for name, value in tensors.items()}, partial, metadata)


def read_tensors(path: str | Path, missing: str, damaged: str) -> dict[str, Tensor]:
    """Read what `write_tensors` wrote.

    Args:
        path: The file.
        missing: What it means that it is not there, and what to do, for the message.
        damaged: What to do where it cannot be read, for the message.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or has numbers that are none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no {path}; {missing}.")
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); {damaged}.") from error
    check_finite(found, path, damaged)
    return found


def count_entries(path: str | Path) -> int:
    """Count the numbers in a .safetensors file by its head alone; 0 where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())
    except (OSError, SafetensorError):
        return 0


def check_finite(tensors: Mapping[str, Tensor], path: str | Path, damaged: str) -> None:
    """Raise where a file's numbers are NaN or infinite, of which a model would answer nonsense.

    Args:
        tensors: By name.
        path: Where they were read.
        damaged: What to do, for the message.

    Raises:
        ValueError: Some are.
    """
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise ValueError(
                f"{path} has NaN or infinite numbers in {name}; expected finite ones. It is "
                f"damaged; {damaged}."
            )
