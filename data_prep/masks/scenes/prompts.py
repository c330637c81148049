"""Ask for things in a scene: phrases, their wordings, and the mask of all that fits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.masks.scenes.endoscopy import BUMPS
from data_prep.masks.scenes.outlines import SHAPES
from data_prep.masks.scenes.palette import GREY, RGB
from data_prep.masks.scenes.scene import Scene, Thing
from data_prep.masks.scenes.wording import say

AXES = ("shape", "colour", "size", "place", "nature")
ABSENT = 0.09  # of the prompts beside the empty pictures' ones, which fit nothing either
TRIES = 12
PLACES = tuple(
    f"{vertical} {horizontal}".strip() or "center"
    for vertical in ("top", "", "bottom")
    for horizontal in ("left", "", "right")
)
WORDS: dict[str, tuple[str, ...]] = {
    "noun": (*(name for name in SHAPES if name != "irregular"), "tumor", "polyp"),
    "shape": (*(name for name in SHAPES if name not in ("blob", "irregular")), "irregular"),
    "size": ("small", "medium", "large"),
    "place": PLACES,
    "nature": ("benign", "malignant"),
}
COLOURS = {
    "colours": tuple(RGB),
    "greys": tuple(GREY),
    "ultrasound": ("dark", "bright"),
    "endoscopy": (*BUMPS, "green", "blue", "yellow"),
}
MAIN = {"ultrasound": "tumor", "endoscopy": "polyp"}  # what such pictures are asked for first


@dataclass(frozen=True)
class Prompt:
    """What is asked of a picture, and the answer.

    Attributes:
        words: What it tells, one word for each: {"noun": "circle", "colour": "red"}.
        wordings: Ways to say these words in English, all different.
        mask: bool [size, size], all things that the words fit together; empty where none does.
    """

    words: Mapping[str, str]
    wordings: tuple[str, ...]
    mask: np.ndarray


def fits(words: Mapping[str, str], thing: Thing) -> bool:
    """Whether all words are true of a thing."""
    return all(word in thing.words[axis] for axis, word in words.items())


def draw_mask(words: Mapping[str, str], scene: Scene) -> np.ndarray:
    """Return where in a scene is what the words fit: bool [size, size]."""
    mask = np.zeros(scene.image.shape[:2], bool)
    for thing in scene.things:
        if fits(words, thing):
            mask |= thing.mask
    return mask


def ask(
    scene: Scene, seed: int, prompts: int = 5, wordings: int = 3, absent: float = ABSENT
) -> list[Prompt]:
    """Ask different things of a scene, some of them such as are not there.

    Args:
        scene: From `render_scene`.
        seed: Another number, other prompts.
        prompts: At most so many; simple scenes have fewer.
        wordings: At most so many of each.
        absent: Share of the prompts that fit nothing, 0 to 1; those of empty pictures do so anyway.
    """
    random = np.random.default_rng((seed, 1))  # not the draws that made the scene
    asked: dict[frozenset[tuple[str, str]], Prompt] = {}
    for words in _phrases(scene, prompts, absent, random):
        count = sum(fits(words, thing) for thing in scene.things)
        said = [say(words, count, scene.look, random) for _ in range(wordings)]
        if not scene.things and words == {"noun": "tumor"}:
            said.append("No tumor in the breast ultrasound image.")
        prompt = Prompt(words, tuple(dict.fromkeys(said)), draw_mask(words, scene))
        asked.setdefault(frozenset(words.items()), prompt)
    return list(asked.values())


def _phrases(
    scene: Scene, prompts: int, absent: float, random: np.random.Generator
) -> Iterator[dict[str, str]]:
    main = {"noun": MAIN.get(scene.look, "")}
    there = any(fits(main, thing) for thing in scene.things)
    if scene.look in MAIN and (there or random.random() < 0.5):
        yield main
        prompts -= 1
    if not scene.things:
        yield _absent(main, scene, random)
        return
    for _ in range(prompts):
        words = _true_words(scene.things[int(random.integers(len(scene.things)))], random)
        yield _absent(words, scene, random) if random.random() < absent else words


def _true_words(thing: Thing, random: np.random.Generator) -> dict[str, str]:
    """Tell one to four things that are true of a thing, which may be true of others too."""
    words = {"noun": _pick(_nouns(thing, random), random)}
    told = min(int(random.choice(4, p=[0.2, 0.35, 0.3, 0.15])), len(AXES))
    if told == 0 and words["noun"] == "thing":
        told = 1
    for axis in random.permutation(AXES)[:told].tolist():
        known = thing.words[axis]
        repeats = axis == "shape" and words["noun"] in SHAPES and words["noun"] != "blob"
        if known and not repeats:
            words[axis] = _pick(known, random)
    if words == {"noun": "thing"}:
        words["colour"] = _pick(thing.words["colour"], random)
    return words


def _nouns(thing: Thing, random: np.random.Generator) -> frozenset[str]:
    """Mostly what it is called in such a picture, at times anything that it is."""
    known = thing.words["noun"]
    medical = known & set(MAIN.values())
    if medical and random.random() < 0.6:
        return frozenset(medical)
    return known if random.random() < 0.5 else known - {"thing"}


def _absent(words: Mapping[str, str], scene: Scene, random: np.random.Generator) -> dict[str, str]:
    """Change one word, or more where that is not enough, until nothing fits."""
    changed = dict(words)
    for _ in range(TRIES):
        axis = _pick(frozenset(set(changed) | {"noun"}), random)
        if not scene.things:
            axis = _pick(frozenset({"size", "place", "colour"}), random)
        choices = COLOURS[scene.look] if axis == "colour" else WORDS[axis]
        changed[axis] = choices[int(random.integers(len(choices)))]
        if changed.get("shape") == changed["noun"]:
            del changed["shape"]
        if not any(fits(changed, thing) for thing in scene.things):
            break
    return changed


def _pick(words: frozenset[str], random: np.random.Generator) -> str:
    return sorted(words)[int(random.integers(len(words)))]
