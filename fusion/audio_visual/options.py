"""What can be set of the networks that compare and join lips and sound, read without torch."""

from dataclasses import dataclass

JOINT, ALIGNED, UPSTREAM = FUSION_NAMES = ("joint", "aligned", "upstream")
# Those that join after the convolutions, by what a lip encoder read, as far as it can be trusted.
GATED = (JOINT, ALIGNED)


@dataclass(frozen=True)
class AgreementOptions:
    """Options of the network.

    Attributes:
        mel_bins: Bands of the log-mel.
        lip_dim: Features of a lip frame: the lip encoder's `dim`.
        channels: Width of the convolutions over sound and of the layer over lips.
        dim: Width of the space in which lips and sound are compared.
    """

    mel_bins: int = 80
    lip_dim: int = 256
    channels: int = 128
    dim: int = 64
