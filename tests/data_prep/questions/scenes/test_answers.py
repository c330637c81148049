import pytest

from data_prep.questions.manifest import find_fault
from data_prep.questions.scenes.people import SYNONYMS
from data_prep.questions.scenes.rows import form_of
from data_prep.questions.scenes.wording import WORDINGS
from data_prep.questions.scores import soft_scores

from .reading import Reader, agrees, answer, judge


def number_of(path):
    return int(path[-10:-4])


def things_of(scenes, row):
    return [scenes[number_of(path)].things for path in row.images]


@pytest.mark.parametrize("task", ["vqa", "gqa"])
def test_every_answer_is_what_the_list_of_things_says(look, made, task):
    scenes, rows = made
    reader = Reader(look)
    asked = [row for row in rows if row.task == task]
    assert len(asked) > 3 * len(scenes)
    for row in asked:
        form = form_of(row).removeprefix(f"{task}-")
        (things,) = things_of(scenes, row)
        right = answer(reader, task, form, row.text, things)
        assert row.answers[right] == 1
        assert [score for text, score in row.answers.items() if text != right] in (
            [],
            [0.3],
            [0.6],
            [0.9],
        )


def test_every_statement_is_true_or_false_as_it_says(look, made):
    scenes, rows = made
    reader = Reader(look)
    stated = [row for row in rows if row.task == "nlvr2"]
    for row in stated:
        left, right = things_of(scenes, row)
        fact = judge(reader, form_of(row).removeprefix("nlvr2-"), row.text, left, right)
        assert row.answers == {"true" if fact else "false": 1.0}


def test_statements_come_as_twins_of_which_one_is_true_and_a_few_words_differ(made):
    _, rows = made
    stated = [row for row in rows if row.task == "nlvr2"]
    assert len(stated) % 2 == 0
    for true, false in zip(stated[::2], stated[1::2], strict=True):
        assert (true.images, form_of(true)) == (false.images, form_of(false))
        assert (*true.answers, *false.answers) == ("true", "false")
        assert len({*true.text.split()} ^ {*false.text.split()}) <= 6


def test_five_captions_agree_with_their_picture(look, made):
    scenes, rows = made
    reader = Reader(look)
    told = [row for row in rows if row.task == "caption"]
    assert len(told) == len(scenes)
    for row in told:
        (things,) = things_of(scenes, row)
        assert len({*row.references}) == 5
        assert row.answers == dict.fromkeys(row.references, 1.0)
        for caption in row.references:
            assert agrees(reader, caption, things), (caption, things)


def test_a_wrong_caption_is_found_out(look, made):
    scenes, _ = made
    things = next(scene.things for scene in scenes if len(scene.things) == 1)
    reader = Reader(look)
    thing = things[0]
    other = next(value for value in reader.values["colour"] if value != thing.colour)
    for way in WORDINGS[look].templates["caption"]["single"]:
        assert agrees(reader, way.format(a=f"a {thing.colour} {thing.shape}"), things)
        assert not agrees(reader, way.format(a=f"a {other} {thing.shape}"), things)


def test_scores_are_those_of_ten_people_who_are_mostly_right(look, made):
    scenes, rows = made
    reader = Reader(look)
    asked = [row for row in rows if row.task == "vqa"]
    for row in asked:
        assert len(row.references) == 10
        assert row.answers == soft_scores(row.references)
        best, *others = row.answers
        for other in others:
            assert row.references.count(best) >= 7
            if best.isdigit():
                assert abs(int(best) - int(other)) == 1
            elif form_of(row) == "vqa-near":
                (things,) = things_of(scenes, row)
                assert other.endswith(best) and reader.all(other, things)
            else:
                assert other == SYNONYMS[best]
    assert sum(len(row.answers) > 1 for row in asked) > 0.1 * len(asked)


def test_each_form_of_each_task_is_asked(look, made):
    found = {form_of(row) for row in made[1]}
    templates = WORDINGS[look].templates
    wanted = {f"{task}-{form}" for task in ("vqa", "gqa", "nlvr2") for form in templates[task]}
    assert found == wanted | {"caption"}


def test_rows_are_whole_and_ids_unique(made):
    _, rows = made
    assert len({row.id for row in rows}) == len(rows)
    assert not any(find_fault(row) for row in rows)
