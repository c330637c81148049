"""What is known of the BlazeFace networks without their weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BlazeFaceShape:
    """One of the two networks.

    Attributes:
        name: The class of the torch network.
        side: Height and width of the input that it was trained on, pixels.
        grid: Other heights and widths must be multiples of this.
        strided: The residual blocks that halve height and width.
        anchor_maps: Stride in pixels and anchors per cell of each map, in the order of the outputs.

    Source:
        MediaPipe, face_detection_short_range.tflite and face_detection_full_range.tflite, and the
        .pbtxt files of that name (the options of SsdAnchorsCalculator, with fixed anchor size).
    """

    name: str
    side: int
    grid: int
    strided: tuple[int, ...]
    anchor_maps: tuple[tuple[int, int], ...]


SHAPES = {
    "short": BlazeFaceShape("BlazeFaceShort", 128, 16, (2, 5, 11), ((8, 2), (16, 6))),
    "full": BlazeFaceShape("BlazeFaceFull", 192, 32, (2, 5, 8, 11), ((4, 1),)),
}
