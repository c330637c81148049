"""Write networks as ONNX, for onnxruntime, without the package onnx.

An ONNX file is a protocol buffer: fields, each a number and a value. The few that are needed are
written here by hand; the numbers are those of onnx.proto.
"""

import struct
from collections.abc import Sequence

import numpy as np

IR_VERSION, OPSET, MICROSOFT = 9, 18, "com.microsoft"  # the oldest that know all we use
# onnx.proto's numbers of types
ELEMENTS = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}
FLOAT, INT, STRING, INTS = 1, 2, 3, 7  # likewise of attributes
EXTERNAL = 1  # data that is not in the graph

Attribute = float | int | str | Sequence[int]


class OnnxGraph:
    """A graph that grows node by node; values are known by their names.

    Attributes:
        weights: Arrays by name that are handed over beside the graph, not in it.
    """

    def __init__(self):
        self.weights: dict[str, np.ndarray] = {}
        self._nodes: list[bytes] = []
        self._arrays: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def add_input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Take a value from outside; a side that is a word may have any length."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def add_output(self, name: str, shape: Sequence[int | str]) -> None:
        """Hand a float32 value out."""
        self._outputs.append(_value_info(name, "float32", shape))

    def add_array(self, values: np.ndarray | np.generic) -> str:
        """Keep an array in the graph, and return its name."""
        name = f"array_{len(self._arrays)}"
        values = np.asarray(values)
        dims = b"".join(_number(1, side) for side in values.shape)
        kind = _number(2, ELEMENTS[values.dtype.name])
        self._arrays.append(dims + kind + _text(8, name) + _block(9, values.tobytes()))
        return name

    def add_weight(self, values: np.ndarray) -> str:
        """Keep an array beside the graph, and return its name."""
        name = f"weight_{len(self.weights)}"
        self.weights[name] = np.ascontiguousarray(values)
        return name

    def add_cast(self, values: str) -> str:
        """Turn a value into float32, and return its name."""
        return self.add("Cast", values, to=ELEMENTS["float32"])

    def add(
        self,
        operation: str,
        *inputs: str,
        name: str | None = None,
        domain: str = "",
        **attributes: Attribute,
    ) -> str:
        """Compute a value, and return its name.

        Args:
            operation: Name of an operator.
            inputs: Names of values.
            name: What the result is called; None for a number.
            domain: Who defines the operator: ONNX itself without, or `MICROSOFT`.
            attributes: What the operator is set to.
        """
        name = name or f"value_{len(self._nodes)}"
        given = b"".join(_text(1, value) for value in inputs)
        options = b"".join(_block(5, _attribute(k, v)) for k, v in attributes.items())
        node = given + _text(2, name) + _text(4, operation) + options + _text(7, domain)
        self._nodes.append(node)
        return name

    def to_bytes(self) -> bytes:
        """Return what an .onnx file holds."""
        graph = b"".join(
            [
                *(_block(1, node) for node in self._nodes),
                _text(2, "graph"),
                *(_block(5, array) for array in self._arrays),
                *(_block(5, _outside(name, a)) for name, a in self.weights.items()),
                *(_block(11, value) for value in self._inputs),
                *(_block(12, value) for value in self._outputs),
            ]
        )
        operators = (_text(1, "") + _number(2, OPSET), _text(1, MICROSOFT) + _number(2, 1))
        known = b"".join(_block(8, version) for version in operators)
        return _number(1, IR_VERSION) + _block(7, graph) + known


def _value_info(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _block(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape
    )
    tensor = _number(1, ELEMENTS[dtype]) + _block(2, dims)
    return _text(1, name) + _block(2, _block(1, tensor))


def _outside(name: str, values: np.ndarray) -> bytes:
    """Describe an array that lies beside the graph."""
    dims = b"".join(_number(1, side) for side in values.shape)
    place = _block(13, _text(1, "location") + _text(2, "beside"))
    kind = _number(2, ELEMENTS[values.dtype.name])
    return dims + kind + _text(8, name) + place + _number(14, EXTERNAL)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, STRING)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, INT)
    if isinstance(value, float):
        packed = bytes([2 << 3 | 5]) + struct.pack("<f", value)
        return _text(1, name) + packed + _number(20, FLOAT)
    return _text(1, name) + b"".join(_number(8, item) for item in value) + _number(20, INTS)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value & (1 << 64) - 1)


def _block(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last have the highest bit set."""
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
