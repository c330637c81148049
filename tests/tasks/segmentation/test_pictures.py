"""Files of pictures: masks and probabilities in full depth, one a prompt, none lost for a name."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.masks.images import ReadImage
from tasks.segmentation.pictures import (
    Places,
    number_files,
    place_all,
    segment_picture,
    segment_pictures,
    to_bytes,
)
from tasks.segmentation.predictor import Segmented
from tasks.segmentation.request import Request


class Brightness:
    """Finds for "bright" how bright a pixel is, and for any other prompt how dark."""

    def segment(self, image, prompts, threshold=0.5):
        shown = [image[..., 0] if p == "bright" else 1 - image[..., 0] for p in prompts]
        return [
            Segmented(p, each, each > threshold) for p, each in zip(prompts, shown, strict=True)
        ]


RAMP = np.repeat(np.linspace(0, 1, 1000, dtype=np.float32)[None, :, None], 3, 2).repeat(4, 0)


def test_masks_are_0_and_255_and_probabilities_keep_16_bits(tmp_path):
    places = Places(
        masks=number_files(tmp_path / "m.png", 2),
        probabilities=number_files(tmp_path / "p.png", 2),
    )
    image = ReadImage(RAMP, (0.5, 0.1), "a note")
    request = Request(("bright", "dark"), 0.25)
    found = segment_picture(Brightness(), "ramp.png", image, request, places)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "m_1.png",
        "m_2.png",
        "p_1.png",
        "p_2.png",
    ]
    mask = cv2.imread(str(tmp_path / "m_1.png"), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8 and np.array_equal(mask, 255 * (RAMP[..., 0] > 0.25))
    deep = cv2.imread(str(tmp_path / "p_2.png"), cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 65535 - (1 - RAMP[..., 0])).max() < 1e-5
    assert (found.width, found.height, found.note) == (1000, 4, "a note")
    assert found.prompts[0].area_mm2 == pytest.approx(found.prompts[0].area_px * 0.05)


def test_bytes_of_a_picture_are_rounded():
    values = np.arange(256, dtype=np.float32)[:, None, None].repeat(3, 2) / np.float32(255)
    assert (to_bytes(values)[:, 0, 0] == np.arange(256)).all()


def test_one_prompt_keeps_the_name_that_was_typed():
    assert number_files(Path("a/m.png"), 1) == (Path("a/m.png"),)
    assert number_files(Path("a/m.png"), 2) == (Path("a/m_1.png"), Path("a/m_2.png"))


def test_pictures_of_one_name_have_files_of_their_own():
    source = Path("in")
    pictures = [source / name for name in ("a.jpg", "a.png", "sub/a.jpg", "b.dcm")]
    places = place_all(source, pictures, 2, Path("out"), Path("masks"), None)
    overlays = [str(one.overlay) for one in places.values()]
    assert overlays == ["out/a.jpg.png", "out/a.png.png", "out/sub/a.png", "out/b.png"]
    assert places[source / "b.dcm"].masks == (Path("masks/b_1.png"), Path("masks/b_2.png"))
    assert not places[source / "b.dcm"].probabilities


def test_a_corrupt_picture_in_the_middle_is_named_and_the_rest_is_done(tmp_path):
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for path in files:
        cv2.imwrite(str(path), np.full((8, 8), 200, np.uint8))
    files[1].write_bytes(files[1].read_bytes()[:40])
    taken, done = [], []
    failed = segment_pictures(
        Brightness(),
        {path: Places(path.with_name(f"{path.stem}_seen.png")) for path in files},
        Request(("bright",)),
        taken.append,
        lambda number, whole: done.append((number, whole)),
    )
    assert [one.picture for one in taken] == [str(files[0]), str(files[2])]
    assert list(failed) == [str(files[1])] and "cannot be read" in failed[str(files[1])]
    assert (tmp_path / "c_seen.png").is_file() and done[-1] == (3, 3)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"prompts": ()}, "No prompts"),
        ({"prompts": ("a", " ")}, "Prompt 2 of 2 is empty"),
        ({"prompts": ("a",), "threshold": float("nan")}, "Threshold is nan"),
        (
            {"prompts": ("a", "b\udcff")},
            r"Prompt 2 of 2, b\\udcff, has letters that are no Unicode",
        ),
        ({"prompts": ("a",), "window": (40.0, 0.0)}, "The window is 40,0; .*a width above 0"),
        ({"prompts": ("a",), "window": (float("nan"), 400.0)}, "The window is nan,400"),
        ({"prompts": ("a",), "window": (40.0, float("inf"))}, "The window is 40,inf"),
    ],
)
def test_what_cannot_be_asked_is_told(values, told):
    with pytest.raises(ValueError, match=told):
        Request(**values)
