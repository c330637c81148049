from collections import Counter

import numpy as np
import pytest
import torch

from data_prep.questions.manifest import Question
from tasks.vision_language.batches import IGNORED, Reader, draw_answer

from ...modalities.vision_language.small_models import build


@pytest.fixture(scope="module")
def model():
    return build("bart")


@pytest.fixture
def reader(model):
    def look(paths):
        return torch.stack([torch.full((4, 12), float(path)) for path in paths])

    return Reader(model, {"vqa": "vqa : ", "nlvr2": "", "caption": "caption "}.get, look)


def question(text, task="vqa", images=("1",), **more):
    return Question("0", task, images, text, **more)


def test_two_pictures_stand_side_by_side_and_one_alone_is_padded(reader):
    rows = [question("the car is red", "nlvr2", ("1", "2")), question("what colour ?")]
    asked = reader.ask(rows)
    assert asked.features[0, :, 0].tolist() == [1.0] * 4 + [2.0] * 4
    assert asked.order[0].tolist() == [0] * 4 + [1] * 4
    assert asked.real.tolist() == [[True] * 8, [True] * 4 + [False] * 4]
    assert asked.tasks == ("nlvr2", "vqa")


def test_texts_stand_behind_their_prompt(reader, model):
    asked = reader.ask([question("what colour ?")])
    assert model.spell(asked.ids) == ["vqa : what colour ?"]
    assert model.spell(reader.ask([question("", "caption")]).ids) == ["caption"]


def test_questions_are_cut_at_twenty_tokens_and_statements_are_not(reader):
    long = " ".join(["red"] * 21)
    asked = reader.ask([question("red"), question(long)])
    assert asked.cut == (1,) and asked.ids.shape[1] == 20
    assert reader.ask([question(long, "nlvr2", ("1", "2"))]).cut == ()


def test_a_mixed_batch_reads_each_text_by_its_own_rule(reader):
    long = " ".join(["red"] * 21)
    asked = reader.ask([question(long, "nlvr2", ("1", "2")), question(long)])
    assert asked.mask.sum(1).tolist() == [23, 20] and asked.cut == (1,)


def test_one_picture_is_shown_once_to_many_questions(reader):
    asked = reader.ask_one([question("red"), question("blue"), question("a car")])
    assert asked.features.shape[0] == asked.real.shape[0] == 1 and asked.ids.shape[0] == 3


def test_targets_are_cut_by_task_and_padded_with_what_no_loss_counts(reader):
    rows = [question("red"), question("", "caption")]
    found = reader.targets(rows, [" ".join(["red"] * 30)] * 2)
    assert (found != IGNORED).sum(1).tolist() == [
        10,
        24,
    ]  # as many as the small model has places for


def test_answers_are_drawn_by_their_scores_and_weigh_them():
    row = question("red", answers={"red": 0.9, "blue": 0.3, "two": 0.0})
    random = np.random.default_rng(0)
    drawn = Counter(draw_answer(row, random) for _ in range(4000))
    assert set(drawn) == {("red", 0.9), ("blue", 0.3)}
    assert drawn[("red", 0.9)] / 4000 == pytest.approx(0.75, abs=0.03)


def test_captions_are_drawn_evenly():
    row = question("", "caption", answers={"a": 1.0, "b": 1.0}, references=("a", "b"))
    random = np.random.default_rng(0)
    drawn = Counter(draw_answer(row, random) for _ in range(1000))
    assert set(drawn) == {("a", 1.0), ("b", 1.0)} and min(drawn.values()) > 430
