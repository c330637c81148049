"""Conditions that contradict a picture are found by painting with them and dropped: is it worth it?

`python -m tools.conditions_cycle [--seeds N]` trains four injectors on the frozen base of shapes,
scores spoilt conditions, distils an evaluator, paints with what is kept, and keeps the figures
under build/conditions.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion.conditions.catalog import build_preset
from fusion.conditions.contract import Injector
from fusion.conditions.files import load_injectors, save_injectors
from fusion.conditions.injection import Injection, inject
from fusion.conditions.routing.cycle import (
    IMAGE,
    OTHERS,
    OWN,
    CycleScorer,
    find_threshold,
    keep_sound,
    rows_alike,
)
from fusion.conditions.routing.evaluator import ConditionEvaluator, EvaluatorOptions
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.noise import NoiseSchedule
from modalities.tensor_file import read_tensors, write_tensors
from tasks.scoring.roc_area import measure_separation
from tools.conditions_bases import Base, Batch, load_base, paint, teach
from tools.conditions_cycle_types import (
    CYCLES,
    NUMBERS,
    Data,
    numbers_alike,
    read_all,
    spoil,
    tell,
    to_evaluator,
)
from tools.conditions_judges import edge_f1, load_judge
from tools.conditions_pictures import Pictures, draw_shapes
from tools.conditions_training import FOLDER, Lesson, begin_study, draw_sheet, learn, run_study
from tools.digit_lessons import seeded

STUDY, METHOD = "cycle", "selection"
TYPES = tuple(CYCLES)
SEEDS, DRAWN, SCORED, TESTED = 3, 4000, 8000, 200
LESSON = Lesson(steps=800, rate=2e-3, batch=32)
DISTILLED = Lesson(steps=4000, rate=2e-3, batch=64, decay=0.05)
LEVEL = 0.5  # of noise on the real picture, from which one step paints
WORDS, STEPS, FEW = 10, 10, 5
SETTINGS = {**asdict(LESSON), "scored": SCORED, "pictures": TESTED}
MOST = 9  # pictures of the contact sheet
# How conditions are scored: with the real picture at hand, and without.
SCORERS = {
    "cycle, real picture": (OWN,),
    "double cycle, real picture": (OWN, IMAGE),
    "cycle from noise": (OWN,),
    "cycle from noise, and the others": (OWN, OTHERS),
}
SOUND = "only sound ones"
REAL = ("cycle, real picture", "double cycle, real picture")
TAUGHT, EVALUATOR = "cycle, real picture", "evaluator"  # the better teacher on validation
DRAWN_OF = ("all", EVALUATOR, SOUND)


@dataclass(frozen=True, eq=False)
class Case:
    """Pictures with conditions of which some are spoilt.

    Attributes:
        pictures: The real ones.
        data: What is told, by type.
        how: How each was spoilt, 0 where it is sound, [rows, types].
    """

    pictures: Pictures
    data: Data
    how: Tensor


def draw_case(part: str, count: int, seed: int, share: float | None = None) -> Case:
    """Draw pictures and spoil some of their conditions; `share` 0 spoils none."""
    pictures = draw_shapes(part, count, seed)
    data, generator = read_all(pictures.values), torch.Generator().manual_seed(seed + 77)
    given = {} if share is None else {"share": share}
    return Case(pictures, *spoil(data, generator, **given))


def build_injectors(base: Base) -> dict[str, Injector]:
    """Build an injector for each type: pyramids of features for maps, tokens for numbers."""
    pixels = base.denoiser.codec.multiple
    changes = {"channels": 1, "pixels": pixels}
    made = {name: _pyramid(base, changes) for name in ("edges", "cover")}
    made["colours"] = _pyramid(base, {"channels": 3, "pixels": pixels})
    options = {"attributes": {"dim": 3, "hidden": 64, "tokens": 2}}
    made["place"] = build_preset(base.unet, "att_adapter_mlp", options)["attributes"]
    return {name: made[name] for name in TYPES}


def _pyramid(base: Base, changes: Mapping[str, Any]) -> Injector:
    return build_preset(base.unet, "t2i_adapter_light", {"map": changes})["map"]


def teach_all(base: Base, seed: int, lesson: Lesson = LESSON, drawn: int = DRAWN) -> Injection:
    """Train the injectors together: half of the steps are told one type, the others several.

    Args:
        base: That they stand on.
        seed: Fixes all.
        lesson: How long and how fast.
        drawn: Pictures that they learn from.
    """
    injection = inject(base.denoiser, seeded(seed, lambda: build_injectors(base)))
    pictures = draw_shapes("train", drawn, seed)
    latents, data = base.encode(pictures.values), read_all(pictures.values)

    def draw(generator: Generator, rows: int) -> Batch:
        some = torch.randint(len(pictures), (rows,), generator=generator)
        order = torch.randperm(len(TYPES), generator=generator).tolist()
        most = 1 if torch.rand((), generator=generator) < 0.5 else len(TYPES)
        count = int(torch.randint(1, most + 1, (), generator=generator))
        kept = {TYPES[number]: True for number in order[:count]}
        told = tell({name: values[some] for name, values in data.items()}, kept)
        return Batch(latents[some], pictures.words[some], told)

    teach(base, list(injection.injectors.values()), draw, lesson, seed, injection)
    return injection


def load_taught(base: Base, seed: int, folder: Path = FOLDER) -> Injection:
    """Return the trained injectors on the base; they are trained where there is no file of them."""
    path = folder / f"{STUDY}/injectors_{seed}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        injection = teach_all(base, seed)
        save_injectors(injection.injectors, path)
        injection.remove()
    return inject(base.denoiser, load_injectors(base.unet, path))


def one_step(
    base: Base, injection: Injection, pictures: Pictures, seed: int
) -> Callable[[str, Tensor], Tensor]:
    """Return what paints by one condition in one step: what the base thinks is behind the noise.

    Args:
        base: The base.
        injection: The injectors on it.
        pictures: The real ones, that noise is added to.
        seed: Fixes the noise.
    """
    generator, schedule = torch.Generator().manual_seed(seed), base.denoiser.noise
    assert isinstance(schedule, NoiseSchedule)
    latents = base.encode(pictures.values)
    noise = torch.randn(latents.shape, generator=generator)
    times = schedule.times_at(torch.full((len(latents),), LEVEL))
    kept = schedule.kept[times].view(-1, 1, 1, 1)
    noisy = schedule.add(latents, noise, times)

    @torch.no_grad()
    def paint_one(name: str, data: Tensor) -> Tensor:
        with injection.tell(*tell({name: data})):
            velocity = base.denoiser(noisy, times, Prompt(base.tokens(pictures.words)))
        return base.decode(kept.sqrt() * noisy - (1 - kept).sqrt() * velocity)

    return paint_one


def from_noise(
    base: Base, injection: Injection, pictures: Pictures, seed: int
) -> Callable[[str, Tensor], Tensor]:
    """Return what paints by one condition and the words alone, in a few steps, see `one_step`."""

    def paint_one(name: str, data: Tensor) -> Tensor:
        told, words = tell({name: data}), pictures.words
        return paint(base, words, seed, injection, told, guidance=1.0, steps=FEW)

    return paint_one


def score_all(
    base: Base, injection: Injection, seed: int, cases: Mapping[str, Case]
) -> dict[str, dict[str, Tensor]]:
    """Return the scores of conditions by each way, [rows, types], by way and case.

    Args:
        base: The base.
        injection: The injectors on it.
        seed: Fixes noise.
        cases: By name; "sound" says what is usual, and what is in "train" is scored beside the real
            pictures alone.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for painter in (one_step, from_noise):
        real = painter is one_step
        scorer = CycleScorer(CYCLES, (OWN,), numbers_alike)
        measured = {}
        for number, (name, case) in enumerate(cases.items()):
            if real or name != "train":
                paint_one = painter(base, injection, case.pictures, seed + number)
                pictures = case.pictures.values if real else None
                measured[name] = scorer.measure(case.data, paint_one, pictures)
        for way in [way for way in SCORERS if (way in REAL) == real]:
            scorer = CycleScorer(CYCLES, SCORERS[way], numbers_alike)
            scorer.calibrate(measured["sound"])
            found[way] = {name: scorer.score(one) for name, one in measured.items()}
    return found


def distil(case: Case, scores: Tensor, seed: int, lesson: Lesson = DISTILLED) -> ConditionEvaluator:
    """Train an evaluator to tell scores from conditions and words alone.

    Args:
        case: What it learns from.
        scores: What it is to tell, [rows, types].
        seed: Fixes all.
        lesson: How long and how fast.
    """
    options = EvaluatorOptions({name: NUMBERS[name] for name in TYPES}, WORDS)
    evaluator: ConditionEvaluator = seeded(seed, lambda: ConditionEvaluator(options))
    told, prompt = to_evaluator(case.data), prompt_of(case.pictures.words)

    def losses(generator: Generator) -> dict[str, Tensor]:
        some = torch.randint(len(scores), (lesson.batch,), generator=generator)
        given = {name: values[some] for name, values in told.items()}
        return {"loss": evaluator.loss(given, prompt[some], scores[some])}

    learn([evaluator], losses, lesson, seed)
    return evaluator.eval()


def prompt_of(words: Tensor) -> Tensor:
    """Return which words are told, 0 or 1, [rows, WORDS]."""
    return functional.one_hot(words, WORDS).sum(1).float()


def areas(scores: Tensor, how: Tensor) -> dict[str, float | None]:
    """Return the area under the ROC curve of sound conditions against spoilt ones, by the way.

    Args:
        scores: [rows, types].
        how: How each was spoilt, [rows, types].
    """
    sound = scores[how == 0].numpy()
    found = {
        "all": measure_separation(sound, scores[how > 0].numpy()),
        "other": measure_separation(sound, scores[how == 1].numpy()),
        "noise": measure_separation(sound, scores[how == 2].numpy()),
    }
    for number, name in enumerate(TYPES):
        column, ways = scores[:, number], how[:, number]
        found[name] = measure_separation(column[ways == 0].numpy(), column[ways > 0].numpy())
    return found


def paint_kept(
    base: Base, injection: Injection, case: Case, kept: Tensor, steps: int = STEPS
) -> Tensor:
    """Paint each row by the conditions that are kept for it, a batch for each choice."""
    painted = torch.zeros_like(case.pictures.values)
    for rows, pattern in rows_alike(kept):
        data = {name: values[rows] for name, values in case.data.items()}
        told = tell(data, dict(zip(TYPES, pattern, strict=True)))
        words = case.pictures.words[rows]
        painted[rows] = paint(base, words, int(rows[0]), injection, told, steps=steps)
    return painted


def judge(painted: Tensor, pictures: Pictures) -> dict[str, float]:
    """Return percent of shapes and colours, F1 of edges, and the mean error of 255."""
    shape, colour = load_judge("shapes").score(painted, pictures.words)
    error = 127.5 * float((painted.clamp(-1, 1) - pictures.values).abs().mean())
    return {
        "shape": shape,
        "colour": colour,
        "edges": edge_f1(painted, pictures.edges),
        "error": error,
    }


def choices(scores: Mapping[str, Mapping[str, Tensor]], cases: Mapping[str, Case]) -> dict:
    """Return which conditions of the test are told by each way to choose, [rows, types]."""
    sound = cases["test"].how == 0
    generator = torch.Generator().manual_seed(5)
    kept = {}
    for way, by_case in scores.items():
        threshold = find_threshold(by_case["validation"], cases["validation"].how == 0)
        kept[way] = keep_sound(by_case["test"], threshold)
    order = torch.rand(sound.shape, generator=generator).argsort(1)
    chance = kept[EVALUATOR].gather(1, order)  # as many of each row, but which by chance
    return {
        "none": torch.zeros_like(sound),
        "all": torch.ones_like(sound),
        "by chance, as many": chance,
        **{way: kept[way] for way in kept},
        SOUND: sound,
    }


def run_seed(method: str, seed: int, folder: Path = FOLDER) -> dict[str, Any]:
    """Train, score, distil, choose and paint with one seed; pictures of the first are kept.

    Returns:
        "areas" under the ROC curve by way to score, see `areas`; "painted", by what was told, see
        `judge`, with how many conditions were "told" and percent of the choices that are "right".
    """
    base = load_base("shapes")
    injection = load_taught(base, seed, folder)
    cases = {
        "sound": draw_case("validation", 300, seed, share=0.0),
        "validation": draw_case("validation", 400, seed + 500),
        "train": draw_case("train", SCORED, seed + 20),
        "test": draw_case("test", TESTED, 1),
    }
    scores = score_all(base, injection, 1000 * seed, cases)
    evaluator = distil(cases["train"], scores[TAUGHT]["train"], seed)
    with torch.no_grad():
        scores[EVALUATOR] = {
            name: evaluator(to_evaluator(case.data), prompt_of(case.pictures.words))
            for name, case in cases.items()
        }
    how, pictures = cases["test"].how, cases["test"].pictures
    found = {"areas": {way: areas(by_case["test"], how) for way, by_case in scores.items()}}
    kept, shown = choices(scores, cases), {"real": pictures.values}
    found["painted"] = {}
    for name, some in kept.items():
        shown[name] = paint_kept(base, injection, cases["test"], some)
        right = (some == (how == 0)).double().mean()
        told = {"told": float(some.double().sum(1).mean()), "right": 100 * float(right)}
        found["painted"][name] = {**judge(shown[name], pictures), **told}
    if seed == 0:
        lines = {name: shown[name][:MOST] for name in DRAWN_OF}
        write_tensors(folder / f"{STUDY}/painted.safetensors", lines)
    injection.remove()
    return found


def draw_shown(folder: Path = FOLDER) -> None:
    """Draw what was told of some pictures, and what was painted by it, with the first seed.

    Raises:
        FileNotFoundError: Nothing has been painted.
    """
    case = draw_case("test", TESTED, 1)
    kept = read_tensors(folder / f"{STUDY}/painted.safetensors", "run the study", "run it anew")
    maps = {f"told: {name}": 2 * case.data[name] - 1 for name in ("edges", "cover")}
    maps["told: colours"] = case.data["colours"]
    painted = {f"painted by: {name}": kept[name] for name in DRAWN_OF}
    draw_sheet({"real": case.pictures.values, **maps, **painted}, folder / f"{STUDY}.png", MOST)


def main() -> None:
    """Run the study."""
    seeds = begin_study("cycle", __doc__, SEEDS)
    run_study(STUDY, [METHOD], seeds, run_seed, SETTINGS)
    draw_shown()


if __name__ == "__main__":
    main()
