"""The network that takes a window of a mixture apart by masks on its spectrum."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modalities.rates import RATE_HZ
from modalities.separation.blocks import Positions, initialise, nest_blocks
from modalities.separation.spectrum import make_consistent, to_spectrum, to_waveform

READS = ("power", "log_power")
LONGEST_S = 600  # of a window: each of its frames has weights of its own
MOST_SOURCES = 12  # ways to deal sources out to mixtures double with each
FLOOR = 1e-6  # of a window's mean power; what is below is silence to "log_power"


@dataclass(frozen=True)
class SeparatorOptions:
    """Sizes of the network; the defaults are those that were published.

    Attributes:
        sources: Into how many sounds a mixture is taken apart, 2 to 12; some may stay silent.
        window_s: Seconds that are taken apart at once, above 0 to 600.
        rate_hz: Samples per second of what comes in and goes out.
        fft: Samples of a frame of the spectrum, and of its window.
        hop: Samples from one frame to the next, up to half of `fft`.
        widths: Channels from the outside inwards, each a multiple of `squeeze`.
        squeeze: So many times fewer numbers weigh the channels of a block.
        dropout: Share of the channels that are blanked in training, 0 to below 1.
        reads: "power" of the spectrum, as published, or "log_power": its logarithm relative to the
            window's mean, which does not change with the level of the sound.
    """

    sources: int = 6
    window_s: float = 8.0
    rate_hz: int = RATE_HZ
    fft: int = 400
    hop: int = 200
    widths: tuple[int, ...] = (64, 64, 128, 256, 512, 512)
    squeeze: int = 16
    dropout: float = 0.5
    reads: str = "power"

    def __post_init__(self):
        if not 2 <= self.sources <= MOST_SOURCES:
            raise ValueError(f"sources is {self.sources}; expected 2 to {MOST_SOURCES}.")
        if self.reads not in READS:
            raise ValueError(f"reads is {self.reads!r}; known: {', '.join(READS)}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; expected 0 to below 1.")
        if not 0 < self.window_s <= LONGEST_S or self.rate_hz < 1 or self.fft < 2:
            raise ValueError(
                f"window_s is {self.window_s:g}, rate_hz {self.rate_hz} and fft {self.fft}; "
                f"expected above 0 to {LONGEST_S} s, 1 or more, and 2 or more samples."
            )
        if not 1 <= self.hop <= self.fft // 2:
            raise ValueError(f"hop is {self.hop}; expected 1 to {self.fft // 2}, half of fft.")
        self._check_widths()
        halved = 2 ** (len(self.widths) - 1)
        if min(self.bins, self.frames) < halved:
            raise ValueError(
                f"window_s is {self.window_s:g}, a spectrum of {self.bins} x {self.frames}; "
                f"expected {halved} or more each way to halve it {len(self.widths) - 1} times. "
                "Take longer windows, or fewer widths."
            )

    def _check_widths(self) -> None:
        if self.squeeze < 1:
            raise ValueError(f"squeeze is {self.squeeze}; expected 1 or more.")
        odd = [width for width in self.widths if width < 1 or width % self.squeeze]
        if len(self.widths) < 2 or odd:
            raise ValueError(
                f"widths are {self.widths}; expected two or more, multiples of squeeze "
                f"({self.squeeze})."
            )

    @property
    def samples(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.rate_hz)

    @property
    def bins(self) -> int:
        """Frequencies of the spectrum."""
        return self.fft // 2 + 1

    @property
    def frames(self) -> int:
        """Frames of the spectrum of a window."""
        return self.samples // self.hop + 1


class SeparationNetwork(nn.Module):
    """A U-Net that makes a mask for each source.

    Source:
        Zhou et al., MACS: Multi-source Audio-to-image Generation with Contextual Significance and
        Semantic Alignment (AAAI 2026), arXiv 2503.10287.
    """

    def __init__(self, options: SeparatorOptions):
        super().__init__()
        self.options = options
        sources, outer = options.sources, options.widths[0]
        self.first = nn.Sequential(
            nn.Conv2d(1, sources, 3, padding=1),
            Positions(sources, options.bins, options.frames),
            nn.BatchNorm2d(sources),
            nn.GELU(),
        )
        self.widen = nn.Sequential(
            nn.Conv2d(sources, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.GELU()
        )
        self.blocks = nest_blocks(options.widths, options.squeeze, options.dropout)
        self.last = nn.Sequential(
            nn.Conv2d(2 * outer, outer, 3, padding=1),
            nn.BatchNorm2d(outer),
            nn.GELU(),
            nn.Conv2d(outer, outer, 3, padding=1),
            nn.BatchNorm2d(outer),
            nn.GELU(),
            nn.Conv2d(outer, sources, 1),
        )
        self.apply(initialise)

    def forward(self, mixture: Tensor) -> Tensor:
        """Take windows apart.

        Args:
            mixture: [batch, samples], windows of exactly the options' length.

        Returns:
            [batch, sources, samples]; their sum is the mixture.

        Raises:
            ValueError: Windows of another length.
        """
        samples = self.options.samples
        if mixture.ndim != 2 or mixture.shape[1] != samples:
            raise ValueError(
                f"Mixtures have the shape {list(mixture.shape)}; expected [batch, {samples}]. Pad "
                "or cut them, or let a Separator do it."
            )
        fft, hop = self.options.fft, self.options.hop
        with torch.autocast(mixture.device.type, enabled=False):
            spectrum = to_spectrum(mixture.float(), fft, hop)  # [batch, bins, frames]
            first = self.first(self._read(spectrum)[:, None])  # power overflows in float16
        masks = self.last(self.blocks(self.widen(first))).float().sigmoid()
        with torch.autocast(mixture.device.type, enabled=False):
            sources = to_waveform(masks * spectrum[:, None], samples, fft, hop)
            return make_consistent(sources, mixture.float())

    def _read(self, spectrum: Tensor) -> Tensor:
        power = spectrum.real.square() + spectrum.imag.square()
        if self.options.reads == "power":
            return power
        mean = power.mean((1, 2), keepdim=True).clamp_min(torch.finfo(power.dtype).tiny)
        return (power / mean + FLOOR).log10()
