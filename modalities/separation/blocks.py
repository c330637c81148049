"""Blocks of the network that makes masks: a U-Net nested in itself."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate


class SqueezeExcitation(nn.Module):
    """Weighs channels by what is loudest in each.

    Args:
        channels: How many; a multiple of `ratio`.
        ratio: So many times fewer are between the two linear layers.
    """

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        self.narrow = nn.Linear(channels, channels // ratio)
        self.widen = nn.Linear(channels // ratio, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return [batch, channels, height, width], each channel times a number in 0 to 1."""
        loudest = features.amax((2, 3))  # [batch, channels]
        weights = self.widen(gelu(self.narrow(loudest))).sigmoid()
        return features * weights[..., None, None]


class ResidualBlock(nn.Module):
    """Two convolutions beside a straight way, then weighed channels."""

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        self.changes = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )
        self.weigh = SqueezeExcitation(channels, ratio)

    def forward(self, features: Tensor) -> Tensor:
        """Return [batch, channels, height, width]."""
        return gelu(self.weigh(features + self.changes(features)))


class UBlock(nn.Module):
    """Halves height and width, does what is inside, and doubles them again.

    Args:
        channels: Channels of what comes in; as many again come out beside it.
        inner: Channels at half size.
        ratio: For `SqueezeExcitation`.
        dropout: Share of the channels that are blanked before what is inside, 0 to below 1.
        inside: Takes `inner` channels and returns twice as many; None for the innermost block,
            which weighs its channels there and blanks none.
    """

    def __init__(
        self, channels: int, inner: int, ratio: int, dropout: float, inside: "UBlock | None" = None
    ):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(channels, inner, 4, stride=2, padding=1), nn.BatchNorm2d(inner), nn.GELU()
        )
        self.down_block = ResidualBlock(inner, ratio)
        self.blank = nn.Dropout2d(dropout if inside else 0.0)
        self.inside = inside or SqueezeExcitation(inner, ratio)
        width = inner * (2 if inside else 1)
        self.up_block = ResidualBlock(width, ratio)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.GELU(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return what came in and what became of it, [batch, 2 * channels, height, width]."""
        small = self.inside(self.blank(self.down_block(self.down(features))))
        large = self.up(self.up_block(small))
        if large.shape[2:] != features.shape[2:]:  # odd sizes were rounded down
            large = interpolate(large, features.shape[2:], mode="bilinear", align_corners=True)
        return torch.cat([features, large], 1)


class Positions(nn.Module):
    """A learned vector for each row and one for each column, added in every channel."""

    def __init__(self, channels: int, height: int, width: int):
        super().__init__()
        self.rows = nn.Parameter(torch.randn(channels, height, 1) * 0.05)
        self.columns = nn.Parameter(torch.randn(channels, 1, width) * 0.05)

    def forward(self, features: Tensor) -> Tensor:
        """Return [batch, channels, height, width]."""
        return features + self.rows + self.columns


def nest_blocks(widths: tuple[int, ...], ratio: int, dropout: float) -> UBlock:
    """Build blocks, each within the one before.

    Args:
        widths: Channels from the outside inwards, two or more; there is a block between each two.
        ratio: For `SqueezeExcitation`.
        dropout: Share of blanked channels in all but the innermost block.
    """
    inside = None
    for channels, inner in reversed(list(zip(widths, widths[1:], strict=False))):
        inside = UBlock(channels, inner, ratio, dropout, inside)
    assert inside is not None
    return inside


def initialise(module: nn.Module) -> None:
    """Draw the weights of a layer as the published network does; biases become 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
