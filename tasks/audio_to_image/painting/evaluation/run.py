"""An evaluation from its configuration to its report, as `mcgurk evaluate` runs it."""

import json
from pathlib import Path

import torch
from torch import Tensor

from data_prep.masks.images import to_8_bits
from tasks.audio_to_image.painting.evaluation.clips import Clips, find_clips
from tasks.audio_to_image.painting.evaluation.config import PaintingEvaluationConfig
from tasks.audio_to_image.painting.evaluation.features import (
    Features,
    open_features,
    read_sounds,
)
from tasks.audio_to_image.painting.evaluation.scores import MEANS, score_pictures
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.painting.samples import save_samples
from tasks.reports import Evaluated, Grid, OpenBar, to_list, to_table, without_nan, write_text
from tasks.scoring.images import Z_RULE

SCORES, REPORT, PICTURES = "scores.json", "report.md", "pictures.png"
LACKING = (
    "No model was named to compare pictures by: inception=FILE gives FID and KID, image_text=NAME "
    "CLIP-FID and IIS."
)
AT_ONCE = 16  # clips that are painted, looked at and forgotten


def run_evaluation(config: PaintingEvaluationConfig, folder: Path, open_bar: OpenBar) -> Evaluated:
    """Paint clips, compare the pictures with true ones, and report.

    Args:
        config: Which painter, and which clips.
        folder: To write to.
        open_bar: Opens a progress bar.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Clips, painter, models or device are not what is expected.
    """
    if not config.painter:
        raise ValueError("No painter is named; expected a folder that training wrote, or a name.")
    painter = Painter.load(config.painter, config.device)
    features = open_features(config, painter.denoiser.device)
    with open_bar("Hearing", "{:.0f} clips".format) as show:
        clips = find_clips(config, painter, folder, show)
    ids = [row.id for row in clips.examples.rows]
    sounds = read_sounds(config.sounds, ids) if config.sounds else None
    shown = _paint(painter, clips, config, features, open_bar)
    if config.shown:
        truths = [clips.examples.picture(n) for n in range(len(shown))]
        save_samples(shown, truths, folder / PICTURES)
    scores = score_pictures(features, sounds, config.seed)
    return _report(_facts(config, painter, clips), scores, folder, bool(config.shown))


def _paint(
    painter: Painter,
    clips: Clips,
    config: PaintingEvaluationConfig,
    features: Features,
    open_bar: OpenBar,
) -> Tensor:
    """Paint all clips, look at the pictures, and return the first of them, [shown, h, w, 3]."""
    examples, count = clips.examples, len(clips.examples)
    assert examples.embeddings is not None
    shown = [torch.zeros(0, *painter.size, 3)]
    with open_bar("Painting", "{:.0f} clips".format) as show:
        for start in range(0, count, AT_ONCE):
            part = range(start, min(start + AT_ONCE, count))
            told = examples.embeddings[start : part.stop]
            found = painter.paint(told, config.seed + start, config.steps, config.guidance)
            painted = to_8_bits(found.numpy())
            features.add(list(painted), [examples.picture(n) for n in part])
            if start < config.shown:
                shown.append(found)
            show(part.stop, count)
    return torch.cat(shown)[: config.shown]


def _facts(config: PaintingEvaluationConfig, painter: Painter, clips: Clips) -> dict[str, str]:
    steps = painter.card.steps if config.steps is None else config.steps
    guidance = painter.card.guidance if config.guidance is None else config.guidance
    facts = {
        "painter": config.painter,
        "clips": f"{len(clips.examples)} of {clips.place}",
        "painted": f"{steps} steps, guidance {guidance:g}, seeds from {config.seed}",
    }
    for name in ("image_text", "inception", "sounds"):
        if told := getattr(config, name):
            facts[name.replace("_", " ")] = told
    return facts


def _report(
    facts: dict[str, str], scores: dict[str, float], folder: Path, sheet: bool
) -> Evaluated:
    lines = [[name, f"{value:.4g}", MEANS[name]] for name, value in scores.items()]
    table: Grid = (["measure", "value", "is"], lines)
    data = without_nan({"facts": facts, "scores": scores})
    write_text(folder / SCORES, json.dumps(data, indent=2, ensure_ascii=False))
    parts = ["# Evaluation of painted pictures", to_list(facts), "## Scores", to_table(*table)]
    parts += [Z_RULE, *([f"![painted above, true below]({PICTURES})"] if sheet else [])]
    write_text(folder / REPORT, "\n\n".join(parts))
    notes = [LACKING] if set(scores) <= {"pixels", "pixels-z"} else []
    if sheet:
        notes.append(f"{folder / PICTURES} shows some: painted above, true below.")
    return Evaluated(facts, "Scores:", [table], folder / REPORT, data, notes)
