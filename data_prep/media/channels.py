"""From several channels to one: their mean, or the loudest where they cancel each other in it."""

import numpy as np

HOP_S = 0.01
# Sound is followed over about so long: briefly to find that channels cancel, and beyond a pause
# between two words to find that they no longer do.
BRIEF_S, LONG_S = 0.05, 0.4
# Of the power that channels without anything in common would have in the mean. Less than the first
# is cancellation, as of a channel with its wires swapped; more than the second is none.
CANCELLED, SOUND = 0.1, 0.3
HOPS_TO_SWITCH = 3
CHANGE_CHANNEL = 4.0  # as much more power another channel must have to be taken instead
FADE_S = 0.01


class ChannelMixer:
    """Mixes the channels of a stream to one, block by block.

    The mean is taken, to the bit, unless its power over the last 0.05 s is less than a tenth of
    what channels that have nothing in common would have in it: then the loudest channel is, until
    the mean has three tenths over 0.4 s. That is decided every 10 ms from the sound before, so that
    neither blocks nor what follows matter; silence decides nothing, and constant offsets do not
    count. Changes fade over 10 ms.

    Args:
        channels: Their number.
        rate_hz: Samples per second.
    """

    def __init__(self, channels: int, rate_hz: int):
        self.channels = channels
        self.rate_hz = rate_hz
        self._hop = max(2, round(HOP_S * rate_hz))
        self._fade = max(1, round(FADE_S * rate_hz))
        self._pending = np.zeros((channels, 0))  # of the hop that is not whole yet
        # Fading sums of the powers of the channels and of their mean.
        self._brief = self._long = np.zeros(channels + 1)
        self._votes = 0  # hops in a row that speak for a switch
        self._taken: int | None = None  # a channel; None: the mean
        self._before: int | None = None  # what is faded from
        self._faded = self._fade  # samples of the fade that are done

    def push(self, samples: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Mix the next samples.

        Args:
            samples: [channels, samples], full scale at 1.
            mean: Their mean, [samples], which is returned as it is where nothing cancels.

        Returns:
            [samples], as many and of the type of the mean.
        """
        if self.channels == 1:
            return mean
        mixed, start, total = mean, 0, samples.shape[1]
        waiting = self._pending.shape[1]
        self._pending = np.concatenate([self._pending, samples], axis=1)
        stops = range(self._hop - waiting, total + 1, self._hop)
        for stop, powers in zip([*stops, total], [*self._measure(len(stops)), None], strict=True):
            part = self._mix(samples[:, start:stop], mean[start:stop])
            if part is not None:
                mixed = mean.copy() if mixed is mean else mixed
                mixed[start:stop] = part
            if powers is not None and powers.any():
                self._decide(powers)
            start = stop
        return mixed

    def _measure(self, hops: int) -> np.ndarray:
        """Take whole hops and return their powers, [hops, channels and the mean]."""
        whole = self._pending[:, : hops * self._hop].reshape(self.channels, hops, self._hop)
        self._pending = self._pending[:, hops * self._hop :]
        # Contiguous, or numpy adds up in another order for other blocks.
        both = np.ascontiguousarray(np.concatenate([whole, whole.mean(axis=0)[None]]))
        return both.var(axis=2).T

    def _mix(self, samples: np.ndarray, mean: np.ndarray) -> np.ndarray | None:
        """Return what is to be heard, or None for the mean."""
        if self._faded >= self._fade:
            return None if self._taken is None else samples[self._taken].astype(mean.dtype)
        count = len(mean)
        share = np.clip((self._faded + np.arange(1, count + 1)) / self._fade, 0.0, 1.0)
        self._faded += count
        before = mean if self._before is None else samples[self._before]
        after = mean if self._taken is None else samples[self._taken]
        return ((1 - share) * before + share * after).astype(mean.dtype)

    def _decide(self, powers: np.ndarray) -> None:
        """Take the powers of a hop into account, [channels and the mean]."""
        self._brief = np.exp(-HOP_S / BRIEF_S) * self._brief + powers
        self._long = np.exp(-HOP_S / LONG_S) * self._long + powers
        loudest = int(self._long[:-1].argmax())
        if self._taken is None:
            cancels = _share(self._brief) < CANCELLED
            wanted = int(self._brief[:-1].argmax()) if cancels else None
        elif _share(self._long) > SOUND:
            wanted = None
        else:
            louder = self._long[loudest] > CHANGE_CHANNEL * self._long[self._taken]
            wanted = loudest if louder else self._taken
        self._votes = self._votes + 1 if wanted != self._taken else 0
        if self._votes >= HOPS_TO_SWITCH and self._faded >= self._fade:
            if self._taken is None:
                self._long = self._brief  # what was before the channels cancelled is over
            self._before, self._taken = self._taken, wanted
            self._faded = self._votes = 0


def _share(powers: np.ndarray) -> float:
    """Power of the mean, as a part of what it is of channels without anything in common."""
    return float(powers[-1] / (powers[:-1].sum() / (len(powers) - 1) ** 2))
