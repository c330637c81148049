"""Bring sound of any volume to one level as it arrives, for a detector that minds the volume."""

import numpy as np


class SteadyOffset:
    """Follows the constant part of a sound that arrives in chunks, as a cheap microphone adds it.

    Args:
        chunks: Over how many chunks the mean reaches back; of fewer it is the mean of all.
    """

    def __init__(self, chunks: int):
        self.chunks = chunks
        self.heard = 0
        self.mean = 0.0

    def push(self, means: np.ndarray) -> np.ndarray:
        """Take the means of the next chunks; return what to take off each, [chunks] float32."""
        offsets = np.empty(len(means), np.float32)
        for number, mean in enumerate(means.tolist()):
            self.heard += 1
            self.mean += (mean - self.mean) / min(self.heard, self.chunks)
            offsets[number] = self.mean
        return offsets


class SteadyLevel:
    """Says by what to multiply chunks of sound, so that how loud a recording is changes nothing.

    A chunk is measured against the loudest of the last chunks and itself, never against later
    ones: a stream gives what the whole recording gives. Pauses stay as far below speech as they
    are, and who speaks more quietly than somebody just before is brought up after a while.

    Args:
        target: What the loudest chunk is brought to.
        silence: A level, above 0; what stays below it all the time is not brought up to the
            target.
        weights: What the level of each of the last chunks counts, the oldest first, 1 at the end.
    """

    def __init__(self, target: float, silence: float, weights: np.ndarray):
        self.target, self.silence = target, silence
        self.weights = np.asarray(weights, np.float32)
        self.last = np.zeros(len(self.weights) - 1, np.float32)  # levels of the chunks before

    def push(self, levels: np.ndarray) -> np.ndarray:
        """Take the levels of the next chunks; return a factor for each, [chunks] float32."""
        if not len(levels):
            return np.zeros(0, np.float32)
        known = np.concatenate([self.last, levels], dtype=np.float32)
        around = np.lib.stride_tricks.sliding_window_view(known, len(self.weights))
        loudest = (around * self.weights).max(1)
        self.last = known[len(levels) :]
        factors = self.target / np.maximum(loudest, self.silence)
        return factors.astype(np.float32)


def weights_by_age(chunks: int, full: int, fallen: int, least: float) -> np.ndarray:
    """Say what the last chunks count, [chunks] float32, the oldest first.

    Args:
        chunks: How many count at all.
        full: Age in chunks up to which one counts in full; from there it falls steadily in dB.
        fallen: Age from which on it counts least.
        least: What it counts then, as all older ones do.
    """
    ages = np.arange(chunks)[::-1]
    return np.exp(np.interp(ages, [full, fallen], [0, np.log(least)])).astype(np.float32)
