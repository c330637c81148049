"""What a folder holds is told in words, so that a message about another one helps."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from modalities.audio_text.models import load_audio_text
from modalities.folder_contents import MARKS, describe_folder


def test_a_folder_goes_by_what_its_training_wrote_last(tmp_path):
    assert describe_folder(tmp_path / "none") == "no folder"
    assert describe_folder(tmp_path) == "nothing"
    (tmp_path / "a.txt").write_text("")
    assert describe_folder(tmp_path) == "nothing that mcgurk knows"
    (tmp_path / "config.json").write_text("{")
    assert describe_folder(tmp_path) == "nothing that mcgurk knows"
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert describe_folder(tmp_path) == "a model of type 'bert' (config.json)"
    (tmp_path / "checkpoint.pt").write_text("")
    assert describe_folder(tmp_path) == "a training that has not ended (checkpoint.pt)"
    (tmp_path / "separator.json").write_text("")
    assert describe_folder(tmp_path) == "a separator (separator.json)"


@pytest.mark.parametrize(
    "place",
    [
        "tasks.audio_to_image.painting.card:CARD",
        "tasks.audio_to_image.separation.card:CARD",
        "tasks.segmentation.card:CARD",
        "tasks.vision_language.card:CARD",
        "tasks.vision_language.tuned_files:CARD",
        "tasks.audio_classification.card:CARD",
        "tasks.avsr.sets.collection:COLLECTION",
        "tasks.training.loop:CHECKPOINT",
        "fusion.sets.card:CARD",
        "modalities.audio_text.small_audio_text:FILE",
        "modalities.diffusion.denoiser_files:WEIGHTS",
        "modalities.diffusion.denoiser_files:INDEX",
        "data_prep.mixtures.manifest:MANIFEST",
    ],
)
def test_each_kind_of_folder_has_a_name(place):
    module, name = place.split(":")
    assert getattr(import_module(module), name) in MARKS


@pytest.mark.parametrize(
    ("file", "told"), [(None, "nothing"), ("separator.json", r"a separator \(separator.json\)")]
)
def test_a_folder_without_a_model_of_sound_and_text_is_told_by_what_it_holds(
    tmp_path: Path, file, told
):
    if file:
        (tmp_path / file).write_text("{}")
    with pytest.raises(ValueError, match=rf"holds {told}; expected a model of sound and text"):
        load_audio_text(tmp_path)
