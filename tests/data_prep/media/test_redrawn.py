"""A video drawn anew has a picture where it is told, and appears whole or not at all."""

from fractions import Fraction

import numpy as np
import pytest

from data_prep.media import probe, stream_video
from data_prep.media.redrawn import redraw


def test_pictures_stand_where_their_numbers_say_beside_the_sound(demo_clip, tmp_path):
    path = tmp_path / "new" / "drawn.mp4"
    with redraw(demo_clip, path, (64, 48), Fraction(10)) as write:
        for number in range(5, 20):
            write(np.full((48, 64, 3), 200 if number >= 12 else 20, np.uint8), number)
    info, source = probe(path), probe(demo_clip)
    assert info.video is not None and info.audio is not None and source.audio is not None
    assert (info.video.width, info.video.height) == (64, 48)
    assert info.audio.duration_s == pytest.approx(source.audio.duration_s, abs=0.1)
    bright = [f.index for f in stream_video(path, 10) if not f.missing and f.gray().mean() > 128]
    assert bright[0] == 12


def test_what_fails_while_drawing_leaves_no_file(demo_clip, tmp_path):
    with pytest.raises(KeyError), redraw(demo_clip, tmp_path / "a.mp4", (64, 48), 25) as write:
        write(np.zeros((48, 64, 3), np.uint8), 0)
        raise KeyError
    assert not list(tmp_path.iterdir())
