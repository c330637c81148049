"""What is told of gates over sets: from texts by condition to tables, aims and a choice."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from tasks.avsr.sets.contract import Heard
from tools import routers_switching as page
from tools.changing_noise import Condition, Measurement, change_in_turn, way_of_selector

SAID = ["bin blue at f two now", "set red in a nine please"]
WRONG = ["bin blue at f two now", "set red in a nine"]  # one word of twelve is missing
WORSE = ["bin blue at f", "set red in a"]


def heard(**texts: list[str]) -> page.Heard:
    """All ways are right in all conditions but those that are given."""
    ways = {way: SAID for way in (page.PLAIN, *page.SETS, page.UNIFORM, "gates")}
    ways |= {page.CHOICES: ["all", "music"], **texts}
    return page.Heard(
        SAID, {way: {one.name: texts for one in page.lay_out()} for way, texts in ways.items()}
    )


def test_the_selector_gets_what_the_sets_it_chose_wrote():
    of = page.lay_out()[:1]
    found = heard(music=["", WRONG[1]], all=[SAID[0], ""])
    assert found.errors(page.SELECTED, of).edits.tolist() == [0, 1]
    assert found.errors(page.BEST, of).edits.sum() == 0
    every = {name: WORSE for name in page.SETS}
    assert heard(**every | {"natural": WRONG}).errors(page.BEST, of).edits.tolist() == [0, 1]


def test_errors_of_conditions_are_added_clip_by_clip_and_none_may_be_missing():
    conditions = page.lay_out()
    found = heard(gates=WORSE).errors("gates", conditions)
    assert found.edits.tolist() == [2 * len(conditions)] * 2
    assert found.words.tolist() == [6 * len(conditions)] * 2
    with pytest.raises(FileNotFoundError, match="'other' is not measured in babble, music -10 dB"):
        heard().errors("other", conditions)


def test_the_page_tells_rates_aims_and_all_that_was_tried():
    names = [*page.ATTEMPTS]
    texts = heard(music=WORSE, all=WORSE, **{names[0]: WRONG})
    tried = {page.UNIFORM: 9.0, **dict.fromkeys(names, 8.0)}
    table, picture, told, aims, attempts = page.write_switching(texts, tried, names[0])
    rows = table.splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [
        page.PLAIN,
        page.SELECTED,
        f"{page.BEST}, known afterwards",
        page.UNIFORM,
        f"gates for each token, {names[0]}",
    ]
    assert rows[3].count("33.3") >= 4 and rows[6].count("| 8.3 [") == 4
    assert page.PICTURE.name in picture and "2 test clips" in told
    assert "0.25 [" in aims and "-25.00 [" in aims and aims.count("aim:") == 2
    assert all(f"{name}: {page.ATTEMPTS[name].told}" in attempts for name in names)


def test_the_lowest_rate_on_validation_clips_is_taken():
    first, second, *others = page.ATTEMPTS
    scores = {page.UNIFORM: 1.0, first: 7.0, second: 5.0, **dict.fromkeys(others, 6.0)}
    assert page.choose_attempt(scores) == second


def test_noise_changes_half_way_and_keeps_its_level():
    random = np.random.default_rng(0)
    speech = 0.01 * random.standard_normal(32_000)
    noises = [random.standard_normal(32_000), 5 * random.standard_normal(32_000)]
    heard = change_in_turn(speech, noises, -5.0)
    noise = heard - speech
    first, second = noise[:16_000], noise[16_000:]
    assert np.corrcoef(first, noises[0][:16_000])[0, 1] > 0.999
    assert np.corrcoef(second, noises[1][16_000:])[0, 1] > 0.999
    ratio_db = [10 * np.log10(np.mean(speech**2) / np.mean(part**2)) for part in (first, second)]
    assert ratio_db == pytest.approx([-5.0, -5.0], abs=0.01)


class Recogniser:
    """Chooses by what it is given, and writes which set was on."""

    def describe(self, utterances):
        return utterances

    def choose(self, utterance):
        return None if utterance == "unknown" else utterance

    def with_set(self, utterances, name):
        return [Heard(f"{name} {one}") for one in utterances]

    def plain(self, utterances):
        return [Heard(f"plain {one}") for one in utterances]


def test_each_clip_is_recognised_with_the_set_that_is_chosen_for_it():
    recognise = way_of_selector(Recogniser())  # type: ignore[arg-type]
    found = recognise(["music", "unknown", "all", "music"])  # type: ignore[list-item]
    assert found == ["music music", "plain unknown", "all all", "music music"]


@dataclass
class Clips:
    """As many clips as there are texts."""

    name: str = "test"
    clips = range(30)

    def utter(self, place: int, condition: Condition) -> int:
        return place


def test_what_was_measured_is_not_measured_again(tmp_path):
    conditions = page.lay_out()[:3]
    asked: list[int] = []

    def way(utterances):
        asked.extend(utterances)
        return [str(one) for one in utterances]

    def fill(of):
        Measurement(Clips(), tmp_path).fill(of, {"a way": way})  # type: ignore[arg-type]

    fill(conditions[:2])
    assert asked == [*range(30)] * 2
    fill(conditions)
    assert asked == [*range(30)] * 3
    kept = json.loads((tmp_path / "a_way.json").read_text())
    assert kept == {one.name: [str(n) for n in range(30)] for one in conditions}
