"""The engine that suits is chosen, and what one cannot do is told with what can."""

import importlib.util

import pytest

from modalities.speech import engines
from modalities.speech.engines import Choice, choose_engine, load_speech_network

CTRANSLATE2, TORCH = Choice("ctranslate2"), Choice("torch")


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """CTranslate2 is there, and no GPU."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(engines, "_has_gpu", lambda: False)


def test_what_is_not_adapted_goes_to_ctranslate2():
    assert choose_engine("auto", "auto") == choose_engine("auto", "cpu") == CTRANSLATE2


@pytest.mark.parametrize("needs", [{"adapted": True}, {"merged": True}])
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_sets_and_merged_ones_go_to_torch(device, needs):
    assert choose_engine("auto", device, **needs) == TORCH


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_another_device_goes_to_torch(device):
    assert choose_engine("auto", device) == TORCH


def test_a_gpu_goes_to_torch_unless_the_cpu_is_asked_for(monkeypatch):
    monkeypatch.setattr(engines, "_has_gpu", lambda: True)
    assert choose_engine("auto", "auto") == TORCH
    assert choose_engine("auto", "cpu") == CTRANSLATE2


def test_an_engine_that_is_named_is_taken():
    assert choose_engine("torch", "cuda", adapted=True) == TORCH
    assert choose_engine("ctranslate2", "cpu", merged=True) == CTRANSLATE2


def test_what_ctranslate2_cannot_do_is_refused():
    with pytest.raises(ValueError, match="adapter sets, which it cannot.*take the torch engine"):
        choose_engine("ctranslate2", "auto", adapted=True)
    with pytest.raises(ValueError, match="'cuda'; it computes on the CPU alone. Take the torch"):
        choose_engine("ctranslate2", "cuda")


def test_an_unknown_engine_lists_the_known_ones():
    with pytest.raises(ValueError, match="No engine 'onnx'; known: auto, ctranslate2, torch"):
        choose_engine("onnx", "auto")


@pytest.mark.parametrize("missing", ["ctranslate2", "onnxruntime"])
def test_without_a_package_torch_does_its_work_with_a_note(monkeypatch, missing):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)
    choice = choose_engine("auto", "auto")
    assert choice.name == "torch"
    assert f"{missing} is not installed, torch does its work; pip install" in str(choice.note)
    assert choose_engine("auto", "auto", adapted=True).note is None
    with pytest.raises(ValueError, match=f"{missing} is not installed. pip install ctranslate2"):
        choose_engine("ctranslate2", "auto")


def test_the_detector_goes_with_the_engine(monkeypatch):
    monkeypatch.undo()
    pytest.importorskip("onnxruntime")
    assert type(load_speech_network("ctranslate2")).__name__ == "SileroOnnx"
    assert type(load_speech_network("torch")).__name__ == "SileroNetwork"
