"""DICOM pictures look as viewers show them; what pydicom leaves to its caller is done."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.masks.dicom import apply_window
from data_prep.masks.images import read_image, read_mask

RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 16
SOUND = {"RescaleSlope": 1, "RescaleIntercept": 0, "WindowCenter": 500, "WindowWidth": 1000}


def grey_of(path, **options):
    return read_image(path, **options).values[..., 0]


def test_without_a_window_all_values_are_shown_and_that_is_told(save_dicom):
    found = read_image(save_dicom("a.dcm", RAMP))
    assert found.note == "no window, so all values are shown" and found.spacing_mm is None
    np.testing.assert_allclose(found.values[..., 0], RAMP / RAMP.max(), rtol=1e-6)


def test_monochrome1_is_inverted(save_dicom):
    dark = grey_of(save_dicom("a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(dark, 1 - RAMP / RAMP.max(), atol=1e-6)


def test_slope_and_intercept_come_before_the_window(save_dicom):
    tags = {"RescaleSlope": 2, "RescaleIntercept": -1000}
    path = save_dicom("a.dcm", RAMP, **tags, WindowCenter=0, WindowWidth=401)
    shown = grey_of(path)
    units = RAMP * 2.0 - 1000
    assert (shown[units < -201] == 0).all() and (shown[units > 201] == 1).all()
    np.testing.assert_allclose(shown, np.clip((units + 0.5) / 400 + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_allclose(
        grey_of(path, window=(500, 101)), np.clip((units - 499.5) / 100 + 0.5, 0, 1), atol=1e-6
    )


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_those_of_pydicom(save_dicom, function):
    from pydicom import dcmread
    from pydicom.pixels import apply_voi_lut

    path = save_dicom(
        "a.dcm", RAMP, WindowCenter=[400, 1], WindowWidth=[300, 2], VOILUTFunction=function
    )
    theirs = apply_voi_lut(RAMP, dcmread(path)) / 65535
    np.testing.assert_allclose(grey_of(path), theirs, atol=1e-5)


def test_a_table_of_values_is_used(save_dicom):
    from pydicom import Dataset
    from pydicom.sequence import Sequence

    table = Dataset()
    table.LUTDescriptor = [1024, 0, 16]
    table.LUTData = (65535 * (np.arange(1024) / 1023) ** 2).astype("<u2").tobytes()
    shown = grey_of(save_dicom("a.dcm", RAMP, VOILUTSequence=Sequence([table])))
    np.testing.assert_allclose(shown, (RAMP / 1023) ** 2, atol=1e-4)


def test_a_width_of_1_is_a_step_and_none_is_refused(save_dicom):
    assert apply_window(np.array([9.0, 9.6, 11.0]), 10, 1).tolist() == [0, 1, 1]
    path = save_dicom("a.dcm", RAMP)
    with pytest.raises(ValueError, match="a.dcm: The window's width is 0; expected more than 0"):
        read_image(path, window=(40, 0))
    with pytest.raises(ValueError, match="a.dcm: The window is nan, 400; expected finite numbers"):
        read_image(path, window=(float("nan"), 400))


def test_signed_values_and_padding_do_not_stretch_what_is_shown(save_dicom):
    stored = RAMP.astype(np.int16)
    stored[0] = -2000
    shown = grey_of(save_dicom("a.dcm", stored, PixelPaddingValue=-2000))
    assert (shown[0] == 0).all() and shown[1, 0] == 0 and shown[7, 7] == 1


def test_colours_are_colours_whatever_way_they_are_stored(save_dicom):
    from pydicom.pixels import convert_color_space

    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:4], rgb[4:] = (200, 30, 60), (20, 180, 90)
    plain = read_image(save_dicom("rgb.dcm", rgb)).values
    np.testing.assert_array_equal(plain, np.float32(rgb) / 255)
    packed = convert_color_space(rgb, "RGB", "YBR_FULL")
    path = save_dicom("ybr.dcm", packed, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_allclose(read_image(path).values, plain, atol=0.02)


def test_of_a_clip_the_first_picture_is_taken_and_told(save_dicom):
    frames = np.stack([RAMP, RAMP[::-1]])
    found = read_image(
        save_dicom("a.dcm", frames, NumberOfFrames=2, WindowCenter=504, WindowWidth=1009)
    )
    assert found.note == "the first of 2 pictures"
    np.testing.assert_allclose(found.values[..., 0], RAMP / 1008, atol=1e-3)


def test_spacing_is_height_then_width(save_dicom):
    assert read_image(save_dicom("a.dcm", RAMP, PixelSpacing=[0.5, 0.25])).spacing_mm == (0.5, 0.25)
    path = save_dicom("b.dcm", RAMP, ImagerPixelSpacing=[0.2, 0.1])
    assert read_image(path).spacing_mm == (0.2, 0.1)
    path = save_dicom("c.dcm", RAMP, PixelSpacing=[0, 0])
    assert read_image(path).spacing_mm is None


def test_ultrasound_has_its_spacing_in_a_region_in_centimetres(save_dicom):
    from pydicom import Dataset
    from pydicom.sequence import Sequence

    def region(unit, delta):
        data = Dataset()
        data.PhysicalUnitsXDirection = data.PhysicalUnitsYDirection = unit
        data.PhysicalDeltaX, data.PhysicalDeltaY = delta, 2 * delta
        return data

    regions = Sequence([region(3, 0.01), region(4, 0.5)])  # the other one is of time
    path = save_dicom("a.dcm", RAMP, SequenceOfUltrasoundRegions=regions)
    assert read_image(path).spacing_mm == pytest.approx((0.2, 0.1))
    regions = Sequence([region(3, 0.01), region(3, 0.02)])
    path = save_dicom("b.dcm", RAMP, SequenceOfUltrasoundRegions=regions)
    assert read_image(path).spacing_mm is None


def test_tags_of_files_of_many_pictures_are_found_in_their_groups(save_dicom):
    from pydicom import Dataset
    from pydicom.sequence import Sequence

    def group(**tags):
        data = Dataset()
        for tag, value in tags.items():
            setattr(data, tag, value)
        return data

    shared = group(
        PixelMeasuresSequence=Sequence([group(PixelSpacing=[0.5, 0.25])]),
        PixelValueTransformationSequence=Sequence(
            [group(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")]
        ),
    )
    each = [
        group(FrameVOILUTSequence=Sequence([group(WindowCenter=centre, WindowWidth=101)]))
        for centre in (-500, 0)
    ]
    path = save_dicom(
        "a.dcm",
        np.stack([RAMP, RAMP]),
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(each),
    )
    found = read_image(path)
    assert found.spacing_mm == (0.5, 0.25)
    expected = np.clip((RAMP - 1024.0 + 500.5) / 100 + 0.5, 0, 1)
    np.testing.assert_allclose(found.values[..., 0], expected, atol=1e-6)


def test_every_file_that_comes_with_pydicom_is_read_or_told_by_name():
    pydicom = pytest.importorskip("pydicom")
    read = 0
    for path in sorted(Path(pydicom.__file__).parent.rglob("*.dcm")):
        try:
            values = read_image(path).values
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            continue
        read += 1
        assert values.ndim == 3 and 0 <= values.min() <= values.max() <= 1, path
    assert read >= 50


def test_a_mask_may_be_dicom_and_a_file_without_a_suffix(save_dicom):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 3:6] = 1
    np.testing.assert_array_equal(read_mask(save_dicom("mask", mask)), mask > 0)


@pytest.mark.parametrize("cut", [0, 100, 200, -20])
def test_a_damaged_file_is_told_by_its_name(save_dicom, cut):
    path = save_dicom("a.dcm", RAMP)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"a\.dcm cannot be read as a DICOM picture") as told:
        read_image(path)
    assert "\n" not in str(told.value)


def save_with(save_dicom, keyword, text):
    """Write a file in which the value of one tag, 16 letters, is another text of that length."""
    number = "1234567.12345678"
    path = save_dicom("a.dcm", RAMP, **{**SOUND, keyword: number})
    stored = path.read_bytes()
    assert stored.count(number.encode()) == 1
    path.write_bytes(stored.replace(number.encode(), text.encode().ljust(16)))
    return path


@pytest.mark.parametrize("text", ["wide", "nan"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter"])
def test_tags_that_are_no_numbers_are_told_with_the_file(save_dicom, keyword, text):
    path = save_with(save_dicom, keyword, text)
    with pytest.raises(ValueError, match=r"a\.dcm: The (file's )?(window|rescaling) ") as told:
        read_image(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["wide", "nan", "1", "1\\wide", "1\\nan", "inf\\1"])
def test_a_damaged_spacing_is_none(save_dicom, text):
    assert read_image(save_with(save_dicom, "PixelSpacing", text)).spacing_mm is None


def test_a_report_without_a_picture_is_told(save_dicom):
    from pydicom import dcmread

    path = save_dicom("a.dcm", RAMP)
    data = dcmread(path)
    del data.PixelData
    data.save_as(path)
    with pytest.raises(ValueError, match="a.dcm cannot be read as a DICOM picture"):
        read_image(path)
