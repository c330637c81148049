"""Packages hand on names without loading what defines them before it is asked for."""

import pytest

import data_prep.faces
import data_prep.media
import tasks.audio_classification
import tasks.avsr
from modalities.lazy_names import hand_on

PACKAGES = [data_prep.faces, data_prep.media, tasks.avsr, tasks.audio_classification]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_name_that_a_package_tells_is_there(package):
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert {*package.__all__, "__name__"} <= set(dir(package))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_another_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'x'"):
        _ = package.x


def test_a_name_that_its_own_module_would_hide_is_refused():
    """Loading a submodule puts it on the package under its name."""
    with pytest.raises(AssertionError, match="data_prep.media.info"):
        hand_on("data_prep.media", {"info": "data_prep.media.info"})
