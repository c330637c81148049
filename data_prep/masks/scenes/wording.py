"""Say what a phrase asks for in words, in several ways."""

from collections.abc import Mapping, Sequence

import numpy as np

# Several ways to say a word. What is not here is said as it stands.
NOUNS: dict[str, tuple[str, ...]] = {
    "thing": ("thing", "object", "shape"),
    "circle": ("circle", "circle", "circle", "disc"),
    "blob": ("blob", "lump", "spot"),
    "tumor": ("tumor", "tumor", "tumor", "tumor", "lesion", "mass", "nodule"),
    "polyp": ("polyp", "polyp", "polyp", "growth"),
}
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "circle": ("circle-shaped", "round", "circular"),
    "oval": ("oval", "oval-shaped"),
    "square": ("square", "square-shaped"),
    "rectangle": ("rectangular", "rectangle-shaped"),
    "triangle": ("triangular", "triangle-shaped"),
    "star": ("star-shaped",),
    "cross": ("cross-shaped",),
    "ring": ("ring-shaped",),
    "crescent": ("crescent-shaped",),
    "regular": ("regular", "regular-shaped", "smooth"),
    "irregular": ("irregular", "irregular-shaped", "spiky"),
    "small": ("small", "little"),
    "medium": ("medium", "medium-sized"),
    "large": ("large", "big"),
    "dark": ("dark", "black", "dark grey"),
    "grey": ("grey", "gray"),
    "bright": ("bright", "white", "light grey"),
}
ECHOES = {"dark": ("dark", "hypoechoic", "black"), "bright": ("bright", "hyperechoic", "white")}
PLACES = ("at the {}", "in the {}", "located in the {}", "located in {} of the image")
CONTEXTS: dict[str, tuple[str, ...]] = {
    "colours": ("", "", "", "in the picture", "in the image"),
    "greys": ("", "", "", "in the picture", "in the grey image"),
    "ultrasound": (
        "",
        "in the breast ultrasound image",
        "in the breast ultrasound image",
        "in an ultrasound image",
        "in the ultrasound image",
    ),
    "endoscopy": ("", "", "", "in the endoscopy image", "in the colonoscopy image", "in the colon"),
}
KINDS_OF_POLYP = (
    "which is a growth of tissue",
    "which is a bumpy flesh in the colon",
    "which is a small lump in the lining of the colon",
    "which is an abnormal growth projecting from the wall",
)
COUNTS = ("no", "one", "two", "three", "four")


def say(words: Mapping[str, str], count: int, look: str, random: np.random.Generator) -> str:
    """Return a wording of a phrase.

    Args:
        words: One word for each of what it tells: "noun", "shape", "colour", "size", "place",
            "nature"; all but the noun may be missing.
        count: Things that it fits; it decides between "the circle" and "two circles".
        look: A name of `scene.LOOKS`.
        random: Draws.
    """
    before = [
        _choose(_ways(words[axis], look), random)
        for axis in ("size", "colour", "shape", "nature")
        if axis in words
    ]
    places = [words["place"]] if "place" in words else []
    noun = _choose(NOUNS.get(words["noun"], (words["noun"],)), random)
    after = [_choose(PLACES, random).format(_name_place(place, random)) for place in places]
    context = _choose(CONTEXTS[look], random)
    name = _name(before, noun, count, random)
    if name[-1] == "polyp" and random.random() < 0.15:
        context = _choose(KINDS_OF_POLYP, random)
    if not (after and after[0].endswith("image") and context.endswith(("image", "picture"))):
        after.append(context)
    text = " ".join(filter(None, (*name, *after)))
    return text[0].upper() + text[1:] + "." if random.random() < 0.25 else text


def _name(
    before: Sequence[str], noun: str, count: int, random: np.random.Generator
) -> tuple[str, ...]:
    """Put an article or a number before, and the noun in its number."""
    chance = random.random()
    if noun in NOUNS["thing"] and chance < 0.4:
        return ("everything", *before)
    if chance < 0.08:
        return ("every", *before, noun)
    if count == 1 or chance < 0.4 or (count == 0 and chance < 0.7):
        first = (*before, noun)[0]
        an = "an" if first[0] in "aeiou" else "a"
        one = ("", "the", an, "one") if count < 2 else ("", "", an)
        return (_choose(one, random), *before, noun)
    many = ("", "all", "the", COUNTS[count]) if count else ("", "all", "the")
    plural = noun + ("es" if noun.endswith("s") else "s")
    return (_choose(many, random), *before, plural)


def _ways(word: str, look: str) -> Sequence[str]:
    ways = ADJECTIVES.get(word, (word,))
    return ECHOES.get(word, ways) if look == "ultrasound" else ways


def _name_place(place: str, random: np.random.Generator) -> str:
    if place == "center":
        return _choose(("center", "centre", "middle"), random)
    if random.random() < 0.15 and " " in place:
        return place.replace("top", "upper").replace("bottom", "lower")
    return place


def _choose(ways: Sequence[str], random: np.random.Generator) -> str:
    return ways[int(random.integers(len(ways)))]
