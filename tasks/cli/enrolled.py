"""What is printed of a talker that a collection was enrolled for."""

from tasks.avsr.sets.talker_card import TalkerCard


def describe_talker(card: TalkerCard) -> list[str]:
    """Return lines on clips used and left out, and on scores before and after.

    Args:
        card: The talker's.
    """
    texts = ", ".join(f"{count} {source}" for source, count in card.texts.items())
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
