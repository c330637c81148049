"""A change of low rank to a frozen layer."""

from torch import Tensor, nn


class Lora(nn.Module):
    """The change of a layer, of low rank; it begins by adding 0.

    Args:
        layer: Its sizes.
        rank: Width between.
        after: Whether it reads what the layer returns, and not what the layer reads.
    """

    def __init__(self, layer: nn.Linear, rank: int, after: bool = False):
        super().__init__()
        read = layer.out_features if after else layer.in_features
        self.down = nn.Linear(read, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)

    def forward(self, states: Tensor) -> Tensor:
        """Return what the change adds."""
        return self.up(self.down(states))
