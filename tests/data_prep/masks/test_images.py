"""Pictures and masks are read with their depth, upright, or refused by name."""

from struct import pack
from zlib import crc32

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep.masks.images import read_image, read_mask, read_pair
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.raster import TURNS

GREY = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
DISC = (np.hypot(*np.mgrid[-32:32, -32:32]) < 16).astype(np.uint8)


def grey_of(path, **options):
    found = read_image(path, **options).values
    assert found.dtype == np.float32 and found.ndim == 3 and found.shape[2] == 3
    assert (found == found[..., :1]).all()
    return found[..., 0]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif"])
def test_grey_and_colours_of_8_bits_are_parts_of_255(save, name):
    np.testing.assert_array_equal(grey_of(save(name, GREY)), np.float32(GREY) / 255)
    if name != "a.gif":
        np.testing.assert_array_equal(
            read_image(save(name, COLOURS)).values, np.float32(COLOURS) / 255
        )


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_keep_their_depth(tmp_path, suffix, channels):
    path = tmp_path / f"a.{suffix}"
    values = (40000 + np.arange(120, dtype=np.uint16)).reshape(10, 12)
    stored = values if channels == 1 else np.stack([values, values + 1, values + 2], axis=2)
    if channels == 4:
        stored = np.concatenate([stored, np.full((10, 12, 1), 65535, np.uint16)], axis=2)
    assert cv2.imwrite(str(path), stored)
    found = read_image(path).values
    assert len(np.unique(found[..., 0])) == 120, "8 bits would leave one or two values"
    first = values if channels == 1 else values + 2  # OpenCV writes blue first
    np.testing.assert_array_equal(found[..., 0], np.float32(first) / np.float32(65535))


def test_16_bits_that_use_12_are_told_and_shown_by_a_window(save):
    path = save("a.png", (GREY.astype(np.uint16) * 16))
    assert "brightest value is 3808 of 65535" in read_image(path).note
    shown = grey_of(path, window=(1904, 3808))
    assert shown.min() == 0 and shown.max() == pytest.approx(1)


def test_floats_are_taken_from_0_to_1_and_refused_beyond_without_a_window(save):
    path = save("a.tif", np.float32(GREY) / 255)
    np.testing.assert_array_equal(grey_of(path), np.float32(GREY) / 255)
    path = save("hounsfield.tif", np.float32(GREY) - 100)
    with pytest.raises(ValueError, match="hounsfield.tif has values from -100 to 138; .*window"):
        read_image(path)
    assert grey_of(path, window=(0, 100)).max() == 1
    path = save("nan.tif", np.full((3, 3), np.nan, np.float32))
    with pytest.raises(ValueError, match="nan.tif has values from nan"):
        read_image(path)
    with pytest.raises(ValueError, match="nan.tif: It has values that are no finite numbers"):
        read_image(path, window=(0, 100))


def test_palettes_transparency_and_cmyk_become_colours(save):
    picture = Image.fromarray(COLOURS)
    few = picture.quantize(16)
    expected = np.float32(np.asarray(few.convert("RGB"))) / 255
    np.testing.assert_array_equal(read_image(save("p.png", few)).values, expected)
    clear = np.dstack([COLOURS, np.full(GREY.shape, 255, np.uint8)])
    clear[0, :, 3] = 0  # what is hidden below is not for the model
    found = read_image(save("a.png", clear)).values
    assert (found[0] == 0).all() and (found[1:] == np.float32(COLOURS[1:]) / 255).all()
    found = read_image(save("c.tif", picture.convert("CMYK")))
    assert found.note == "CMYK turned into RGB"
    np.testing.assert_allclose(found.values, np.float32(COLOURS) / 255, atol=0.01)


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.png"])
def test_of_several_pictures_the_first_is_taken_and_told(save, name):
    first, other = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    found = read_image(save(name, first, save_all=True, append_images=[other, first]))
    assert found.note == "the first of 3 pictures"
    np.testing.assert_array_equal(found.values[..., 0], np.float32(GREY) / 255)


@pytest.mark.parametrize("name", ["m.gif", "m.tif"])
def test_a_mask_of_several_pictures_is_refused(save, name):
    pages = [Image.fromarray(DISC * 255), Image.fromarray(DISC.T * 0)]
    path = save(name, pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="holds 2 pictures; expected one"):
        read_mask(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_as_viewers_show_them(save, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    path = save("a.png", Image.fromarray(GREY), exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    for compression in ("raw", "tiff_lzw"):
        others = [save("a.tif", Image.fromarray(GREY), exif=exif, compression=compression)]
        for one in (path, *others):
            np.testing.assert_array_equal(grey_of(one), np.float32(expected) / 255)
            assert read_image(one).turn == orientation


def deep_tiff(values, orientation) -> bytes:
    """Return a TIFF of 16-bit colours, which Pillow does not write."""
    height, width, _ = values.shape
    data = values.astype("<u2").tobytes()
    sizes = {256: width, 257: height, 273: 8, 278: height, 279: len(data)}
    short = {259: 1, 262: 2, 274: orientation, 277: 3}
    tags = [(tag, 4, 1, value) for tag, value in sizes.items()]
    tags += [(tag, 3, 1, value) for tag, value in short.items()]
    tags += [(258, 3, 3, 8 + len(data))]  # where the bits of the three channels stand
    packed = b"".join(pack("<HHII", *tag) for tag in sorted(tags))
    head = b"II*\0" + pack("<I", 8 + len(data) + 6)
    return head + data + pack("<4H", 16, 16, 16, len(tags)) + packed + bytes(4)


def deep_png(values, orientation) -> bytes:
    """Return a PNG of 16-bit colours with an EXIF tag."""
    whole = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    exif = Image.Exif()
    exif[274] = orientation
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    head = 8 + 25  # the signature and IHDR
    return (
        whole[:head] + pack(">I", len(chunk) - 4) + chunk + pack(">I", crc32(chunk)) + whole[head:]
    )


@pytest.mark.parametrize("write", [deep_tiff, deep_png])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_colours_stand_upright_too(tmp_path, orientation, write):
    values = np.random.default_rng(0).integers(0, 65535, (4, 6, 3), dtype=np.uint16)
    path = tmp_path / "a"
    path.write_bytes(write(values, orientation))
    found = read_image(path)
    mirrored, quarters = TURNS.get(orientation, (0, 0))
    expected = np.rot90(values[:, ::-1] if mirrored else values, quarters) / 65535
    assert found.turn == orientation
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_a_picture_of_one_pixel_is_one(save):
    assert read_image(save("a.png", np.full((1, 1), 51, np.uint8))).values.tolist() == [
        [[np.float32(0.2)] * 3]
    ]
    assert read_mask(save("m.png", np.full((1, 1), 255, np.uint8))).tolist() == [[True]]


def test_a_mask_of_8000_pixels_a_side_is_read(save):
    large = np.zeros((8000, 8000), np.uint8)
    large[10, 20:30] = 255
    assert read_mask(save("m.png", large)).sum() == 10


@pytest.mark.parametrize("cut", [0, 4, 60, 200])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif"])
def test_a_damaged_picture_is_told_by_its_name(save, suffix, cut):
    path = save(f"a.{suffix}", np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(
        ValueError, match=rf"a\.{suffix} cannot be read as a picture .*anew"
    ) as told:
        read_image(path)
    assert "\n" not in str(told.value)


def test_no_wrong_byte_in_the_pixels_of_a_png_passes_as_a_mask(save):
    path = save("a.png", DISC * 255)
    good = path.read_bytes()
    first, after = good.index(b"IDAT") + 4, good.index(b"IEND") - 8
    for place in range(first, after):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture"):
            read_mask(path)


def test_a_damaged_picture_of_16_bits_in_colours_is_told(tmp_path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 65535, (40, 40, 3), np.uint16)
    cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="a.png cannot be read as a picture"):
        read_image(path)


def test_no_file_is_told(tmp_path):
    for read in (read_image, read_mask):
        with pytest.raises(FileNotFoundError, match="There is no file .*b.png"):
            read(tmp_path / "b.png")


def test_masks_of_0_and_1_and_of_0_and_255_are_the_same(save):
    expected = DISC.astype(bool)
    for name, values in (
        ("one.png", DISC),
        ("white.png", DISC * 255),
        ("grey.png", DISC * 100),
        ("deep.tif", DISC.astype(np.uint16) * 65535),
        ("colours.png", np.dstack([DISC * 255] * 3)),
        ("red.png", np.dstack([DISC * 255, DISC * 0, DISC * 0])),
        ("bits.png", Image.fromarray(DISC * 255).convert("1")),
        ("palette.png", Image.fromarray(DISC * 255).convert("P")),
    ):
        np.testing.assert_array_equal(read_mask(save(name, values)), expected, err_msg=name)


def test_a_lossy_mask_is_cut_at_half_not_at_0(save):
    path = save("m.jpg", DISC * 255, quality=40)
    stored = np.asarray(Image.open(path))
    assert (stored > 0).sum() > DISC.sum() + 50, "the noise that a threshold of 0 would count"
    assert (read_mask(path) != DISC).sum() < 20


def test_a_lossy_mask_with_nothing_marked_is_empty(save):
    noise = np.random.default_rng(0).integers(0, 12, (64, 64), np.uint8)
    assert not read_mask(save("m.jpg", noise)).any()
    assert not read_mask(save("m.png", DISC * 0)).any()


def test_a_blurred_edge_is_no_class(save):
    path = save("m.png", cv2.GaussianBlur(DISC * 255, (0, 0), 1.5))
    assert abs(int(read_mask(path).sum()) - int(DISC.sum())) < 0.1 * DISC.sum()


@pytest.mark.parametrize(
    "values",
    [
        DISC + (np.arange(64) < 20).astype(np.uint8),
        100 * (DISC + (np.arange(64) < 20).astype(np.uint8)),
        np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8),
        (DISC + (np.arange(64) < 20)).astype(np.uint16) * 300,
    ],
    ids=["numbers", "greys", "a photograph", "16 bits"],
)
def test_a_mask_of_several_values_is_refused_where_none_is_asked_for(save, values):
    with pytest.raises(ValueError, match=r"m.png is no mask of one class: its values are 0, .*1"):
        read_mask(save("m.png", values))


def test_a_class_is_chosen_by_its_value(save):
    classes = DISC + (np.arange(64) < 20).astype(np.uint8)
    path = save("m.png", classes)
    np.testing.assert_array_equal(read_mask(path, 2), classes == 2)
    assert not read_mask(path, 7).any()
    palette = Image.fromarray(classes)
    palette.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    np.testing.assert_array_equal(read_mask(save("p.png", palette), 2), classes == 2)
    with pytest.raises(ValueError, match="m.jpg is lossy.*2 was asked for"):
        read_mask(save("m.jpg", classes), 2)
    with pytest.raises(ValueError, match="c.png is in colours, and the class of value 2"):
        read_mask(save("c.png", np.dstack([classes, classes * 0, classes])), 2)


def test_a_pair_has_one_size_or_both_are_named(save):
    image, mask = save("a.png", GREY), save("m.png", np.zeros((12, 10), np.uint8))
    row = MaskedImage("a", str(image), str(mask), "polyp")
    with pytest.raises(ValueError, match=r"m.png has 10 x 12 .*a.png 12 x 10; expected the same"):
        read_pair(row)
    with pytest.raises(ValueError, match="a.png has no mask; expected one"):
        read_pair(MaskedImage("a", str(image), "", "polyp"))


def test_pieces_of_a_mask_are_joined_and_the_rows_spacing_holds(save):
    left, right = np.zeros((2, 10, 12), np.uint8)
    left[2, :3], right[5, 8:] = 255, 255
    row = MaskedImage(
        "a",
        str(save("a.png", GREY)),
        str(save("l.png", left)),
        "tumor",
        spacing_mm=(0.1, 0.2),
        more_masks=(str(save("r.png", right)),),
    )
    image, mask = read_pair(row)
    np.testing.assert_array_equal(mask, (left | right) > 0)
    assert image.spacing_mm == (0.1, 0.2)


def test_the_ultrasound_pictures_beside_the_project_fit_their_masks(shared_data):
    from data_prep.datasets.masks.catalog import MASK_DATASETS

    for row in MASK_DATASETS["busi"](shared_data / "busi"):
        image, mask = read_pair(row)
        assert image.values.shape[:2] == mask.shape
        assert mask.any() == ("normal" not in row.id), row.id


def test_a_picture_of_too_many_pixels_is_told_to_be_large_and_not_to_be_damaged(
    tmp_path, monkeypatch
):
    Image.new("L", (40, 50)).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ValueError, match="a.png has more pixels than are read .*2000.*1000 pixels"):
        read_image(tmp_path / "a.png")
