"""Evaluate a recogniser: prepare, recognise, score, report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fusion.sets.card import CARD
from modalities.rates import RATE_HZ
from modalities.text_file import read_text
from tasks.avsr.evaluation.clips import ClipSet
from tasks.avsr.evaluation.conditions import NoiseSource, draw_noise
from tasks.avsr.evaluation.config import SNR_DB, EvaluationConfig
from tasks.avsr.evaluation.noise_sources import find_sources
from tasks.avsr.evaluation.outcomes import Hearings
from tasks.avsr.evaluation.plots import CONFUSION, HEAT_MAP, draw_confusion, draw_heat_map
from tasks.avsr.evaluation.recognise import Plan, recognise_all
from tasks.avsr.evaluation.report import Report, build_report, save_report
from tasks.avsr.evaluation.results import SELECTOR_FILES, open_results
from tasks.avsr.evaluation.set_groups import SetNames, name_sets
from tasks.avsr.sets.collection import COLLECTION, OF_SELECTOR, TOLD
from tasks.avsr.sets.contract import Recogniser
from tasks.scoring import find_normaliser
from tasks.scoring.intervals import RESAMPLES

FORM = 2  # of the results; another number starts anew


@dataclass(frozen=True)
class Evaluation:
    """All that is needed to evaluate.

    Attributes:
        config: As it was asked for.
        plan: Clips and conditions.
        normaliser: By name.
    """

    config: EvaluationConfig
    plan: Plan
    normaliser: str


def plan_evaluation(config: EvaluationConfig, found: ClipSet) -> Evaluation:
    """Lay out clips and conditions.

    Args:
        config: What to evaluate, in what noise.
        found: Its clips, prepared or raw.

    Raises:
        FileNotFoundError: A folder of noise is not there.
        ValueError: Too few recordings, or conditions that cannot be told apart.
    """
    sources = tuple(find_sources(config, found.voices))
    levels = (tuple(config.snr_db) or SNR_DB) if sources else ()
    folder = found.folder or Path()
    plan = Plan(found.clips, folder, sources, levels, config.seed, config.recipe, config.batch)
    _ = plan.cells  # refuses what cannot be
    for source in sources:  # likewise, and before the clips are prepared
        draw_noise(found.clips[0], source, 0.0, RATE_HZ, config.seed, config.recipe)
    return Evaluation(config, plan, config.normaliser or ("grid" if found.spelled else "whisper"))


def evaluate(
    evaluation: Evaluation,
    recogniser: Recogniser,
    output: Path,
    progress: Callable[[int, int], None] | None = None,
    load: Callable[[], Recogniser] | None = None,
) -> Report:
    """Recognise, score and write the report; goes on where it was interrupted.

    Args:
        evaluation: As planned, with prepared clips.
        recogniser: Under test.
        output: Folder for results.jsonl, rows.json, summary.json, report.md, heat_map.png and,
            with a selector, confusion.png.
        progress: Called with the clips and conditions done, and all.
        load: Loads the recogniser once more where the configuration asks for several processes; see
            `recognise_all`.

    Returns:
        What was written, too.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: The folder holds results of other settings; a clip or its noise is silent; no
            transcript has a word under the normaliser.
    """
    plan = evaluation.plan
    names = name_sets(recogniser, [source.category for source in plan.sources])
    results = open_results(output, list_settings(evaluation, names))
    processes = evaluation.config.processes
    recognise_all(plan, recogniser, names, results, progress, processes, load)
    normalise = find_normaliser(evaluation.normaliser)
    hearings = Hearings(plan.clips, plan.cells, names, results.by_key, normalise)
    report = build_report(hearings, _list_facts(evaluation, names), plan.seed)
    save_report(report, output)
    draw_heat_map(report, output / HEAT_MAP)
    if report.selector:
        draw_confusion(report.selector, output / CONFUSION)
    return report


def list_settings(evaluation: Evaluation, names: SetNames) -> dict[str, Any]:
    """Return all that results depend on, as JSON has it; the normaliser is no part of it."""
    config, plan = evaluation.config, evaluation.plan
    clips = [f"{clip.id}\t{clip.text}" for clip in plan.clips]
    return {
        "form": FORM,
        "model": config.model,
        "model_files": digest_files(config.model),
        "sets": config.sets,
        "sets_files": digest_files(config.sets, lambda name: name not in OF_SELECTOR),
        SELECTOR_FILES: digest_files(config.sets, OF_SELECTOR.__contains__),
        "groups": names.groups,
        "clips": f"{len(clips)}, {_digest(clips)}",
        "seed": plan.seed,
        "recipe": plan.recipe,
        "snr_db": plan.snr_db,
        "noise": {source.name: _describe(source) for source in plan.sources},
    }


def digest_files(
    folder: str | None, wanted: Callable[[str], bool] = lambda name: True
) -> str | None:
    """Return a sum of files below a folder, which changes when they do; None for a name.

    Args:
        folder: Folder of the model or the sets, or a name; what a card only tells of a set does not
            count.
        wanted: Says by its name whether a file counts.

    Raises:
        OSError: A file cannot be read.
        ValueError: A card is damaged.
    """
    if folder is None or not Path(folder).is_dir():
        return None
    total = sha256()
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file() and wanted(p.name)):
        total.update(f"{path.relative_to(folder)}\n".encode())
        if path.name in (CARD, COLLECTION):
            card = json.loads(read_text(path))
            used = {name: value for name, value in card.items() if name not in TOLD}
            total.update(json.dumps(used, sort_keys=True).encode())
            continue
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:16]


def _describe(source: NoiseSource) -> str:
    files = source.recordings.files(source.category)
    names = [path.name for path in (*files, *source.rooms)]
    rooms = f", {len(source.rooms)} rooms" if source.rooms else ""
    voices = f", {source.voices} at once" if source.category == "babble" else ""
    return f"{source.category} of {len(files)} recordings{voices}{rooms}, {_digest(names)}"


def _digest(lines: Sequence[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def _list_facts(evaluation: Evaluation, names: SetNames) -> dict[str, str]:
    config, plan = evaluation.config, evaluation.plan
    groups = [f"{group} ({', '.join(sets)})" for group, sets in names.groups.items()]
    seen = sum(bool(clip.mouth) for clip in plan.clips)
    facts = {
        "model": config.model,
        "sets": f"{config.sets}: {'; '.join(groups)}" if groups else "none",
        "clips": f"{len(plan.clips)}, {seen} of them with video",
        "target": config.target,
        "normaliser": evaluation.normaliser,
        "seed": str(plan.seed),
        "intervals": f"95 %, {RESAMPLES} resamples of clips, paired",
    }
    if plan.sources:
        facts["noise"] = "; ".join(f"{s.name}: {_describe(s)}" for s in plan.sources)
        facts["recipe of the ratio"] = plan.recipe
    return facts
