"""Plots for pages, small."""

from pathlib import Path

from PIL import Image

COLOURS = 128  # more than a plot has, but for the edges of letters


def shrink_plot(source: Path, target: Path, colours: int = COLOURS) -> None:
    """Write a plot as a PNG with a palette, a third of the size or less.

    Args:
        source: A picture.
        target: A .png file, which may be the same.
        colours: How many the palette has at most, 2 to 256.

    Raises:
        OSError: The picture cannot be read, or the file not be written.
    """
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(colours).save(target, optimize=True)
