"""CTranslate2 folders of any Whisper: those that people have, and those made once and kept."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.speech.ctranslate2_settings import LATEST_FIRST, read_settings
from modalities.speech.whisper_files import find_whisper
from modalities.whole_file import folder_when_whole

if TYPE_CHECKING:
    from modalities.speech.whisper import Whisper

VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
FORMAT = "1"  # another one makes kept folders anew
NO_LIMIT = 1500  # steps of a whole window
ACTIVATION = "gelu"  # the only one that CTranslate2 has for Whisper


class NotForCTranslate2(ValueError):
    """A model that CTranslate2 cannot compute."""


def find_ctranslate2_folder(name: str | Path) -> Path:
    """Find a Whisper as a folder of CTranslate2, or make it one.

    Args:
        name: A catalog name, a folder, a hub id or an OpenAI .pt file, see `find_whisper`.

    Returns:
        The model's own folder where that is complete; else one in the cache of the user, made from
        it with torch unless it is there already.

    Raises:
        ImportError: CTranslate2 is not installed.
        NotForCTranslate2: It cannot compute such a model.
        ValueError: No such model, damaged, or not to be had without network.
        OSError: The cache cannot be written.
    """
    path = find_whisper(name)
    if is_complete(path):
        return path
    kept = cache_folder() / fingerprint(path)
    if not is_complete(kept):
        from modalities.speech.whisper import load_whisper

        convert(load_whisper(path), kept)
    return kept


def is_complete(folder: Path) -> bool:
    """Tell whether CTranslate2 finds all it needs in a folder.

    Raises:
        ValueError: Its config.json is damaged.
    """
    if not (folder / "model.bin").is_file():
        return False
    if not any((folder / name).is_file() for name in VOCABULARIES):
        return False
    return read_settings(folder / "config.json").are_complete


def cache_folder() -> Path:
    """Return where converted models are kept.

    That is the folder that MCGURK_CACHE names, else `mcgurk` in XDG_CACHE_HOME, else in ~/.cache.
    """
    own, base = os.environ.get("MCGURK_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own) / "ctranslate2"
    return (Path(base) if base else Path.home() / ".cache") / "mcgurk" / "ctranslate2"


def convert(whisper: "Whisper", folder: Path) -> None:
    """Write a Whisper as a folder of CTranslate2, in float32.

    Args:
        whisper: The model.
        folder: It appears when it is whole; what was left there before is removed.

    Raises:
        ImportError: CTranslate2 is not installed.
        NotForCTranslate2: It cannot compute such a model.
        OSError: The folder cannot be written.
    """
    from ctranslate2.converters.transformers import (  # pyright: ignore[reportMissingImports]
        WhisperLoader,
    )

    _check(whisper)
    spec = WhisperLoader().get_model_spec(whisper.model)
    spec.register_vocabulary(_tokens(whisper))
    settings: Any = whisper.model.generation_config
    written: Any = spec.config
    written.suppress_ids = list(settings.suppress_tokens or [])
    written.suppress_ids_begin = list(settings.begin_suppress_tokens or [])
    written.alignment_heads = [list(pair) for pair in settings.alignment_heads]
    written.lang_ids = sorted(whisper.vocabulary.languages.values())
    spec.validate()
    spec.optimize()
    shutil.rmtree(folder, ignore_errors=True)
    with folder_when_whole(folder) as partial:
        spec.save(str(partial))
        whisper.vocabulary.backend.save(str(partial / "tokenizer.json"))
        _note_latest_first(partial / "config.json", settings)


def _check(whisper: "Whisper") -> None:
    config = whisper.model.config
    if config.activation_function != ACTIVATION or config.scale_embedding:
        raise NotForCTranslate2(
            f"{whisper.name} has the activation {config.activation_function!r} and "
            f"scale_embedding={config.scale_embedding}; the ctranslate2 engine expects "
            f"{ACTIVATION!r} and False. Take the torch engine."
        )


def _tokens(whisper: "Whisper") -> list[str]:
    """List all tokens by their numbers, timestamps too."""
    vocabulary = whisper.vocabulary
    known = [vocabulary.backend.id_to_token(number) for number in range(vocabulary.size)]
    first = vocabulary.first_timestamp
    times = {first + step: f"<|{step * 0.02:.2f}|>" for step in range(vocabulary.size - first)}
    return [
        token if token is not None else times.get(n, f"<|{n}|>") for n, token in enumerate(known)
    ]


def _note_latest_first(path: Path, settings: Any) -> None:
    """Write how late the first timestamp may be, for which CTranslate2 has no place."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    latest = getattr(settings, "max_initial_timestamp_index", None)
    stored[LATEST_FIRST] = NO_LIMIT if latest is None else latest
    path.write_text(json.dumps(stored), encoding="utf-8")


def fingerprint(path: Path) -> str:
    """Return a name that changes where a file of the model does."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    told = [FORMAT, str(path.resolve())]
    for file in files:
        if file.is_file():
            facts = file.stat()
            told.append(f"{file.name} {facts.st_size} {facts.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]
