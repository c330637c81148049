"""A mixture of any length, taken apart window by window while it arrives."""

from collections.abc import Callable

import torch
from torch import Tensor

from modalities.separation.matching import match_best
from modalities.separation.spectrum import to_spectrum

PROFILE_FFT = 512
PROFILE_WEIGHT = 0.1  # of how a source sounds, beside the samples that two windows share


class SourceStream:
    """Joins windows by a cross-fade, each source going on in the place that it had before.

    The places of sources are those of the first window. A later window's sources go where the
    samples that both windows share are most alike; where these are silent, where the spectrum is.
    Memory does not grow with the length of the sound.

    Args:
        separate: Takes a window of a mixture, [samples], apart: [sources, samples].
        window: Samples of a window.
        overlap: Samples that a window shares with the next, at least 1 and up to half a window.

    Raises:
        ValueError: Another overlap.
    """

    def __init__(self, separate: Callable[[Tensor], Tensor], window: int, overlap: int):
        if not 1 <= overlap <= window // 2:
            raise ValueError(
                f"Windows of {window} samples overlap by {overlap}; expected 1 to {window // 2}."
            )
        self.separate, self.window, self.overlap = separate, window, overlap
        self.sound = torch.zeros(0)  # of the mixture, what windows to come may take
        self.start = 0  # place of its first sample
        self.done = 0  # samples that were returned; the next window begins with the one after
        self.tail: Tensor | None = None  # [sources, overlap], of the last window
        self.profile: Tensor | None = None  # [sources, bins], power so far

    def push(self, mixture: Tensor) -> list[Tensor]:
        """Take more of the mixture.

        Args:
            mixture: [samples], any number of them.

        Returns:
            What is final of the sources, pieces of [sources, samples] in order of time.
        """
        self.sound = torch.cat([self.sound.to(mixture), mixture])
        pieces = []
        while self.start + len(self.sound) >= self.done + self.window:
            pieces.append(self._take(self.done, self.window - self.overlap))
            self._forget()
        return pieces

    def flush(self) -> list[Tensor]:
        """Return the rest: the last window ends with the mixture."""
        end = self.start + len(self.sound)
        if self.done == end:
            return []
        if self.tail is not None and self.done + self.overlap == end:
            self.done = end
            return [self.tail]
        return [self._take(max(0, end - self.window), end - self.done)]

    def _forget(self) -> None:
        """Drop what even the last window, which ends with the mixture, cannot take any more."""
        spare = self.done + self.overlap - self.window - self.start
        self.sound, self.start = self.sound[max(0, spare) :], self.start + max(0, spare)

    def _take(self, start: int, count: int) -> Tensor:
        """Take a window apart, and return so many of the samples that follow those returned."""
        mixture = self.sound[start - self.start :][: self.window]
        padded = torch.nn.functional.pad(mixture, (0, self.window - len(mixture)))
        sources = self._in_place(self.separate(padded), self.done - start)
        if self.tail is not None:
            rise = torch.linspace(0, 1, self.overlap + 2, device=sources.device)[1:-1]
            faded = self.tail * (1 - rise) + sources[:, : self.overlap] * rise
            sources = torch.cat([faded, sources[:, self.overlap :]], 1)
        self.done += count
        self.tail = sources[:, count : count + self.overlap]
        return sources[:, :count]

    def _in_place(self, sources: Tensor, known: int) -> Tensor:
        """Return a window's sources in the order of those before, without its first samples."""
        power = to_spectrum(sources, PROFILE_FFT, PROFILE_FFT).abs().square().mean(-1)
        if self.tail is None or self.profile is None:
            self.profile = power
            return sources[:, known:]
        shared = sources[:, known : known + self.overlap]
        energy = self.tail.square().sum().clamp_min(torch.finfo(power.dtype).tiny)
        likeness = self.tail @ shared.T / energy + PROFILE_WEIGHT * _cosines(self.profile, power)
        order = match_best(likeness.tolist())
        self.profile = self.profile + power[order]
        return sources[order, known:]


def _cosines(before: Tensor, now: Tensor) -> Tensor:
    """Return the cosines of spectra, [rows, rows], of magnitudes, so that faint parts count too."""
    size = [torch.nn.functional.normalize(power.sqrt(), dim=1) for power in (before, now)]
    return size[0] @ size[1].T
