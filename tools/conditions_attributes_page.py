"""Tell what `python -m tools.conditions_attributes` measured, for docs/conditions.md."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from tasks.reports import to_table
from tools.conditions_attributes import AUTOENCODER, MLP, NAME, NAMES
from tools.conditions_training import missed, read_study, show_sheet, tell_spread, values_of
from tools.digit_tables import count_seeds

AIMED = 0.9  # Spearman's correlation
SAYS = ("thickness", "slant")  # what loudness and pitch say


def tell_attributes() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    head = ["tokens by", "weights", "goes with loudness", "with pitch"]
    head += ["off, held out", "off, elsewhere", "range", "others move", "digit right"]
    rows = [_row(way, seeds) for way, seeds in found.items()]
    real = " and ".join(f"{one:.2f}" for one in settings["real"])
    strengths = " and ".join(f"{one['strength']:g}" for one in settings["chosen"].values())
    low, high = (f"{100 * one:.0f}" for one in settings["held"])
    return [
        f"{settings['taught']} written digits are each paired with a recording of the digit: the "
        "thicker the strokes, the louder, and the more slanted, the higher the voice. An adapter "
        "learns from loudness (LUFS) and pitch (Hz) as measured of the sounds, in "
        f"{settings['steps']} steps on a frozen base that is told the digit "
        f"({count_seeds([len(found[AUTOENCODER])])}); none of its pictures has a thickness or "
        f"slant between {low} and {high} % of all. Then {settings['tested']} recordings that it "
        "has not heard are painted.",
        to_table(head, rows),
        "How what is painted goes with what was told is Spearman's correlation, of loudness and "
        f"measured thickness and of pitch and measured slant; for the true pictures it is {real}. "
        "How far a picture is off what goes with its sound is a root mean square, in deviations of "
        "the attribute (thickness; slant), for values that no training had and elsewhere. The "
        "range is how far the mean thickness (slant) goes as loudness (pitch) goes from its least "
        "to its most, as a share of the middle 90 % of all pictures; how far the other attributes "
        "move meanwhile is told as a share of that, all in deviations: 0 is the best. What the "
        f"autoencoder's term counts, {settings['chosen'][AUTOENCODER]['divergence']:g}, and how "
        f"strong adapters are ({strengths} times as trained), was chosen on the validation. A "
        f"judge who names {settings['judge']:.1f} % of true digits right tells how many are the "
        "digit. `make conditions-attributes` does it.",
        "\n".join(_aims(found)),
        show_sheet(NAME, "Digits of rising loudness, then of rising pitch"),
    ]


def _row(way: str, seeds: list[Any]) -> list[str]:
    cells = [way, f"{seeds[0]['weights']:,}"]
    cells += [tell_spread([one["spearman"][n] for one in seeds], 2) for n in (0, 1)]
    for key in ("held", "seen", "range", "others"):
        cells.append("; ".join(tell_spread([one[key][n] for one in seeds], 2) for n in (0, 1)))
    return [*cells, tell_spread(values_of(seeds, "right"))]


def _aims(found: Mapping[str, list[Any]]) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    told = []
    for number, (name, says) in enumerate(zip(NAMES, SAYS, strict=True)):
        reached = fmean(one["spearman"][number] for one in found[AUTOENCODER])
        told.append(
            f"* {name.capitalize()} says {says}: a correlation of {reached:.2f} (aim: above "
            f"{AIMED}){missed(reached > AIMED)}."
        )
    off = {way: fmean(fmean(one["held"]) for one in found[way]) for way in (AUTOENCODER, MLP)}
    told.append(
        f"* Of values that were held out the autoencoder is off by {off[AUTOENCODER]:.2f}, the MLP "
        f"by {off[MLP]:.2f} (aim: less){missed(off[AUTOENCODER] < off[MLP])}."
    )
    return told
