"""Pictures, masks and DICOM files made in the tests."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save(tmp_path):
    """Write a picture of Pillow's or an array, and return its path."""

    def write(name, values, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(values) if isinstance(values, np.ndarray) else values
        picture.save(path, **options)
        return path

    return write


@pytest.fixture
def save_dicom(tmp_path):
    """Write a DICOM file of stored values with the tags given, and return its path."""

    def write(name, stored, **tags):
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        colours = stored.shape[-1] == 3 and stored.ndim > 2
        size = stored.shape[-3:-1] if colours else stored.shape[-2:]
        data.Rows, data.Columns = size
        data.SamplesPerPixel = 3 if colours else 1
        if colours:
            data.PlanarConfiguration = 0
        data.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 8 * stored.dtype.itemsize
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(stored.dtype.kind == "i")
        for tag, value in tags.items():
            setattr(data, tag, value)
        data.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
        path = tmp_path / name
        data.save_as(path, enforce_file_format=True)
        return path

    return write
