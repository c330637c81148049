"""What ten people answer: most are right, some say it otherwise or miscount by one."""

from data_prep.questions.scenes.asking import Asked
from data_prep.questions.scenes.speaking import Speaker

PEOPLE = 10
DISAGREE = 0.4  # of the questions have somebody who answers otherwise
OTHERS = 3  # people who do so at most: four would be fully right
SYNONYMS = {
    "purple": "violet",
    "circle": "disc",
    "square": "box",
    "ring": "hoop",
    "pink": "rose",
    "cyan": "turquoise",
    "grey": "gray",
    "oval": "ellipse",
    "crescent": "moon",
    "striped": "stripes",
    "dotted": "dots",
    "yes": "no",  # who has not looked well
    "no": "yes",
}


def answer(asked: Asked, speaker: Speaker) -> tuple[str, ...]:
    """Return the answers of ten people, of whom seven or more give the right one.

    Args:
        asked: The question and its answer.
        speaker: Draws.
    """
    other = asked.also or SYNONYMS.get(asked.answer, "")
    if asked.answer.isdigit():
        number = int(asked.answer)
        other = str(number + 1 if number == 0 or speaker.coin() else number - 1)
    few = 0
    if other and speaker.random.random() < DISAGREE:
        few = int(speaker.random.integers(1, (2 if asked.answer in ("yes", "no") else OTHERS) + 1))
    said = [other] * few + [asked.answer] * (PEOPLE - few)
    return tuple(said[n] for n in speaker.random.permutation(PEOPLE))
