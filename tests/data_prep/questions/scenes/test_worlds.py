import re

import pytest

from data_prep.questions.scenes.rows import fold_of
from data_prep.questions.scenes.wording import WORDINGS
from data_prep.questions.scenes.world import Thing, find_world, is_related

# What a model that was trained on the seen world alone has never read.
NEW = """pink brown cyan grey gray rose turquoise oval ovals rectangle rectangles crescent crescents
ellipse moon striped dotted plain pattern tiny big object objects image images tell name count give
can contain contains lie lies further higher lower than outnumber match appears together
""".split()
NEW.remove("than")  # of "larger than", too


def texts(rows):
    for row in rows:
        yield from (row.text, *row.answers, *row.references)


def words(rows):
    return {word for text in texts(rows) for word in re.findall(r"[a-z]+", text)}


def test_no_word_of_the_unseen_world_is_in_the_seen_one(rows_of):
    seen, unseen = words(rows_of("seen")), words(rows_of("unseen"))
    assert not seen & {*NEW}
    assert {*NEW} - {"count"} <= unseen


def test_no_colour_shape_or_template_is_in_both():
    seen, unseen = find_world("seen"), find_world("unseen")
    for axis in ("colour", "shape"):
        assert not {*seen.values[axis]} & {*unseen.values[axis]}
    for task, forms in WORDINGS["seen"].templates.items():
        known = {way for ways in forms.values() for way in ways}
        assert not known & {
            way for ways in WORDINGS["unseen"].templates[task].values() for way in ways
        }


def test_no_question_is_asked_in_both(rows_of):
    seen, unseen = ({row.text for row in rows_of(look) if row.text} for look in ("seen", "unseen"))
    assert not seen & unseen


def test_folds_take_eight_one_and_one_of_ten_and_no_picture_is_in_two(made):
    scenes, rows = made
    folds = [fold_of(number) for number in range(len(scenes))]
    counts = [folds.count(name) for name in ("train", "validation", "test")]
    assert counts == [len(folds) * 8 // 10, len(folds) // 10, len(folds) // 10]
    known = {}
    for row in rows:
        for path in row.images:
            assert known.setdefault(path, row.fold) == row.fold


def test_an_unknown_look_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="No look 'unsen'; known: seen, unseen.*unseen"):
        find_world("unsen")


def test_what_is_nearly_level_is_neither_left_nor_right():
    middle = Thing("small", "plain", "red", "star", 0.5, 0.5)
    places = {0.3: True, 0.42: None, 0.5: False, 0.7: False}
    for x, expected in places.items():
        one = Thing("small", "plain", "red", "star", x, 0.1)
        assert is_related(one, "left", middle) is expected
    assert is_related(one, "above", middle) and is_related(middle, "below", one)
