from data_prep.questions.manifest import Question
from tasks.vision_language.card import AnswererCard
from tools.publish_sound_questions import write_scores

CARD = AnswererCard(
    model="scenes",
    images="sound:whisper-tiny.en",
    seen="",
    method="adapter",
    sharing="single",
    options={},
    tasks=("vqa",),
    writing={},
    data="",
    questions={},
    licence="",
    command="",
    trained=50,
    parameters=1_000,
)


def row(number, kind, text, answer, fold):
    return Question(f"{number}-{kind}", "vqa", ("a.wav",), text, {answer: 1.0}, (), fold)


def test_each_kind_of_question_has_its_share_of_right_answers_beside_the_deaf_one():
    trained = [row(n, "count", "how many digits are said?", "2", "train") for n in range(3)]
    tested = [
        row(3, "count", "how many digits are said?", "2", "test"),
        row(4, "count", "how many digits are said?", "3", "test"),
        row(5, "hear", "do you hear a dog?", "yes", "test"),
    ]
    table, below = write_scores([*trained, *tested], tested, ["2", "3", "no"], CARD)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert cells[2:] == [
        ["how many digits are said?", "2", "100.0", "50.0"],
        ["do you hear a ...?", "1", "0.0", "0.0"],
    ]
    assert below.startswith("Trained are 50 parameters, 5.0 % of all with the adapter, on 3 rows")
