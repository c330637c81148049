"""Take a set out of a collection: merged into the frozen weights, or as files that PEFT reads."""

import json
import shutil
from pathlib import Path

from fusion.sets.card import SetCard, read_card
from modalities.outputs import check_output_folder
from modalities.speech.whisper_files import MERGED
from modalities.whole_file import check_new_folder, folder_when_whole
from tasks.avsr.sets.collection import find_collection, read_collection


def find_set(collection: str | Path, name: str) -> Path:
    """Return the folder of a set.

    Raises:
        ValueError: No such collection or set.
    """
    folder = find_collection(collection)
    known = read_collection(folder).sets
    if name not in known:
        raise ValueError(f"No set {name!r} in {str(collection)!r}; known: {', '.join(known)}.")
    return folder / name


def merge_set(collection: str | Path, name: str, output: str | Path) -> SetCard:
    """Write a Whisper whose weights hold a set's adapters, as transformers reads it.

    The model hears only: what fuses lips and sound is no part of Whisper.

    Args:
        collection: By name or folder.
        name: Which of its sets.
        output: Folder to write; it must not exist, or be empty.

    Raises:
        ValueError: No such set, or something is in the way.
        OSError: The folder cannot be written.
    """
    source, output = find_set(collection, name), Path(output)
    check_new_folder(output)
    check_output_folder(output)
    from transformers import WhisperForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    from fusion.adapters.interface import Adapters
    from fusion.sets.files import load_set
    from modalities.speech.whisper import load_whisper

    whisper = load_whisper(read_card(source).model)
    adapters = Adapters(whisper.model)
    card, _ = load_set(source, adapters)
    adapters.merge()
    merged = WhisperForConditionalGeneration(whisper.model.config)
    state = adapters.frozen_state()
    if added := sorted(set(state) - set(merged.state_dict())):
        raise ValueError(
            f"Set {name!r} gives {added[0]} to Whisper, which has no place for it in its files; "
            "take the set out with `mcgurk sets export`."
        )
    merged.load_state_dict(state)
    merged.generation_config = whisper.model.generation_config
    disable_progress_bar()
    with folder_when_whole(output) as partial:
        merged.save_pretrained(partial)
        whisper.tokenizer.save_pretrained(partial)
        told = json.dumps({"set": name, "model": card.model})
        (partial / MERGED).write_text(told, encoding="utf-8")
    return card


def export_set(collection: str | Path, name: str, output: str | Path) -> SetCard:
    """Copy a set: PEFT's files of the adapters, the fusion module and the card.

    Args:
        collection: By name or folder.
        name: Which of its sets.
        output: Folder to write; it must not exist, or be empty.

    Raises:
        ValueError: No such set, or something is in the way.
        OSError: The folder cannot be written.
    """
    source, output = find_set(collection, name), Path(output)
    if output.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"The output {output} lies in the set itself. Give another folder.")
    with folder_when_whole(output) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    return read_card(output)
