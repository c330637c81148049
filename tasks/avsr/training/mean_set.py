"""A set that is the mean of others, as something to begin a training with."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from fusion.sets.growth import mean_of
from modalities.tensor_file import write_tensors


def write_mean(sets: Sequence[Path], folder: Path) -> Path:
    """Write the mean of sets, tensor by tensor, under the card of the first.

    Args:
        sets: Folders of sets of one method, with the same options.
        folder: To write; what is there of the same names is replaced.

    Returns:
        The folder.

    Raises:
        ValueError: No sets, or sets that differ in their tensors.
        FileNotFoundError: A file of one is not there.
        OSError: The folder cannot be written.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    if not sets:
        raise ValueError("There is no set to take the mean of; begin with another one.")
    shutil.copytree(sets[0], folder, dirs_exist_ok=True)
    for path in sorted(folder.rglob("*.safetensors")):
        place = path.relative_to(folder)
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        write_tensors(path, mean_of([load_file(one / place) for one in sets]), metadata)
    return folder
