"""A collection of the smallest size that knows no face yet, and clips that are cut already."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_prep.clips.manifest import read_manifest
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from fusion.scenarios.domain import DomainCheck, DomainOptions
from modalities.network_file import save_network
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.avsr.sets.collection import Collection, write_collection
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.config import DataOptions, SetConfig
from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.avsr.training.enrolment.pieces import SILENT, Cut
from tasks.training.options import LoopOptions

LOOP = LoopOptions(
    steps=2, batch=2, learning_rate=0.01, warmup=0, measure_every=2, checkpoint_every=1
)
STRANGE = DomainOptions(16, 2, residual=1e-6)  # a face check that knows nobody


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, write_prepared) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared"), 1.0)


@pytest.fixture(scope="session")
def parts(prepared, tmp_path_factory) -> Path:
    """A collection with a set that hears only, one for every noise and one for music."""
    folder = tmp_path_factory.mktemp("parts") / "made"
    folder.mkdir()
    torch.manual_seed(0)
    lips = LipNetwork(LipOptions(words=("one", "two"), channels=(4, 8), dim=16, layers=1))
    save_network(lips, folder / "lips.safetensors")
    network = AgreementNetwork(AgreementOptions(lip_dim=16, channels=8, dim=4))
    save_network(network, folder / "agreement.safetensors")
    save_network(ScenarioClassifier(ScenarioOptions(channels=4)), folder / "selector.safetensors")
    save_network(DomainCheck(DomainOptions(384, 2)), folder / "domain.safetensors")
    save_network(DomainCheck(STRANGE), folder / "faces.safetensors")
    seeing = {
        "lips": str(folder / "lips.safetensors"),
        "agreement": str(folder / "agreement.safetensors"),
        "fusion": "joint",
    }
    for name, more in (("ear", {}), ("all", seeing), ("music", seeing)):
        settings = SetConfig(
            name=name, data=DataOptions(str(prepared)), options={"rank": 2}, loop=LOOP, **more
        )
        task = AdapterSetTraining(settings)
        task.export(folder.parent / name, {"step": 0.0, "loss": 0.0, "seconds": 1.0})
        (folder.parent / name / "set").rename(folder / name)
    groups = {"audio": ["ear"], "all": ["all"], "category": ["music"]}
    write_collection(folder, Collection("made", "whisper-tiny.en", "lips.safetensors", groups))
    return folder


@pytest.fixture
def collection(parts, tmp_path) -> Path:
    return shutil.copytree(parts, tmp_path / "made")


@pytest.fixture
def clips(prepared, tmp_path) -> Path:
    """A folder of files that stand for a talker's clips."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for clip in read_manifest(prepared / "manifest.jsonl"):
        (folder / f"{clip.id}.mp4").write_text(json.dumps(clip.id))
    return folder


@pytest.fixture
def cut(prepared, monkeypatch) -> Cut:
    """What the clips are cut into, in place of looking at them."""
    found = []
    for clip in read_manifest(prepared / "manifest.jsonl"):
        here = {"media": str(prepared / clip.media), "mouth": str(prepared / str(clip.mouth))}
        found.append(replace(clip, **here))
    cut = Cut(tuple(found), {SILENT: 1})

    def cut_clips(clips, folder, workers=None, progress=None):
        folder.mkdir(parents=True, exist_ok=True)
        return cut

    monkeypatch.setattr("tasks.avsr.training.enrolment.enrol.cut_clips", cut_clips)
    return cut


@pytest.fixture
def options(clips) -> EnrolOptions:
    return EnrolOptions("me", str(clips), lips=LOOP, agreement=LOOP, sets=LOOP, draws=1)
