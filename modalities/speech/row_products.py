"""Products of few rows with a matrix, where reading the matrix from memory is all the time.

A CPU reads it fastest with both halves at once on two threads, from a matrix that is stored by
columns if it is tall.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FEW = 8  # rows; more are a matrix, whose product is about arithmetic


def store_by_columns(linears: Sequence[nn.Linear]) -> None:
    """Store the matrices of layers that read the same input as one, column by column.

    Args:
        linears: Their weights become views of one matrix, values unchanged.
    """
    matrix = torch.cat([linear.weight.detach() for linear in linears]).t().contiguous()
    start = 0
    for linear in linears:
        linear.weight.data = matrix[:, start : start + linear.out_features].t()
        start += linear.out_features


class RowProduct:
    """Linear layers that read the same input, for one row at a time or a few.

    What is not a plain linear layer on a CPU, such as one that an adapter wraps, is called as it
    is.

    Args:
        linears: One layer, or several that `store_by_columns` laid out together.
    """

    def __init__(self, *linears: nn.Module):
        self.linears = linears
        self.halves = _find_halves(linears)
        self.splits_input = False
        self.bias: Tensor | None = None
        if self.halves is not None:
            plain = [linear for linear in linears if isinstance(linear, nn.Linear)]
            self.splits_input = 2 * self.halves.shape[1] == plain[0].in_features
            self.bias = _join_biases(plain)

    def __call__(self, rows: Tensor) -> Tensor:
        """[batch, tokens, inputs] -> [batch, tokens, outputs of all layers]."""
        count = rows.shape[:-1].numel()
        if self.halves is None or count > FEW:
            outputs = [linear(rows) for linear in self.linears]
            return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        if self.splits_input:
            split = rows.reshape(count, 2, -1).transpose(0, 1)
            product = torch.bmm(split, self.halves).sum(0)
        else:
            same = rows.reshape(1, count, -1).expand(2, -1, -1)
            product = torch.bmm(same, self.halves).transpose(0, 1)
        product = product.reshape(*rows.shape[:-1], -1)
        return product if self.bias is None else product + self.bias


def _find_halves(linears: Sequence[nn.Module]) -> Tensor | None:
    """View the matrix as [2, inputs / 2, outputs] or [2, inputs, outputs / 2], or return None."""
    if not all(_is_plain(linear) for linear in linears):
        return None
    weights = [linear.weight.detach() for linear in linears if isinstance(linear, nn.Linear)]
    outputs, inputs = sum(len(weight) for weight in weights), weights[0].shape[1]
    first = weights[0]
    if first.device.type != "cpu" or inputs % 2 or outputs % 2:
        return None
    if first.is_contiguous():
        wide = len(weights) == 1 and inputs > outputs
        return first.unflatten(0, (2, -1)).transpose(1, 2) if wide else None
    address = first.data_ptr()
    for weight in weights:
        if weight.data_ptr() != address or weight.stride() != (1, outputs):
            return None
        address += len(weight) * weight.element_size()
    return first.as_strided((2, inputs // 2, outputs), (inputs // 2 * outputs, outputs, 1))


def _is_plain(linear: nn.Module) -> bool:
    return type(linear) is nn.Linear and not linear._forward_hooks and not linear._forward_pre_hooks


def _join_biases(linears: Sequence[nn.Linear]) -> Tensor | None:
    if all(linear.bias is None for linear in linears):
        return None
    return torch.cat(
        [
            linear.weight.new_zeros(linear.out_features) if linear.bias is None else linear.bias
            for linear in linears
        ]
    ).detach()
