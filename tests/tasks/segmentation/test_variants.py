"""The six published variants, and what can be set of them."""

import pytest

from tasks.segmentation.variants import OPTIONS, VARIANTS, check_variant_options


def test_there_are_the_six_published_ones():
    titles = [variant.title for variant in VARIANTS.values()]
    assert titles == ["DA-V", "DA-VL", "DA-VLC", "SA-V", "SA-VL", "SA-VLC"]
    assert {name.upper().replace("_", "-") for name in VARIANTS} == set(titles)


def test_shallow_ones_leave_the_encoders_alone():
    for name, variant in VARIANTS.items():
        assert variant.shallow == name.startswith("sa_")
        assert variant.rank == (512 if variant.shallow else 64)
        assert all(role.endswith(".tap") for role in variant.where) == (
            variant.shallow or variant.where == ("condition.tap",)
        )
        assert ("condition.tap" in variant.where) == name.endswith("c")


def test_blocks_of_a_larger_variant_hold_those_of_a_smaller():
    for kind in ("da", "sa"):
        vision, both, all_three = (set(VARIANTS[f"{kind}_{v}"].where) for v in ("v", "vl", "vlc"))
        assert vision < both < all_three


@pytest.mark.parametrize("name", OPTIONS)
def test_only_what_a_method_has_can_be_set(name):
    check_variant_options(name, {})
    with pytest.raises(ValueError, match=f"Method '{name}' has no option 'depth'; known: "):
        check_variant_options(name, {"depth": 3})
    right = {int: 3, str: "resnet34", bool: False}
    for option, kind in OPTIONS[name].items():
        check_variant_options(name, {option: right[kind]})
        for wrong in (value for other, value in right.items() if other is not kind):
            with pytest.raises(ValueError, match=f"Option '{option}' of '{name}' is"):
                check_variant_options(name, {option: wrong})
