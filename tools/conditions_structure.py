"""Nexus: half of a digit's edges say where its strokes run, and a spoken digit says which it is.

`python -m tools.conditions_structure [--seeds N]` trains what is not there yet, and keeps it in
build/conditions/structure.json. The base is told no word. A T2I-Adapter sees the edges alone, once
as it is and once with as many weights as Nexus Prime.
"""

from collections.abc import Callable, Mapping
from functools import cache
from statistics import fmean
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import Injection, inject
from modalities.diffusion.measure.times import Cubic
from tasks.reports import to_table
from tools.conditions_bases import NOTHING, Base, Batch, load_base, paint, teach
from tools.conditions_judges import Judge, edge_f1, load_judge, measure_judge
from tools.conditions_pictures import SIDE, draw_digits, find_edges
from tools.conditions_sounds import draw_sounds
from tools.conditions_training import (
    FOLDER,
    Lesson,
    begin_study,
    draw_sheet,
    missed,
    read_study,
    run_study,
    show_sheet,
    tell_spread,
    values_of,
)
from tools.digit_lessons import seeded
from tools.digit_tables import count_seeds

NAME = "structure"
SEEDS = 3
T2I, WIDER, PRIME, SLIM = "T2I-Adapter", "T2I-Adapter, larger", "Nexus Prime", "Nexus Slim"
BARE, ADDED = "nothing told", "Nexus Prime, added"
ATTENTION = {"heads": 2, "head_dim": 16, "token_dim": 48}
# Preset and what differs from it; all have a map of one channel, in blocks as the base's.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    T2I: ("t2i_adapter", {}),
    WIDER: ("t2i_adapter", {"layers": 3}),
    PRIME: ("nexus_prime", ATTENTION),
    SLIM: ("nexus_slim", ATTENTION),
    ADDED: ("nexus_prime", {**ATTENTION, "residual": True}),
}
SOUNDED = (PRIME, SLIM, ADDED)
TIME = Cubic()  # as Nexus and T2I-Adapter were trained
LESSON = Lesson(steps=800, rate=6e-3, warmup=30, batch=32)
DRAWN, TESTED, SHOWN, STEPS = 3000, 200, 10, 10
AIMS = {"right": "digits right", "edges": "F1 of edges", "exact": "exact F1"}
SPOKEN = {"train": 1500, "validation": 300, "test": 300}  # recordings
TAUGHT, TEST = 100, 200  # seeds of what teaches and tests, counted up by the study's


def hide_half(edges: Tensor, generator: Generator) -> Tensor:
    """Return edges of which the upper, lower, left or right half of each row is not told.

    Args:
        edges: [rows, 1, side, side].
        generator: Draws which half.
    """
    half = edges.shape[-1] // 2
    seen = torch.ones(4, 1, *edges.shape[2:])
    seen[0, :, :half], seen[1, :, half:] = 0, 0
    seen[2, :, :, :half], seen[3, :, :, half:] = 0, 0
    return edges * seen[torch.randint(4, (len(edges),), generator=generator)]


@torch.no_grad()
def hear(ear: Judge, sounds: Tensor) -> Tensor:
    """Return what a frozen ear makes of places of log-mels, before it names them, as tokens.

    Args:
        ear: A judge of spoken digits.
        sounds: Log-mels as pictures, -1 to 1, [rows, 1, side, side].

    Returns:
        [rows, places, dim].
    """
    for convolution, norm in zip(ear.convolutions, ear.norms, strict=True):
        sounds = functional.gelu(norm(convolution(sounds)))
    return sounds.flatten(2).transpose(1, 2)


@cache
def spoken(part: str, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return tokens of spoken digits, [sounds, places, dim], and what is said, [sounds]."""
    drawn = draw_sounds(part, count, seed)
    tokens = torch.cat([hear(load_judge("sounds"), one) for one in drawn.values.split(200)])
    return tokens, drawn.words[:, 0]


def pair(words: Tensor, part: str, seed: int, generator: Generator) -> Tensor:
    """Return tokens of a sound of each digit, [rows, places, dim].

    Args:
        words: Digits, [rows, 1].
        part: Which recordings: "train", "validation" or "test".
        seed: Fixes which recordings these are.
        generator: Draws which.
    """
    tokens, said = spoken(part, SPOKEN[part], seed)
    fits = (words == said).float()  # [rows, sounds]
    return tokens[torch.multinomial(fits, 1, generator=generator)[:, 0]]


def build(base: Base, method: str, seed: int) -> Injection:
    """Put a fresh pyramid on a base."""
    preset, options = METHODS[method]
    changes = {"map": {"channels": 1, "pixels": base.denoiser.codec.multiple, **options}}
    return inject(base.denoiser, seeded(seed, lambda: build_preset(base.unet, preset, changes)))


def conditions(method: str, edges: Tensor, tokens: Tensor) -> list[Condition]:
    """Return what a method is told: the edges, and sounds where it attends to them."""
    told = [Condition("map", "map", edges)]
    if method in SOUNDED:
        told.append(Condition("map", "tokens", tokens))
    return told


def draw_batches(base: Base, method: str, seed: int) -> Callable[[Generator, int], Batch]:
    """Return what draws batches of pictures, with half of their edges and a sound."""
    pictures = draw_digits("train", DRAWN, TAUGHT + seed)
    latents, edges = base.encode(pictures.values), pictures.edges

    def draw(generator: Generator, rows: int) -> Batch:
        some = torch.randint(len(pictures), (rows,), generator=generator)
        words = pictures.words[some]
        tokens = pair(words, "train", TAUGHT, generator)
        told = conditions(method, hide_half(edges[some], generator), tokens)
        return Batch(latents[some], torch.full_like(words, NOTHING), told)

    return draw


def measure(method: str, seed: int, lesson: Lesson = LESSON) -> dict[str, Any]:
    """Train a method and measure it.

    Returns:
        "right", percent of the digits; "edges" and "exact", the F1 of all edges with a tolerance of
        a pixel and with none, percent; "swapped", percent of the pictures that show the digit which
        is said where edges are of another; "weights" that are trained, "seconds", and the loss's
        "curve".
    """
    base = load_base("digits")
    found: dict[str, Any] = {"weights": 0, "seconds": 0.0, "curve": []}
    injection = None
    if method != BARE:
        injection = build(base, method, seed)
        learner = list(injection.injectors.values())
        batches = draw_batches(base, method, seed)
        learnt = teach(base, learner, batches, lesson, seed, injection, time=TIME)
        injection.injectors["map"].eval()
        found = {
            "weights": injection.count().trained,
            "seconds": learnt.seconds,
            "curve": learnt.curve,
        }
    found |= judge_painted(base, injection, method, seed)
    if injection:
        injection.remove()
    return found


def judge_painted(
    base: Base, injection: Injection | None, method: str, seed: int, part: str = "test"
) -> dict[str, float]:
    """Paint digits by other writers of half of their edges, and judge them, see `measure`."""
    generator = torch.Generator().manual_seed(seed)
    test = draw_digits(part, TESTED, TEST + seed)
    seen = hide_half(test.edges, generator)
    nothing = torch.full_like(test.words, NOTHING)
    painted = {}
    others = test.words.roll(1, 0)
    for name, words in (("own", test.words), ("other", others)):
        told = conditions(method, seen, pair(words, part, TEST + seed, generator))
        painted[name] = paint(base, nothing, 1000 * seed, injection, told, 1.0, STEPS)
    judge = load_judge("digits")
    if not seed and part == "test":
        _keep(method, {"wanted": test.values, "told": 2 * seen - 1, "painted": painted["own"]})
    return {
        "right": judge.score(painted["own"], test.words)[0],
        "edges": edge_f1(painted["own"], test.edges),
        "exact": exact_f1(painted["own"], test.edges),
        "swapped": judge.score(painted["other"], others)[0],
    }


def exact_f1(values: Tensor, edges: Tensor) -> float:
    """Return the mean F1 of edges of painted pictures without any tolerance, percent.

    Args:
        values: -1 to 1, [rows, 1, side, side].
        edges: What they were to be, 0 or 1, [rows, 1, side, side].
    """
    found = find_edges(values)
    both, all_edges = (one.sum((1, 2, 3)) for one in (found * edges, found + edges))
    return float(100 * (2 * both / all_edges.clamp(min=1)).mean())


def _keep(method: str, pictures: dict[str, Tensor]) -> None:
    """Keep some pictures for the contact sheet."""
    from modalities.tensor_file import write_tensors

    place = FOLDER / NAME / f"{method.replace(' ', '_')}.safetensors"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(place, {name: values[:SHOWN] for name, values in pictures.items()})


def draw() -> None:
    """Draw the contact sheet: what was wanted and told, then a line for each method."""
    from modalities.tensor_file import read_tensors

    lines: dict[str, Tensor] = {}
    for method in METHODS:
        place = FOLDER / NAME / f"{method.replace(' ', '_')}.safetensors"
        kept = read_tensors(place, "", "")
        lines = lines or {"the true picture": kept["wanted"], "edges that are told": kept["told"]}
        lines[method] = kept["painted"]
    draw_sheet(lines, FOLDER / f"{NAME}.png", SHOWN)


def tell_structure() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    rows = [
        [
            method,
            f"{seeds[0]['weights']:,}" if method != BARE else "",
            tell_spread(values_of(seeds, "right")),
            tell_spread(values_of(seeds, "edges")),
            tell_spread(values_of(seeds, "exact")),
            tell_spread(values_of(seeds, "swapped")) if method in SOUNDED else "",
        ]
        for method, seeds in found.items()
    ]
    head = ["told by", "weights", "digit right", "edges, F1", "exact", "follows the sound"]
    return [
        "Of the edges of a written digit only the upper, lower, left or right half is told, and a "
        "recording says which digit it is; the base is told no word. A T2I-Adapter sees the half "
        "alone. Nexus attends to the sound as well: 16 tokens that a small ear, a frozen network "
        "which names spoken digits from log-mels, makes before it names them. As published, what "
        "attention to the sound finds takes the place of what was seen; in the last row it is "
        "added. "
        f"{settings['steps']} steps each ({count_seeds([len(found[PRIME])])}), then "
        f"{settings['tested']} digits by other writers with other recordings.",
        to_table(head, rows),
        "Percent: of pictures that a judge reads as the digit; the F1 of all edges of the true "
        "picture, found again with a tolerance of a pixel, by which nearly any digit has most of "
        "them, and exactly; and of pictures that show what is said where the half of edges is of "
        "another digit. The judge reads "
        f"{settings['judge']:.1f} % of true pictures right, the ear names {settings['ear']:.1f} % "
        "of recordings. `make conditions-structure` does it.",
        "\n".join(_aims(found)),
        show_sheet(NAME, "Digits painted of half of their edges, without and with their sound"),
    ]


def _aims(found: Mapping[str, list[Any]]) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    of = {
        (method, key): fmean(values_of(seeds, key))
        for method, seeds in found.items()
        for key in ("right", "edges", "exact")
    }
    told = []
    for method in SOUNDED:
        for key, what in AIMS.items():
            best = max(of[T2I, key], of[WIDER, key])
            told.append(
                f"* {method}: {of[method, key]:.1f} % {what}, T2I-Adapter {of[T2I, key]:.1f}, with "
                f"more weights {of[WIDER, key]:.1f} (aim: above both)"
                f"{missed(of[method, key] > best)}."
            )
    return told


def main() -> None:
    """Run the study."""
    seeds = begin_study("structure", __doc__, SEEDS)
    settings = {
        "steps": LESSON.steps,
        "side": SIDE,
        "tested": TESTED,
        "judge": measure_judge(load_judge("digits"))[0],
        "ear": measure_judge(load_judge("sounds"))[0],
    }
    run_study(NAME, (BARE, *METHODS), seeds, measure, settings)
    draw()


if __name__ == "__main__":
    main()
