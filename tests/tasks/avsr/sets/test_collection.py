"""Which set of a collection suits a window: what the card says, without any weights."""

from dataclasses import replace

import pytest

from fusion.scenarios.classifier import Scenario
from tasks.avsr.sets.collection import Collection

MADE = Collection(
    "made",
    "whisper-tiny.en",
    "lips-grid",
    {
        "audio": ["ear"],
        "category": ["babble", "music"],
        "level": ["loud", "soft"],
        "category_level": ["babble_high_noise", "babble_low_noise"],
    },
)
FOR_ALL = replace(MADE, groups={**MADE.groups, "all": ["every", "other"]})
LOUD = Scenario("babble", probability=0.9, snr_db=-5.0, distance=0.5)
SOFT = replace(LOUD, snr_db=9.0)


@pytest.mark.parametrize(
    ("by", "loud", "soft"),
    [
        ("category", "babble", "babble"),
        ("level", "loud", "soft"),
        ("category_level", "babble_high_noise", "babble_low_noise"),
    ],
)
def test_each_way_of_choosing_takes_a_set_of_its_group(by, loud, soft):
    assert (MADE.choose(LOUD, by), MADE.choose(SOFT, by)) == (loud, soft)
    own = replace(MADE, choose_by=by)
    assert (own.choose(LOUD), own.choose(SOFT)) == (loud, soft)


def test_a_way_that_is_named_goes_before_the_collections_own():
    assert replace(MADE, choose_by="level").choose(LOUD, "category") == "babble"


@pytest.mark.parametrize("by", ["level", "category_level"])
def test_at_the_border_noise_is_low(by):
    made = replace(MADE, border_db=-5.0)
    assert made.choose(LOUD, by) == MADE.choose(SOFT, by)
    assert made.choose(replace(LOUD, snr_db=-5.01), by) == MADE.choose(LOUD, by)


@pytest.mark.parametrize("by", [None, "category", "level", "category_level"])
def test_what_is_farther_than_known_sound_is_abstained_from(by):
    assert FOR_ALL.choose(replace(LOUD, distance=1.01), by) is None
    assert FOR_ALL.choose(replace(LOUD, distance=1.0), by) is not None
    assert replace(FOR_ALL, farthest=0.4).choose(LOUD, by) is None


@pytest.mark.parametrize("by", ["category", "category_level"])
def test_noise_that_no_set_is_for_is_abstained_from(by):
    assert MADE.choose(replace(LOUD, category="natural"), by) is None


@pytest.mark.parametrize("by", ["category", "level", "category_level"])
def test_a_group_without_sets_is_abstained_from(by):
    assert replace(MADE, groups={"audio": ["ear"]}).choose(LOUD, by) is None
    assert replace(MADE, groups={by: []}).choose(LOUD, by) is None


def test_one_set_of_a_level_serves_both():
    one = replace(MADE, groups={"level": ["any"]})
    assert one.choose(LOUD, "level") == one.choose(SOFT, "level") == "any"


@pytest.mark.parametrize("by", ["category", "category_level"])
def test_noise_of_an_unsure_category_goes_to_the_set_for_all(by):
    unsure, sure = replace(LOUD, probability=0.79), replace(LOUD, probability=0.8)
    assert FOR_ALL.choose(unsure, by) == "every"
    assert FOR_ALL.choose(replace(unsure, category="natural"), by) == "every"
    assert FOR_ALL.choose(sure, by) == MADE.choose(LOUD, by)
    assert MADE.choose(unsure, by) == MADE.choose(LOUD, by)  # there is no set for all
    assert replace(FOR_ALL, least_sure=0.7).choose(unsure, by) == MADE.choose(LOUD, by)


def test_a_level_is_chosen_by_whatever_the_category_may_be():
    assert FOR_ALL.choose(replace(LOUD, probability=0.1), "level") == "loud"


def test_an_unknown_way_or_group_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="not chosen by 'weather'; known: category, level"):
        MADE.choose(LOUD, "weather")
    with pytest.raises(ValueError, match="choose_by is 'weather'; known: category, level"):
        replace(MADE, choose_by="weather")
    with pytest.raises(ValueError, match="no group 'weather'; known: audio, all"):
        replace(MADE, groups={"weather": ["rain"]})


def test_the_set_that_hears_only_is_the_first_of_its_group():
    assert replace(MADE, groups={"audio": ["ear", "other"]}).listener == "ear"
    assert replace(MADE, groups={"audio": []}).listener is None
    assert replace(MADE, groups={}).listener is None


@pytest.mark.parametrize("by", [None, "category", "level"])
def test_an_unknown_window_whose_text_is_accepted_goes_to_the_set_that_hears_only(by):
    unknown = replace(LOUD, distance=1.5, accepted=True)
    assert FOR_ALL.choose(unknown, by) == "ear"
    assert FOR_ALL.choose(replace(unknown, distance=0.9), by) == FOR_ALL.choose(LOUD, by)
    deaf = {group: names for group, names in FOR_ALL.groups.items() if group != "audio"}
    assert replace(FOR_ALL, groups=deaf).choose(unknown, by) is None
