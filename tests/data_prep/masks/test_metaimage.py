"""MetaImage files are read with their spacing, compressed or not, or refused by name."""

import zlib

import numpy as np
import pytest

from data_prep.masks.images import read_image, read_mask

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.fixture
def save_meta(tmp_path):
    """Write a header and its values, and return the header's path."""

    def write(values, kind="MET_UCHAR", packed=False, size=None, **entries):
        data = zlib.compress(values.tobytes()) if packed else values.tobytes()
        (tmp_path / "a.raw").write_bytes(data)
        size = size or f"{values.shape[-1]} {values.shape[-2]} {values.size // 12}"
        header = {
            "ObjectType": "Image", "NDims": 3, "DimSize": size, "ElementType": kind,
            "CompressedData": packed, **entries, "ElementDataFile": "a.raw",
        }  # fmt: skip
        path = tmp_path / "a.mhd"
        path.write_text("".join(f"{key} = {value}\n" for key, value in header.items()))
        return path

    return write


@pytest.mark.parametrize("packed", [False, True])
def test_values_and_spacing_are_read(save_meta, packed):
    found = read_image(save_meta(GREY, packed=packed, ElementSpacing="0.308 0.154 1.54"))
    np.testing.assert_array_equal(found.values[..., 0], np.float32(GREY) / 255)
    assert (found.spacing_mm, found.note) == ((0.154, 0.308), "")


@pytest.mark.parametrize("spacing", ["wide 0.1", "0.1", "0.1 nan", "inf 0.1", "0 0.1"])
def test_a_spacing_that_cannot_be_is_none(save_meta, spacing):
    found = read_image(save_meta(GREY, ElementSpacing=spacing))
    assert found.spacing_mm is None and found.values.max() > 0


@pytest.mark.parametrize(
    ("kind", "stored"), [("MET_SHORT", "<i2"), ("MET_USHORT", ">u2"), ("MET_FLOAT", "<f4")]
)
def test_other_numbers_are_shown_by_a_window(save_meta, kind, stored):
    path = save_meta(GREY.astype(stored), kind, BinaryDataByteOrderMSB=stored.startswith(">"))
    shown = read_image(path, window=(110.5, 221)).values[..., 0]
    np.testing.assert_allclose(shown, GREY / 220, atol=1e-6)


def test_a_class_is_chosen_by_its_value(save_meta):
    path = save_meta(GREY // 80)
    np.testing.assert_array_equal(read_mask(path, 2), GREY // 80 == 2)
    with pytest.raises(ValueError, match="a.mhd is no mask of one class"):
        read_mask(path)


def test_of_several_pictures_the_first_is_taken_and_told(save_meta):
    path = save_meta(np.stack([GREY, 255 - GREY]))
    assert read_image(path).note == "the first of 2 pictures"
    np.testing.assert_array_equal(read_image(path).values[..., 0], np.float32(GREY) / 255)
    with pytest.raises(ValueError, match="holds 2 pictures"):
        read_mask(path)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"size": "40 30 1"}, "12 bytes, and 1200 expected"),
        ({"size": "no size"}, "a.mhd cannot be read"),
        ({"kind": "MET_LONG_DOUBLE"}, "it has no 'MET_LONG_DOUBLE'"),
        ({"ElementNumberOfChannels": 3}, "it has colours"),
        ({"packed": True, "CompressedData": "False"}, "a.mhd cannot be read|bytes"),
    ],
)
def test_a_damaged_file_is_told_by_its_name(save_meta, entries, told):
    if entries.get("packed"):
        path = save_meta(GREY)
        path.write_text(path.read_text().replace("CompressedData = False", "CompressedData = True"))
    else:
        path = save_meta(GREY, **entries)
    with pytest.raises(ValueError, match=told) as error:
        read_image(path)
    assert "\n" not in str(error.value) and "a.mhd cannot be read as a MetaImage" in str(
        error.value
    )


def test_values_that_are_not_there_and_a_header_that_is_none_are_told(save_meta):
    path = save_meta(GREY)
    (path.parent / "a.raw").unlink()
    with pytest.raises(ValueError, match="a.mhd cannot be read as a MetaImage .*a.raw"):
        read_image(path)
    path.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match="a.mhd cannot be read as a MetaImage"):
        read_mask(path)
