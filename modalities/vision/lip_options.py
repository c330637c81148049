"""Sizes of the lip encoder, read without torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LipOptions:
    """Options of the encoder.

    Attributes:
        words: What its head tells apart, besides silence, which is the last class.
        top: First row of the crop that is looked at.
        left: First column.
        height: Rows that are looked at.
        width: Columns.
        channels: Output channels of each convolution, two or more numbers; each halves height and
            width, rounded up.
        dim: Features of a picture, an even number: half of them read forwards in time, half
            backwards.
        layers: How many recurrent layers follow each other, 1 or more.
        mean_removed: Share of a clip's mean picture that is taken away from each picture, 0 to 1:
            with 1 only what moves is looked at, and not whose mouth it is.
    """

    words: tuple[str, ...] = ()
    top: int = 28
    left: int = 16
    height: int = 48
    width: int = 64
    channels: tuple[int, ...] = (24, 48, 96, 128)
    dim: int = 256
    layers: int = 2
    mean_removed: float = 0.0

    def __post_init__(self):
        if self.dim < 2 or self.dim % 2:
            raise ValueError(f"Option 'dim' is {self.dim}; expected an even number.")
        if len(self.channels) < 2 or self.layers < 1:
            raise ValueError(
                f"Options 'channels' and 'layers' are {self.channels} and {self.layers}; expected "
                "two or more, and one or more."
            )
        if not 0 <= self.mean_removed <= 1:
            raise ValueError(
                f"Option 'mean_removed' is {self.mean_removed}; expected a share, 0 to 1."
            )
