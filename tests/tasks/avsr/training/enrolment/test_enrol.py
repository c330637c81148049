"""A talker is enrolled beside what was there, whole or not at all, and after kills the same."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fusion.adapters.files import WEIGHTS
from fusion.scenarios.domain import DomainCheck, DomainOptions
from fusion.sets.card import read_card
from modalities.network_file import save_network
from modalities.speech.whisper import load_whisper
from tasks.avsr.sets.collection import FACES, read_collection, write_collection
from tasks.avsr.sets.talker_card import find_talkers, read_talker
from tasks.avsr.sets.talker_sets import TalkerSets, load_sets
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.enrolment import enrol as enrolling
from tasks.avsr.training.enrolment.choice import Trial
from tasks.avsr.training.enrolment.enrol import enrol
from tasks.avsr.training.enrolment.pieces import NO_FACE, Cut
from tasks.avsr.training.enrolment.trainings import Trainings
from tasks.training import loop


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture
def rates(monkeypatch) -> None:
    """Word error rates of sets, in place of recognising: most that learnt are better."""
    told = {"ear": 40.0, "all": 10.0, "all__before": 20.0, "music": 30.0, "music__before": 9.0}
    monkeypatch.setattr(Trial, "_rate", lambda self, name, utterances: told[name])
    monkeypatch.setattr(AdapterSetTraining, "measure", lambda self: {})


@pytest.fixture
def quick(rates, monkeypatch) -> None:
    """Trainings that only add to what they begin with."""

    def add(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        with safe_open(target, "pt") as file:
            metadata = file.metadata()
        tensors = {
            n: v + 0.01 if v.is_floating_point() else v for n, v in load_file(target).items()
        }
        save_file(tensors, target, metadata)

    def train_set(self, report):
        for path in sorted((self.source / "all").iterdir()):
            self.set.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.set / path.name)
        add(self.source / "all" / WEIGHTS, self.set / WEIGHTS)
        report(2, 2)

    for name in ("lips", "agreement"):
        monkeypatch.setattr(
            Trainings,
            f"train_{name}",
            lambda self, report, n=name: add(self.source / f"{n}.safetensors", getattr(self, n)),
        )
    monkeypatch.setattr(Trainings, "train_set", train_set)


def test_a_talker_is_put_beside_what_was_there(collection, cut, options, quick, tmp_path):
    before, told = bytes_of(collection), []
    target, card = enrol(
        collection, options, tmp_path / "mine", report=lambda done, total: told.append(done / total)
    )
    assert target == tmp_path / "mine" and bytes_of(collection) == before
    after = bytes_of(target)
    assert {name: after[name] for name in before} == before
    assert all(name.startswith("talkers/me/") for name in after.keys() - before.keys())
    assert not list(tmp_path.glob(".*enrolling*"))
    assert told == sorted(told) and 0.9 < told[-1] <= 1.0
    assert card == read_talker(target / "talkers/me")
    assert (card.clips, card.pieces, card.held_back) == (8, 8, 2)
    assert card.left_out == {"nobody is heard": 1} and card.texts == {"written": 8}
    assert card.taken == {"all": "trained", "music": "as it was"}
    assert card.before["natural -10 dB"] == 40.0 and card.after["natural -10 dB"] == 10.0
    assert card.after["music 0 dB"] == 9.0 and card.after["clean"] == 10.0
    assert after[f"talkers/me/all/{WEIGHTS}"] != before[f"all/{WEIGHTS}"]
    same = (f"music/{WEIGHTS}", f"ear/{WEIGHTS}", "selector.safetensors")
    own = {name: after[f"talkers/me/{name}"] for name in same}
    assert own == {name: before[name] for name in same}
    made = read_collection(target / "talkers/me")
    assert made.groups == read_collection(collection).groups and made.lips == "lips.safetensors"
    sets = load_sets(load_whisper("whisper-tiny.en"), target)
    assert isinstance(sets, TalkerSets) and list(sets.talkers) == ["me"]


@pytest.mark.slow
def test_a_second_talker_is_put_into_a_collection_of_one_s_own(
    collection, cut, options, quick, tmp_path
):
    enrol(collection, options)
    before = bytes_of(collection)
    with pytest.raises(ValueError, match="is one that made knows already, as 'me'"):
        enrol(collection, replace(options, name="you"))
    enrol(collection, replace(options, name="you", anyway=True))
    after = bytes_of(collection)
    assert list(find_talkers(collection)) == ["me", "you"]
    assert {name: after[name] for name in before} == before
    with pytest.raises(ValueError, match="has a talker 'me' already"):
        enrol(collection, options)


@pytest.mark.slow
def test_killed_anywhere_it_ends_in_the_same_bytes(
    collection, cut, options, rates, tmp_path, monkeypatch
):
    whole, _ = enrol(collection, options, tmp_path / "whole/mine")
    assert read_card(whole / "talkers/me/all").seconds is None
    output = tmp_path / "killed/mine"
    checkpoint = loop._Run._keep

    def kept_and_killed(self, done, better):
        checkpoint(self, done, better)
        if done == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # once in the middle of each training
        patch.setattr(loop._Run, "_keep", kept_and_killed)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                enrol(collection, options, output)

    def killed(*given):
        raise KeyboardInterrupt

    for place, step in ((enrolling._Enrolment, "_finish"), (enrolling, "_put")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(place, step, killed)
            enrol(collection, options, output)
    assert not output.exists()
    again, _ = enrol(collection, options, output)
    assert bytes_of(again) == bytes_of(whole)


def test_a_face_that_is_known_is_refused_unless_it_is_asked_for(
    collection, cut, options, quick, tmp_path
):
    everybody = DomainCheck(DomainOptions(16, 2, residual=1e6))
    save_network(everybody, collection / FACES, half=False)
    before = bytes_of(collection)
    with pytest.raises(ValueError, match="face in 8 of 8 pieces is one that made knows already"):
        enrol(collection, options, tmp_path / "mine")
    assert not (tmp_path / "mine").exists() and bytes_of(collection) == before
    assert not (tmp_path / ".mine.me.enrolling").exists()
    enrol(collection, replace(options, anyway=True), tmp_path / "yours")
    assert list(find_talkers(tmp_path / "yours")) == ["me"]


def test_clips_of_two_people_are_refused_unless_they_are_asked_for(
    collection, cut, options, quick, tmp_path, monkeypatch
):
    second = torch.tensor([0, 0, 0, 1, 1, 0, 1, 0]).bool()
    monkeypatch.setattr(enrolling, "find_other_face", lambda rows: second)
    expected = f"3 of 8 pieces, the first of them {cut.pieces[3].id}, seem to show another face"
    with pytest.raises(ValueError, match=expected):
        enrol(collection, options, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    enrol(collection, replace(options, anyway=True), tmp_path / "ours")
    assert list(find_talkers(tmp_path / "ours")) == ["me"]


def test_clips_that_teach_nothing_are_told_and_nothing_is_written(
    collection, options, tmp_path, monkeypatch
):
    monkeypatch.setattr(enrolling, "cut_clips", lambda *given: Cut((), {NO_FACE: 8}))
    with pytest.raises(ValueError, match="8 because no talking face is seen.*the face in the pict"):
        enrol(collection, options, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_other_clips_or_settings_do_not_go_on_with_what_was_begun(
    collection, cut, options, tmp_path, monkeypatch
):
    def killed(self, *given):
        (self.work / "lips").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainings, "train_lips", killed)
    with pytest.raises(KeyboardInterrupt):
        enrol(collection, options, tmp_path / "mine")
    with pytest.raises(ValueError, match="began with other clips or settings; remove it"):
        enrol(collection, replace(options, seed=1), tmp_path / "mine")
    next(Path(options.clips).iterdir()).write_text("another take")
    with pytest.raises(ValueError, match="began with other clips or settings; remove it"):
        enrol(collection, options, tmp_path / "mine")


def test_with_more_clips_it_begins_anew_as_long_as_nothing_was_trained(
    collection, cut, options, tmp_path, monkeypatch
):
    pieces = tmp_path / ".mine.me.enrolling/pieces"
    with monkeypatch.context() as patch:
        patch.setattr(enrolling, "cut_clips", lambda *given: Cut((), {NO_FACE: 8}))
        with pytest.raises(ValueError, match="8 because no talking face is seen"):
            enrol(collection, options, tmp_path / "mine")
    pieces.mkdir(parents=True, exist_ok=True)
    (pieces / "of_the_old_clips").touch()
    (Path(options.clips) / "one_more.mp4").write_text("recorded as was asked for")

    def reached(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainings, "train_lips", reached)
    with pytest.raises(KeyboardInterrupt):
        enrol(collection, options, tmp_path / "mine")
    assert not (pieces / "of_the_old_clips").exists()


def test_mistakes_are_told_before_any_work(collection, options, tmp_path):
    with pytest.raises(
        ValueError, match="grid comes with mcgurk and is not changed; give a folder"
    ):
        enrol("grid", options)
    with pytest.raises(ValueError, match="called 'my face'; expected letters"):
        replace(options, name="my face")
    with pytest.raises(ValueError, match="draws is 0"):
        replace(options, draws=0)
    with pytest.raises(ValueError, match="new or empty folder"):
        enrol("grid", options, collection)
    with pytest.raises(FileNotFoundError, match="none is no folder; expected one with recordings"):
        enrol("grid", replace(options, noise=str(tmp_path / "none")), tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match="none is no folder; expected one with clips"):
        enrol("grid", replace(options, clips=str(tmp_path / "none")), tmp_path / "mine")
    with pytest.raises(ValueError, match="No device 'tpu'"):
        enrol("grid", options, tmp_path / "mine", "tpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty has no clips; expected a folder with some"):
        enrol("grid", replace(options, clips=str(tmp_path / "empty")), tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match="empty, where old talkers' clips are to be"):
        enrol("grid", replace(options, old=str(tmp_path / "empty")), tmp_path / "mine")
    with pytest.raises(ValueError, match="there are none"):
        replace(options, old="", split="split.json")
    with pytest.raises(ValueError, match="Processes are 0; expected 1 or more"):
        replace(options, workers=0)
    (collection / FACES).unlink()
    with pytest.raises(ValueError, match="cannot tell the faces"):
        enrol(collection, options)
    shutil.rmtree(collection / "all")
    made = read_collection(collection)
    write_collection(collection, replace(made, groups={"audio": ["ear"]}))
    with pytest.raises(ValueError, match="no set for every noise"):
        enrol(collection, options)
    assert not list(tmp_path.glob(".*enrolling*"))
