"""What a folder holds, in words, for messages that ask for another one."""

import json
from pathlib import Path

from modalities.text_file import read_text

DATA = "manifest.jsonl"
# Files by which folders are known, and what they hold. A folder goes by the first that is in it,
# so what a training leaves on its way comes after what it writes at its end.
MARKS = {
    "painter.json": "a painter",
    "condition.json": "an adapter of conditions",
    "separator.json": "a separator",
    "segmenter.json": "a segmenter",
    "answerer.json": "an answerer",
    "classifier.json": "a classifier of sounds",
    "tuned.json": "what was tuned of an answerer",
    "set.json": "an adapter set",
    "collection.json": "a collection of adapter sets",
    "audio_text.safetensors": "a small model of sound and text",
    "denoiser.safetensors": "a small denoiser",
    "model_index.json": "a diffusion model",
    "checkpoint.pt": "a training that has not ended",
    DATA: "data",
}
CONFIG = "config.json"  # of what transformers saved


def describe_folder(folder: str | Path) -> str:
    """Say what a folder holds, as "a separator (separator.json)".

    Args:
        folder: Need not be there.

    Returns:
        "no folder" where it is not there, "nothing" of an empty one, and "nothing that mcgurk
        knows" of other files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return "no folder"
    if mark := next((file for file in MARKS if (folder / file).is_file()), None):
        return f"{MARKS[mark]} ({mark})"
    if kind := _model_type(folder / CONFIG):
        return f"a model of type {kind!r} ({CONFIG})"
    return "nothing that mcgurk knows" if any(folder.iterdir()) else "nothing"


def _model_type(path: Path) -> str:
    try:
        return str(dict(json.loads(read_text(path))).get("model_type") or "")
    except (OSError, ValueError, TypeError):  # missing or damaged: what reads it tells
        return ""
