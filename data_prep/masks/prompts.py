"""Sentences about what a mask shows, from none to all that can be said: p0 to p9.

The ladder is that of the published prompts: each key says more than the one before. Published
sentences come with their data set; these are for data without, and the same mask always gets the
same ones.

Source:
    Poudel et al. 2024, Exploring Transfer Learning in Medical Image Segmentation using
    Vision-Language Models (MedVLSM), whose files the ladder was read from.
"""

from collections.abc import Sequence

from data_prep.masks.statistics import MaskStatistics

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MANY = "many"
IRREGULAR = "irregular"
SHAPES = {"round": "circle", "rectangular": "rectangle", "triangular": "triangle"}
Prompts = dict[str, tuple[str, ...]]


def make_prompts(
    statistics: MaskStatistics,
    label: str,
    colour: str = "",
    descriptions: Sequence[str] = (),
) -> Prompts:
    """Say what a mask shows, in the words of the sets of polyps, moles and ulcers.

    Args:
        statistics: What the mask shows, see `describe_mask`.
        label: The class, in the singular, as "polyp".
        colour: Its usual colour, as "pink"; without, p3 says what p2 says.
        descriptions: What one may say of the class in general, as "which is a small lump"; without,
            there are p0 to p6 alone.

    Returns:
        p0, nothing; p1, the class; p2, its shape too; p3, colour; p4, size; p5, number; p6, place;
        and with descriptions p7, the class and each of these; p8, p5 with them; p9, the place too.
        Of an empty mask each but p0 says that there is none.
    """
    keys = [f"p{n}" for n in range(10 if descriptions else 7)]
    if not statistics.pieces:
        return {"p0": ("",), **{key: (f"no {label}",) for key in keys[1:]}}
    count = len(statistics.pieces)
    name = label if count == 1 else plural(label)
    shaped = f"{statistics.pieces[0].shape} {name}"
    coloured = f"{colour} {shaped}".strip()
    sized = f"{statistics.size} {coloured}"
    counted = f"{number_word(count)} {sized}"
    where = f"located in {', '.join(places_of(statistics))} of the image"
    said = [("",), (label,), (shaped,), (coloured,), (sized,), (counted,), (f"{counted}, {where}",)]
    if descriptions:
        said += [tuple(f"{start} {told}" for told in descriptions) for start in (label, counted)]
        said.append(tuple(f"{counted} {told} {where}" for told in descriptions))
    return dict(zip(keys, said, strict=True))


def make_ultrasound_prompts(statistics: MaskStatistics, kind: str) -> Prompts:
    """Say what a mask of a breast tumor shows, in the words of BUSI's published prompts.

    Args:
        statistics: What the mask shows, see `describe_mask`.
        kind: "benign" or "malignant", which is said in p2 and above, in two wordings; "" where it
            is not known.

    Returns:
        p0 to p6: nothing, a tumor, its kind, number, size, place and shape. Of an empty mask each
        but p0 says that there is none.
    """
    where = "in the breast ultrasound image."
    if not statistics.pieces:
        return {"p0": ("",), **{f"p{n}": (f"No tumor {where}",) for n in range(1, 7)}}
    count, shape = len(statistics.pieces), statistics.pieces[0].shape
    shaped = f"{SHAPES.get(shape, shape)}-shaped"
    name = "tumor" if count == 1 else "tumors"
    regular = {"benign": "regular", "malignant": "irregular"}.get(kind, "")
    kinds = tuple(f"{one} " for one in (kind, regular and f"{regular}-shaped") if one) or ("",)
    number, size = number_word(count), statistics.size
    at = f"at the {', '.join(places_of(statistics))} {where}"
    said = [
        [f"{one}{name} {where}" for one in kinds],
        [f"{number} {one}{name} {where}" for one in kinds],
        [f"{number} {size} {one}{name} {where}" for one in kinds],
        [f"{number} {size} {one}{name} {at}" for one in kinds],
        # "Regular" beside another shape, and not twice that it is irregular.
        [f"{number} {size} {shaped} {one.replace('-shaped', '')}{name} {at}" for one in kinds],
    ]
    if shape == IRREGULAR:
        said[-1] = said[-1][:1]
    ladder = {f"p{n}": tuple(map(_capitalise, one)) for n, one in enumerate(said, 2)}
    return {"p0": ("",), "p1": (f"Tumor {where}",), **ladder}


def number_word(count: int) -> str:
    """Return a count as a word; from ten on "many"."""
    return NUMBERS[count] if count < len(NUMBERS) else MANY


def plural(label: str) -> str:
    """Return the plural of a class's name, by the rules of English that most names follow."""
    if label.endswith(("s", "x", "ch", "sh")):
        return f"{label}es"
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return f"{label[:-1]}ies"
    return f"{label}s"


def places_of(statistics: MaskStatistics) -> list[str]:
    """Return where the pieces are, the largest first, each place once."""
    return list(dict.fromkeys(piece.place for piece in statistics.pieces))


def _capitalise(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
