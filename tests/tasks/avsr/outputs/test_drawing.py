"""Previews are drawn at any size, with the whole drawing inside the picture."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.faces import FaceTrack
from tasks.avsr.crop import write_mouths
from tasks.avsr.inputs.media import ReadyMouth
from tasks.avsr.outputs.drawing import TALKING, Painter
from tasks.avsr.outputs.preview import write_preview
from tasks.avsr.outputs.transcript import Face, Segment, Transcript
from tasks.pictures import fonts
from tasks.pictures.lettering import Lettering

SAID = "And so my fellow Americans, ask not what your country can do for you"
FRAMES = 3
sides = st.one_of(st.integers(1, 40), st.integers(1, 1280))
coordinates = st.floats(-3000, 3000, width=32)
LETTERING = Lettering()


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_a_picture_of_any_size_is_drawn_on(width, height, box):
    painter = Painter(width, height, LETTERING)
    painter.start(np.full((height, width, 3), 90, np.uint8))
    painter.inset(np.full((96, 96), 200, np.uint8))
    painter.face(np.array(box, np.float32), 12, 0.87, chosen=True)
    painter.subtitle(SAID)
    assert painter.canvas.shape == (painter.size[1], painter.size[0], 3)
    assert painter.size[0] % 2 == painter.size[1] % 2 == 0
    assert painter.canvas.shape[0] >= height and painter.canvas.shape[1] >= width
    assert (painter.canvas > 230).all(-1).any(), "no letter of the subtitle is white"


@pytest.mark.parametrize(
    "size", [(300, 1280), (2, 1280), (1280, 2), (2, 2), (301, 201), (854, 480)]
)
def test_every_line_of_a_subtitle_is_inside_the_picture(size):
    painter = Painter(*size, LETTERING)
    painter.start(np.zeros((size[1], size[0], 3), np.uint8))
    painter.subtitle(SAID)
    edges = painter.canvas[0], painter.canvas[-1], painter.canvas[:, 0], painter.canvas[:, -1]
    assert painter.canvas.any() and not any(edge.any() for edge in edges)


def test_usual_pictures_keep_their_size_and_small_ones_are_doubled():
    sizes = {(854, 480): (854, 480), (300, 1280): (300, 1280), (320, 240): (640, 480)}
    for size, drawn in sizes.items():
        assert Painter(*size, LETTERING).size == drawn


def test_a_box_is_drawn_where_the_face_is_seen():
    painter = Painter(4, 400, LETTERING)  # enlarged, with bars beside it
    painter.start(np.zeros((400, 4, 3), np.uint8))
    painter.face(np.array([0, 100, 4, 50], np.float32), 0, None, chosen=True)
    rows, columns = np.nonzero((painter.canvas == TALKING).all(-1)[240:])  # below the label
    left = painter.corner[0]
    assert abs(columns.min() - left) <= 2 and abs(columns.max() - left - painter.drawn[0]) <= 2
    assert abs(rows.max() + 240 - 150 * painter.scale) <= 2


def write_video(path: Path, width: int, height: int) -> None:
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for index in range(FRAMES):
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def talker(width: int, height: int) -> FaceTrack:
    """A face as large as the picture, who talks."""
    box = np.tile(np.array([0, 0, width, height], np.float32), (FRAMES, 1))
    places = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.5, 0.8]]) * (width, height)
    landmarks = np.tile(places.astype(np.float32), (FRAMES, 1, 1))
    always = np.ones(FRAMES, bool)
    return FaceTrack(0, 0, 0, box, landmarks, always, always, always, 0.9, 0.8)


@pytest.mark.parametrize(
    "size", [(2, 2), (1, 1), (3, 7), (2, 1300), (1300, 3), (300, 1280), (161, 121), (1000, 2000)]
)
def test_a_preview_of_any_size_is_written(tmp_path, size):
    write_video(tmp_path / "in.mkv", *size)
    face = Face(0, 0.0, 0.12, (0.0, 0.0, *map(float, size)), 0.8, True)
    segments = (Segment(0.0, 0.12, SAID),)
    transcript = Transcript(SAID, 0.12, "m", False, "", segments, (face,), (talker(*size),))
    assert write_preview(tmp_path / "in.mkv", transcript, tmp_path / "out.mp4") is None
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES and pictures[0].any()


def test_a_preview_without_a_font_says_which_script_it_cannot_write(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_installed", tuple)
    write_video(tmp_path / "in.mkv", 64, 48)
    thai = Segment(0.0, 0.12, "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35")
    transcript = Transcript(thai.text, 0.12, "m", False, "", (thai,), ())
    note = write_preview(tmp_path / "in.mkv", transcript, tmp_path / "out.mp4")
    assert note is not None and "Thai" in note and "--font" in note and "\n" not in note


@pytest.mark.parametrize("size", [(2, 2), (1, 1), (3, 900), (301, 17)])
def test_mouths_and_their_sheet_are_cut_from_pictures_of_any_size(tmp_path, size):
    write_video(tmp_path / "in.mkv", *size)
    outputs = tmp_path / "mouth.mp4", tmp_path / "mouth.json"
    ready, sheet = ReadyMouth(box=(0.0, 0.0, 1.0, 1.0)), tmp_path / "sheet.png"
    write_mouths(tmp_path / "in.mkv", *outputs, ready, sheet=sheet)
    for path, side in ((outputs[0], 96), (sheet, None)):
        with av.open(str(path)) as container:
            pictures = list(container.decode(video=0))
        assert len(pictures) == (FRAMES if side else 1) and side in (None, pictures[0].width)
