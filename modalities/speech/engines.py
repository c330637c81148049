"""Engines by name, and which one suits."""

import importlib.util
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modalities.speech.engine import Engine
from modalities.speech.voice_activity import SpeechNetwork

AUTOMATIC, CTRANSLATE2, TORCH = "auto", "ctranslate2", "torch"
NEEDED = ("ctranslate2", "onnxruntime")
INSTALL = f"pip install {' '.join(NEEDED)}"


@dataclass(frozen=True)
class Choice:
    """An engine that was chosen.

    Attributes:
        name: One of `ENGINES`.
        note: What the user may want to know of it, a sentence; None where all is as meant.
    """

    name: str
    note: str | None = None


def choose_engine(
    asked: str, device: str, *, adapted: bool = False, merged: bool = False
) -> Choice:
    """Choose an engine.

    Args:
        asked: A name of `ENGINES`; "auto" takes ctranslate2 where it can do what is wanted on the
            CPU, and torch elsewhere.
        device: "auto", "cpu", "cuda" or "mps".
        adapted: Whether adapters take part.
        merged: Whether they are merged into the weights, see `is_merged`.

    Raises:
        ValueError: No such engine, or it cannot do that.
    """
    if asked == TORCH:
        return Choice(TORCH)
    if asked == CTRANSLATE2:
        _check_suits(device, adapted)
        return Choice(CTRANSLATE2)
    if asked != AUTOMATIC:
        known = ", ".join([AUTOMATIC, *ENGINES])
        raise ValueError(f"No engine {asked!r}; known: {known}.")
    if adapted or merged or device not in (AUTOMATIC, "cpu"):
        return Choice(TORCH)
    if missing := _find_missing():
        return Choice(TORCH, f"{missing} is not installed, torch does its work; {INSTALL}")
    return Choice(TORCH if device == AUTOMATIC and _has_gpu() else CTRANSLATE2)


def _check_suits(device: str, adapted: bool) -> None:
    if adapted:
        raise ValueError(
            "The engine ctranslate2 was asked for with adapter sets, which it cannot compute; "
            "take the torch engine, or leave the sets out."
        )
    if device not in (AUTOMATIC, "cpu"):
        raise ValueError(
            f"The engine ctranslate2 was asked for on {device!r}; it computes on the CPU alone. "
            "Take the torch engine, or --device cpu."
        )
    if missing := _find_missing():
        raise ValueError(
            f"The engine ctranslate2 was asked for, but {missing} is not installed. {INSTALL}, or "
            "take the torch engine."
        )


def _find_missing() -> str | None:
    """Return what the engine ctranslate2 needs and is not installed."""
    return next((name for name in NEEDED if importlib.util.find_spec(name) is None), None)


def _has_gpu() -> bool:
    """Tell whether torch would find a GPU, without loading it."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    import ctranslate2  # pyright: ignore[reportMissingImports]

    return ctranslate2.get_cuda_device_count() > 0


def load_engine(name: str, model: str | Path, device: str = "cpu") -> Engine:
    """Load a Whisper for an engine.

    Args:
        name: One of `ENGINES`.
        model: A catalog name, a folder, a hub id or an OpenAI .pt file.
        device: Where torch computes: "cpu", "cuda" or "mps".

    Raises:
        ValueError: No such model, damaged, or not for this engine.
        FileNotFoundError: No such file.
    """
    return ENGINES[name](model, device)


def _load_ctranslate2(model: str | Path, _device: str) -> Engine:
    from modalities.speech.ctranslate2_engine import CTranslate2Engine
    from modalities.speech.ctranslate2_folder import find_ctranslate2_folder

    return CTranslate2Engine(find_ctranslate2_folder(model), str(model))


def _load_torch(model: str | Path, device: str) -> Engine:
    from modalities.speech.torch_engine import TorchEngine
    from modalities.speech.whisper import load_whisper

    whisper = load_whisper(model)
    whisper.model.to(device)  # type: ignore[arg-type]
    return TorchEngine(whisper)


ENGINES: dict[str, Callable[[str | Path, str], Engine]] = {
    CTRANSLATE2: _load_ctranslate2,
    TORCH: _load_torch,
}


def load_speech_network(engine: str) -> SpeechNetwork:
    """Load Silero's network in the form that goes with an engine.

    Args:
        engine: One of `ENGINES`.

    Raises:
        ValueError: The wheel silero-vad is not installed.
    """
    if engine == CTRANSLATE2:
        from modalities.speech.silero_onnx import load_silero_onnx

        return load_silero_onnx()
    from modalities.speech.silero_torch import load_silero

    return load_silero()
