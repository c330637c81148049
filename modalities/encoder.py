"""The contract between a frozen encoder and whatever follows it."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn


@dataclass(frozen=True)
class Features:
    """What an encoder hands on.

    Attributes:
        values: [batch, frames, dim].
        mask: [batch, frames], bool, True where real.
        rate_hz: Frames per second, 0 where there is no time axis.
    """

    values: Tensor
    mask: Tensor
    rate_hz: float


class FrozenEncoder(nn.Module):
    """A module that stays frozen and in evaluation mode.

    The parameters get no gradient, but forward builds a graph, so that adapters living inside
    the module can be trained; they alone follow `train` and `eval`.
    """

    def freeze(self) -> Self:
        """Turn off gradients of every parameter present now, and return the module."""
        self.requires_grad_(False)
        return self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever is asked; adapters inside do as asked."""
        super().train(False)
        for module in list(self.modules()):
            if hasattr(module, "adapter_layer_names"):  # PEFT's mark of what holds adapters
                for name, child in module.named_children():
                    if name != "base_layer":
                        child.train(mode)
        return self
