"""What a text encoder is told of the labels of a recording."""

from collections.abc import Iterable

MOST = 5
# Classes of FSD50K that name no sound of their own: what makes one of them is another label.
PARENTS = frozenset(
    (
        "human voice",
        "human group actions",
        "respiratory sounds",
        "hands",
        "wild animals",
        "domestic animals and pets",
        "livestock and farm animals and working animals",
        "vehicle",
        "mechanisms",
        "tools",
        "domestic sounds and home sounds",
        "musical instrument",
    )
)


def write_prompts(labels: Iterable[str], most: int = MOST) -> list[str]:
    """Return "The sound of ..." for each label that names a sound, without padding.

    Args:
        labels: What sounds; small letters and spaces are made of others.
        most: Prompts at most, 1 or more; the first labels count.

    Returns:
        One prompt or more; of parents alone, theirs, as a recording without a prompt cannot be
        trained on.

    Raises:
        ValueError: There are no labels, or `most` is below 1.

    Source:
        MACS, arXiv 2503.10287, whose code fills up with "Noise"; here there are as many prompts as
        labels, so that nothing that does not sound is compared with.
    """
    plain = list(dict.fromkeys(label.replace("_", " ").strip().lower() for label in labels))
    if not plain or most < 1:
        raise ValueError(
            f"{len(plain)} labels and at most {most} prompts were given; expected one or more."
        )
    named = [label for label in plain if label not in PARENTS] or plain
    return [f"The sound of {label}" for label in named[:most]]
