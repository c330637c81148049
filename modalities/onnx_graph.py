"""Graphs that onnxruntime reads, written without a library of their own.

Source:
    onnx/onnx.proto3, and Protocol Buffers, Encoding.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

FORMAT, OPERATORS, MICROSOFT = 9, 18, "com.microsoft"  # the oldest that know all we use
FLOAT32, EXTERNAL = 1, 1
VARINT, BYTES, FIXED32 = 0, 2, 5  # how protobuf lays out a field
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7
Attribute = int | float | Sequence[int]


@dataclass
class OnnxGraph:
    """A graph that grows node by node.

    Attributes:
        weights: float32 arrays by name; they are handed over beside the graph, not in it.
    """

    weights: dict[str, np.ndarray] = field(default_factory=dict)
    nodes: list[bytes] = field(default_factory=list)

    def weight(self, values: np.ndarray) -> str:
        """Add a weight, and return its name."""
        name = f"weight_{len(self.weights)}"
        self.weights[name] = np.ascontiguousarray(values, np.float32)
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Add a node of one output, and return the name of that.

        Args:
            operator: Its name in ONNX.
            inputs: Names of weights, outputs and inputs of the graph.
            domain: Who defines the operator; ONNX itself without.
            attributes: What it is set to.
        """
        output = f"value_{len(self.nodes)}"
        parts = [_bytes(1, name) for name in inputs] + [_bytes(2, output), _bytes(4, operator)]
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self.nodes.append(b"".join([*parts, _bytes(7, domain)]))
        return output

    def finish(self, source: tuple[str, Sequence[int | str]], result: str) -> bytes:
        """Write the graph.

        Args:
            source: Name and axes of its input, a size or a name each.
            result: The output that is wanted.
        """
        graph = [_bytes(1, node) for node in self.nodes] + [_bytes(2, "graph")]
        graph += [_bytes(5, _outside(name, a.shape)) for name, a in self.weights.items()]
        graph += [_bytes(11, _value(*source)), _bytes(12, _value(result, None))]
        known = [_bytes(8, _operators("", OPERATORS)), _bytes(8, _operators(MICROSOFT, 1))]
        return b"".join([_number(1, FORMAT), _bytes(7, b"".join(graph)), *known])


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def _number(field_number: int, value: int) -> bytes:
    return _varint(field_number << 3 | VARINT) + _varint(value)


def _bytes(field_number: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field_number << 3 | BYTES) + _varint(len(raw)) + raw


def _operators(domain: str, version: int) -> bytes:
    return _bytes(1, domain) + _number(2, version)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        number = _varint(2 << 3 | FIXED32) + struct.pack("<f", value)
        return _bytes(1, name) + number + _number(20, FLOAT_ATTRIBUTE)
    if isinstance(value, int):
        return _bytes(1, name) + _number(3, value) + _number(20, INT_ATTRIBUTE)
    numbers = b"".join(_number(8, number) for number in value)
    return _bytes(1, name) + numbers + _number(20, INTS_ATTRIBUTE)


def _value(name: str, axes: Sequence[int | str] | None) -> bytes:
    """Describe a float32 tensor; its axes where they are known."""
    tensor = _number(1, FLOAT32)
    if axes is not None:
        sizes = [_number(1, a) if isinstance(a, int) else _bytes(2, a) for a in axes]
        tensor += _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def _outside(name: str, shape: Sequence[int]) -> bytes:
    """Describe a weight that lies outside of the graph."""
    axes = b"".join(_number(1, size) for size in shape)
    place = _bytes(13, _bytes(1, "location") + _bytes(2, "beside"))
    return axes + _number(2, FLOAT32) + _bytes(8, name) + place + _number(14, EXTERNAL)
