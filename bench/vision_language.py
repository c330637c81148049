"""Questions about pictures: kept features, mixed batches, many questions, memory, size of files."""

import itertools
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.compare import Row, compare
from bench.peak import run_for_peak
from data_prep.questions.scenes.words import build_tokenizer
from modalities.vision_language.grid_encoder import GRID, GridEncoder
from modalities.vision_language.grid_files import load_grid_encoder, random_grid_encoder
from modalities.vision_language.vl_files import (
    FEATURE_DIM,
    SIZES,
    load_vision_language,
    random_vision_language,
    save_vision_language,
)
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.card import AnswererCard
from tasks.vision_language.config import (
    QuestionDataOptions,
    SamplingOptions,
    VisionLanguageConfig,
)
from tasks.vision_language.images import ImageFeatures
from tasks.vision_language.training import Learner, VisionLanguageTraining
from tasks.vision_language.tuned import Tuned, tune
from tasks.vision_language.tuned_files import save_tuned
from tools.render_questions import TASKS, RenderOptions, render_folder
from tools.start_vision_language import SIZES as SMALL_SIZES
from tools.start_vision_language import start_vision_language

BASE, SMALL, CLIP = "bart-base", "VL-BART of 1.5 M", "CLIP ViT-B/32"
VIT_B32 = dict(
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    image_size=224,
    patch_size=32,
)
NARROW = {"rank": 16}  # of the small model, an eighth of its width, as published of the large one
TEXT, ANSWER = 12, 5  # tokens of the rows that are learnt from below
WORDS = 200  # these are drawn from so many tokens, which small models have as well
QUESTIONS = 8
# Two steps: the optimiser has its own memory from the first one on.
MEMORY = """
import sys
import torch
from bench.vision_language import batch_of, published
from tasks.vision_language.training import Learner
tuned = published(sys.argv[1]).train()
learner, batch = Learner(tuned), batch_of(8)
optimiser = torch.optim.AdamW(tuned.trained())
for _ in range(2):
    optimiser.zero_grad()
    learner([batch])["loss"].backward()
    optimiser.step()
"""


def rows(given: Namespace) -> list[Row]:
    """Measure on rendered scenes and random weights; what is answered does not matter here."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render_folder(folder / "many", RenderOptions(20, questions=2), workers=1)
        render_folder(folder / "few", RenderOptions(4, questions=2), workers=1)
        small, wide = save_small(folder), save_wide(folder)
        base, clip = save_published(folder)
        return [
            kept(experiment(folder / "many", *small, 8, NARROW), f"{SMALL} and shapes", 3),
            kept(experiment(folder / "few", wide, clip, 8, NARROW), f"{SMALL} and {CLIP}", 3),
            kept(experiment(folder / "few", base, clip, 4), f"BART-base and {CLIP}", 2),
            mixed(small_tuned(small[0]), 64, SMALL, 7),
            mixed(published("adapter", "multiple"), 16, "BART-base", 5),
            many_questions(folder / "few", *small, f"{SMALL} and shapes", 5),
            many_questions(folder / "few", base, clip, f"BART-base and {CLIP}", 3),
            memory(),
            file(published("adapter"), "BART-base"),
        ]


def save_small(folder: Path) -> tuple[str, str]:
    """Save the small model as it begins, and return where, and what sees for it."""
    start_vision_language(folder / "small", images="shapes")
    return str(folder / "small"), "shapes"


def save_wide(folder: Path) -> str:
    """Save the small model for the features of a CLIP ViT-B/32, and return where it is."""
    dim = VIT_B32["hidden_size"]
    built = random_vision_language("bart", build_tokenizer(), SMALL_SIZES, dim)
    save_vision_language(built, folder / "wide")
    return str(folder / "wide")


def save_published(folder: Path) -> tuple[str, str]:
    """Save a BART-base and a CLIP ViT-B/32 with random weights, and return where they are.

    The BART has the words of scenes: that of the published one cannot be had everywhere.
    """
    encoder = random_grid_encoder("vit", config=VIT_B32)
    encoder.trunk.model.save_pretrained(folder / "vit")  # type: ignore[union-attr]
    model = random_vision_language("bart", build_tokenizer(), SIZES[BASE], encoder.dim)
    save_vision_language(model, folder / "base")
    return str(folder / "base"), str(folder / "vit")


def published(method: str, sharing: str = "single") -> Tuned:
    """Tune a model of the published size, shown the published features, with random weights."""
    return tune(random_vision_language("bart"), method, TASKS, sharing)


def small_tuned(model: str) -> Tuned:
    """Tune the small model, from where it was saved, with an adapter for each task."""
    return tune(load_vision_language(model), "adapter", TASKS, "multiple", NARROW)


def experiment(
    questions: Path, model: str, images: str, batch: int, options: dict[str, Any] | None = None
) -> VisionLanguageConfig:
    """Return a training of one adapter for all tasks, all rows of a manifest in an epoch."""
    return VisionLanguageConfig(
        data=QuestionDataOptions(manifests=(str(questions),), validation=0.0),
        model=model,
        images=images,
        options=options or {},
        sampling=SamplingOptions(batch=batch),
    )


def kept(config: VisionLanguageConfig, name: str, runs: int) -> Row:
    """Train epochs on kept features, and on pictures that are read and encoded for each batch."""
    task = VisionLanguageTraining(config)
    optimiser = torch.optim.AdamW(task.tuned.train().trained())
    what = f"an epoch of {sum(task.rows.values())} rows, one adapter, kept features, {name}"
    anew = partial(look_anew, load_grid_encoder(config.images))
    ours = partial(_epoch, task, optimiser, task.eyes.of)
    theirs = partial(_epoch, task, optimiser, anew)
    return compare(what, "encoded each time", ours, theirs, "<= 0.2", runs)


def look_anew(encoder: GridEncoder, paths: Sequence[str]) -> Tensor:
    """Read and encode pictures, each once, and keep nothing."""
    return ImageFeatures(encoder).of(paths)


def _epoch(task: VisionLanguageTraining, optimiser: torch.optim.AdamW, look: Any) -> None:
    random = np.random.default_rng(0)
    task.reader.look = look
    for number in range(task.size):
        optimiser.zero_grad()
        task.module([task.load(number, random)])["loss"].backward()
        optimiser.step()


def batch_of(count: int, feature_dim: int = FEATURE_DIM) -> dict[str, Any]:
    """Return rows of all tasks in turn, as training loads them, of drawn tokens and features.

    Args:
        count: How many.
        feature_dim: Length of the features that the model is shown.
    """
    generator = torch.Generator().manual_seed(0)
    tokens = GRID**2
    return {
        "tasks": tuple(TASKS[number % len(TASKS)] for number in range(count)),
        "ids": torch.randint(4, WORDS, (count, TEXT), generator=generator),
        "mask": torch.ones(count, TEXT, dtype=torch.long),
        "features": torch.randn(count, tokens, feature_dim, generator=generator),
        "order": torch.zeros(count, tokens, dtype=torch.long),
        "real": torch.ones(count, tokens, dtype=torch.bool),
        "cut": (),
        "targets": torch.randint(4, WORDS, (count, ANSWER), generator=generator),
        "weights": torch.ones(count),
    }


def mixed(tuned: Tuned, count: int, name: str, runs: int) -> Row:
    """Learn from a batch of four tasks, and from the same rows as if they were of one."""
    learner = Learner(tuned.train())
    batch = batch_of(count, tuned.vl.visual_embedding.feature_dim)

    def step(tasks: Sequence[str]) -> None:
        tuned.zero_grad()
        learner([{**batch, "tasks": tuple(tasks)}])["loss"].backward()

    what = f"a batch of {count} rows of four tasks with an adapter each, {name}"
    one = partial(step, TASKS[:1] * count)
    return compare(what, "of one task", partial(step, batch["tasks"]), one, "<= 1.15", runs)


def many_questions(folder: Path, model: str, images: str, name: str, runs: int) -> Row:
    """Answer several questions and one, in a word or two, the picture looked at anew each time."""
    encoder = load_grid_encoder(images)
    answerer = build_answerer(model, encoder)
    picture = next((folder / "images").iterdir())
    numbers = itertools.count()

    def answer(count: int) -> None:
        asked = [f"how many red circles are there, {next(numbers)}" for _ in range(count)]
        answerer.answer(picture, asked)

    what = f"{QUESTIONS} questions about one picture, {name}"
    many, one = partial(answer, QUESTIONS), partial(answer, 1)
    return compare(what, "one question", many, one, "<= 2", runs)


def build_answerer(model: str, encoder: GridEncoder) -> Answerer:
    """Build an answerer that has learnt nothing but to be brief, and keeps no features."""
    vl = load_vision_language(model, encoder.dim)
    assert vl.tokenizer is not None
    # Random weights would write to the limit; answers of trained ones end after a word.
    vl.model.final_logits_bias[:, vl.tokenizer.eos_token_id] = 100.0
    tuned = tune(vl, "adapter", TASKS)
    trained, total = tuned.count()
    told = dict(seen="", options={}, writing={}, data="", questions={}, licence="", command="")
    card = AnswererCard(
        model=model,
        images=encoder.name,
        method=tuned.method,
        sharing=tuned.sharing,
        tasks=tuned.tasks,
        trained=trained,
        parameters=total,
        **told,  # type: ignore[arg-type]
    )
    answerer = Answerer(tuned, ImageFeatures(encoder), card, "cpu")
    answerer.reader.look = partial(look_anew, encoder)
    return answerer


def memory() -> Row:
    """Train two steps of each in a process of its own."""
    one, whole = (run_for_peak(MEMORY, method) for method in ("adapter", "full"))
    what = "peak memory of training one adapter, BART-base, 8 rows"
    return Row(what, "full fine-tuning", one, whole, "MB", one / whole, "<= 0.6")


def file(tuned: Tuned, name: str) -> Row:
    """Weigh what is kept of a tuned model, in float32, against all of its weights."""
    with tempfile.TemporaryDirectory() as folder:
        save_tuned(tuned, Path(folder))
        held = sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))
    ours, whole = held / 1e6, 4 * tuned.count()[1] / 1e6
    what = f"file of one adapter for four tasks, {name}"
    return Row(what, "all of its weights", ours, whole, "MB", ours / whole, "about 24 MB")
