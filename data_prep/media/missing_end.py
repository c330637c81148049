"""Media that ends before its header says, as a download that broke off does."""

from pathlib import Path

from data_prep.media.info import probe

LEAST_S = 0.5  # headers round, and count what an encoder put before or behind the sound


def describe_missing_end(path: str | Path) -> str:
    """Say whether the end of a file is missing; all of it is read, without decoding.

    Args:
        path: A media file.

    Returns:
        Both times, on the media clock; "" where it ends as its header says, or that says nothing.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is not media.
    """
    stated, true = probe(path, measure=False), probe(path)
    ends = [(stated.duration_s, true.duration_s)]
    if stated.video and true.video:
        ends.append((stated.video.duration_s, true.video.duration_s))
    for stated_s, true_s in ends:
        if stated_s is not None and true_s is not None and stated_s - true_s >= LEAST_S:
            return f"it ends after {true_s:.1f} of {stated_s:.1f} s, so the rest of it is missing"
    return ""
