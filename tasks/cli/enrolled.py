"""What is printed of a talker that a collection was enrolled for."""

from tasks.avsr.sets.talker_card import AS_IT_WAS, TalkerCard

SOURCES = {  # of texts, as a card names them
    "written": "from files beside the clips",
    "set": "heard by the set that hears only",
    "frozen": "heard by plain Whisper",
}


def describe_talker(card: TalkerCard) -> list[str]:
    """Return lines on clips used and left out, and on scores before and after.

    Args:
        card: The talker's.
    """
    texts = ", ".join(f"{count} {SOURCES.get(of, of)}" for of, count in card.texts.items())
    lines = [
        f"{card.name}: {card.pieces} pieces of {card.clips} clips, {card.minutes:.1f} minutes, "
        f"{card.held_back} of them held back; texts: {texts}."
    ]
    if card.left_out:
        told = ", ".join(f"{count} because {reason}" for reason, count in card.left_out.items())
        lines.append(f"Left out: {told}.")
    for kind in dict.fromkeys(condition.split(" ")[0] for condition in card.after):
        rates = [
            f"{condition.removeprefix(kind).strip() or 'word errors'} "
            f"{card.before[condition]:.1f} % before, {card.after[condition]:.1f} % after"
            for condition in card.after
            if condition.split(" ")[0] == kind
        ]
        lines.append(f"{kind}: {'; '.join(rates)}.")
    stay = [name for name, what in card.taken.items() if what == AS_IT_WAS]
    if learnt := [name for name in card.taken if name not in stay]:
        lines.append(f"Sets that learnt this face and voice: {', '.join(learnt)}.")
    if stay:
        lines.append(
            f"Sets that stay as they were, no worse on the pieces held back: {', '.join(stay)}; "
            "more clips may change that."
        )
    if not helps(card):
        lines.append(
            "In noise that is no better than hearing alone, on the pieces held back; more clips, "
            "30 of 3 s or more, are worth a try."
        )
    return lines


def helps(card: TalkerCard) -> bool:
    """Say whether the talker's sets are better in noise than what was there before."""
    noisy = [condition for condition in card.after if " " in condition]
    return sum(card.after[c] for c in noisy) < sum(card.before[c] for c in noisy)
