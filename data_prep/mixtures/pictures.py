"""Which second of a recording to look at: the one in which most of what is heard is seen."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

Describe = Callable[[Sequence[np.ndarray], Sequence[str]], np.ndarray]
Event = tuple[str, float, float]  # label, from and until which second


def choose_second(counts: Sequence[float] | np.ndarray) -> float | None:
    """Return when to take a picture, in seconds: the middle of the best second.

    Of several that are equally good, the one in the middle of the longest run is taken, the
    earliest of such runs: it is far from where something begins and ends.

    Args:
        counts: For each second, how many things are both heard and seen, or a score that is higher
            for more.

    Returns:
        Seconds from the start; None where there are no counts, or all are 0.

    Raises:
        ValueError: A count is not finite.
    """
    values = np.asarray(counts, np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"The counts are {values.tolist()}; expected a finite number each.")
    if not values.any():
        return None
    best = np.flatnonzero(values == values.max())
    runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    longest = max(runs, key=len)
    return float(longest[(len(longest) - 1) // 2]) + 0.5


def count_events(heard: Iterable[Event], seen: Iterable[Event], seconds: int) -> list[int]:
    """Count for each second how many labels are both heard and seen in it.

    Args:
        heard: Sounds that were marked, with the times between which they are heard.
        seen: Things that were marked in the picture, with the times between which they are seen.
        seconds: Length of the recording, 1 or more.
    """
    audible, visible = _by_second(heard, seconds), _by_second(seen, seconds)
    return [len(a & v) for a, v in zip(audible, visible, strict=True)]


def _by_second(events: Iterable[Event], seconds: int) -> list[set[str]]:
    found: list[set[str]] = [set() for _ in range(seconds)]
    for label, start_s, end_s in events:
        for second in range(max(0, int(start_s)), min(seconds, int(np.ceil(end_s)))):
            found[second].add(label)
    return found


def score_seconds(
    pictures: Sequence[np.ndarray],
    sounds: Sequence[np.ndarray],
    labels: Sequence[str],
    see: Describe,
    hear: Describe,
    sharpness: float = 20.0,
) -> np.ndarray:
    """Score for each second how much of what is heard is seen, with models of both.

    A label counts as much as the less certain of ear and eye makes it, so that a thing that is
    only heard, or only seen, does not count.

    Args:
        pictures: One a second, float32 [height, width, 3], RGB, 0 to 1.
        sounds: As many, float32 [samples] at 16 kHz, a second each.
        labels: What may be heard and seen, one or more.
        see: Returns how well each picture fits each label, cosines [seconds, labels], as CLIP does.
        hear: Returns how well each sound fits each label, cosines [seconds, labels], as CLAP does.
        sharpness: What cosines are multiplied by before they are compared over the seconds: a
            label's seconds are compared with each other, as the levels of two models are not alike.

    Returns:
        Scores, [seconds], 0 to the number of labels.

    Raises:
        ValueError: Pictures and sounds are not equally many, or there are none; no label is given,
            or a model returns another shape.
    """
    if len(pictures) != len(sounds) or not pictures or not labels:
        raise ValueError(
            f"{len(pictures)} pictures, {len(sounds)} sounds and {len(labels)} labels were given; "
            "expected a picture and a sound for each second, and a label or more."
        )
    certain = []
    for describe, things in ((see, pictures), (hear, sounds)):
        fits = np.asarray(describe(things, labels), np.float64)
        if fits.shape != (len(things), len(labels)):
            raise ValueError(
                f"A model returned {list(fits.shape)}; expected [{len(things)}, {len(labels)}], "
                "a cosine for each second and label."
            )
        certain.append(1 / (1 + np.exp(-sharpness * (fits - fits.mean(0)))))
    return np.minimum(*certain).sum(1)
