"""A set that is changed as another was, where its own training would take too long."""

import shutil
from pathlib import Path

from torch import Tensor

from modalities.tensor_file import write_tensors


def write_moved(source: Path, before: Path, after: Path, folder: Path) -> Path:
    """Write a set to which the change from one set to another is added, tensor by tensor.

    Tensors that the source has alone, or of another shape, stay as they are.

    Args:
        source: Folder of the set that is changed.
        before: Folder of the set that was trained on.
        after: Folder of what became of it.
        folder: To write; new.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: A file of a set is not there.
        OSError: The folder cannot be written.

    Source:
        Ilharco et al. (2023, arXiv 2212.04089), editing models with task arithmetic: the difference
        of weights after and before a training, added to others.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    for path in sorted(folder.rglob("*.safetensors")):
        place = path.relative_to(folder)
        if not ((before / place).is_file() and (after / place).is_file()):
            continue
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        own, old, new = (load_file(one) for one in (path, before / place, after / place))
        moved = {name: _move(tensor, old.get(name), new.get(name)) for name, tensor in own.items()}
        write_tensors(path, moved, metadata)
    return folder


def _move(own: Tensor, old: Tensor | None, new: Tensor | None) -> Tensor:
    if old is None or new is None or not own.is_floating_point() or old.shape != own.shape:
        return own
    return (own.float() + new.float() - old.float()).to(own.dtype)
