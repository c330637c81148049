"""Write what `make avsr` measured into docs/ and the card of the shipped sets."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fusion.sets.card import read_card
from tasks.avsr.sets.collection import SHIPPED_FOLDER, read_collection, write_collection
from tasks.cli.sets import describe_parameters
from tools.marks import rewrite
from tools.small_picture import shrink_plot

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/avsr"
PAGE = ROOT / "docs/avsr.md"
PAPER = (
    "The paper (Simic et al. 2025, arXiv 2502.01709): two level sets of Whisper base 36M, 41 % of "
    "87M for the same model fine-tuned with its fusion module; of Whisper small 55M, 21 % of 257M, "
    "or 12 % of AV-HuBERT large's 477M, its 88.5 % fewer."
)
PICTURES = {"heat_map.png": "avsr_heat_map.png", "confusion.png": "avsr_confusion.png"}


def main() -> None:
    """Ship the collection, and write down how it did."""
    rows = _read("evaluation/rows.json")
    summary = _read("evaluation/summary.json")
    others = _read("evaluation_talkers/rows.json")
    rewrite(PAGE, "avsr", lambda _: "\n".join([*to_table(rows), "", *_notes(rows, summary)]))
    rewrite(PAGE, "parameters", lambda _: describe_size(BUILT / "collection"))
    rewrite(PAGE, "report", lambda _: _reports())
    for name, target in PICTURES.items():
        shrink_plot(BUILT / "evaluation" / name, ROOT / "docs" / target)
    _ship(rows, others)


def describe_size(folder: Path) -> str:
    """Say how much of a collection is trained, beside what the method's paper prints.

    Args:
        folder: A collection with its sets.
    """
    collection = read_collection(folder)
    cards = {name: asdict(read_card(folder / name)) for name in collection.sets}
    return f"{describe_parameters(collection, cards)} {PAPER}"


def _read(name: str) -> Any:
    return json.loads((BUILT / name).read_text(encoding="utf-8"))


def _reports() -> str:
    """Return both whole reports, each under a heading of its own."""
    parts = [("evaluation", "Talker 1"), ("evaluation_talkers", "Other talkers")]
    texts = [(BUILT / part / "report.md").read_text(encoding="utf-8") for part, _ in parts]
    heading = "# Evaluation of audio-visual speech recognition"
    headed = [
        text.replace(heading, f"## {title}", 1).replace("\n## ", "\n### ")
        for text, (_, title) in zip(texts, parts, strict=True)
    ]
    return "\n\n".join(headed).rstrip()


def to_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a Markdown table: rows by level, each the mean over all kinds of noise.

    Args:
        rows: What an evaluation wrote to rows.json: word error rates by row, noise and level.
    """
    levels = sorted({row["snr_db"] for row in rows if row["snr_db"] is not None})
    heads = ["word error rate, %", *(f"{level:g} dB" for level in levels), "clean"]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |"]
    for name in dict.fromkeys(row["row"] for row in rows):
        rates = [
            [r["wer"] for r in rows if r["row"] == name and r["snr_db"] == level]
            for level in (*levels, None)
        ]
        cells = [f"{sum(cell) / len(cell):.1f}" if cell else "-" for cell in rates]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _notes(rows: Sequence[dict[str, Any]], summary: dict[str, Any]) -> list[str]:
    conditions = dict.fromkeys(row["category"] for row in rows if row["snr_db"] is not None)
    clips = max(row["clips"] for row in rows)
    parts = [
        f"{clips} test clips of GRID's talker 1; means over {'; '.join(conditions)}, of recordings "
        f'and utterances that no training heard; normaliser "{summary["facts"]["normaliser"]}".',
    ]
    for score in summary["loud"]:
        if score["ratio"] is not None and "selector" in score["row"]:
            ratio = score["ratio"]
            parts.append(
                f"{score['row']}, at -10 and -5 dB: {ratio['value']:.2f} x audio-only "
                f"[{ratio['low']:.2f}, {ratio['high']:.2f}]."
            )
    selector = summary["selector"]
    loud = [line for line in selector["by_level"] if line["snr_db"] is not None]
    loud = [line for line in loud if line["snr_db"] <= 0]
    clips_heard = sum(line["clips"] for line in loud)
    right = sum(line["category_right"] * line["clips"] for line in loud) / clips_heard
    parts.append(
        f"The selector tells {right:.1f} % of categories right at 0 dB and below, and high from "
        f"low noise in {selector['level_right']:.1f} %."
    )
    if selector["by_recording"]:
        line = min(selector["by_recording"], key=lambda line: line["loud_right"])
        # What is mostly told right is mostly heard as what it is.
        heard = f"; it is heard as {line['heard']}" if line["loud_right"] < 50 else ""
        parts.append(
            f"Least often right is {line['recording']} ({line['condition']}), "
            f"{line['loud_right']:.0f} % at 0 dB and below{heard}."
        )
    areas = {a["condition"]: a["area"] for a in summary["agreement"] if a["snr_db"] is None}
    parts.append(
        f"Right and wrong video on clean speech: area under the curve {areas['clean']:.3f}."
    )
    return [" ".join(parts)]


def _ship(rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> None:
    target = SHIPPED_FOLDER / "grid"
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(BUILT / "collection", target)
    scores = {"talker 1": _means(rows), "three other talkers": _means(others)}
    write_collection(target, replace(read_collection(target), scores=scores))


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return word error rates by row: clean, and means over noise by level."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["row"] for row in rows):
        levels: dict[str, list[float]] = {}
        for row in rows:
            if row["row"] == name:
                level = "clean" if row["snr_db"] is None else f"{row['snr_db']:g} dB"
                levels.setdefault(level, []).append(row["wer"])
        found[name] = {k: sum(v) / len(v) for k, v in levels.items()}
    return found


if __name__ == "__main__":
    main()
