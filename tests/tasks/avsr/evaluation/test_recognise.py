"""Every clip is recognised once in every way, in scenes that compare, and a killed run goes on."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from shutil import copytree

import numpy as np
import pytest

from data_prep.clips.samples import load_sample
from data_prep.noise import render_scene
from tasks.avsr.evaluation.conditions import Cell, draw_noise, lay_out_cells
from tasks.avsr.evaluation.evaluate import digest_files
from tasks.avsr.evaluation.exchanged_faces import exchange_faces, fit_face
from tasks.avsr.evaluation.recognise import recognise_all
from tasks.avsr.evaluation.results import Result, ResultFile, open_results
from tasks.avsr.evaluation.set_groups import name_sets
from tasks.avsr.sets.collection import list_collections
from tasks.avsr.sets.set_recogniser import load_recogniser


class Killed(Exception):
    pass


def run(plan, recogniser, results, progress=None):
    recognise_all(plan, recogniser, name_sets(recogniser, ("babble", "music")), results, progress)
    return list(results.by_key.values())


def test_each_way_is_run_once(plan, fake, results):
    seen = []
    found = run(plan, fake, results, lambda *counts: seen.append(counts))
    assert seen[-1] == (35, 35)
    assert len(found) == len(fake.calls) == sum(1 for _ in results.path.open())
    ways = Counter((r.adapter_set, r.video) for r in found)
    everywhere = 7 * 5
    assert ways[None, "none"] == everywhere
    assert all(
        ways[name, "right"] == everywhere for names in fake.groups.values() for name in names
    )
    # The selector leaves clean clips alone; another face is shown to a set all the same.
    assert ways["babble", "wrong"] == ways["babble", "none"] == 7 * 4
    assert ways["all", "wrong"] == 7
    assert len(ways) == 1 + 6 + 3


def test_the_noise_of_a_clip_is_the_same_at_every_level_and_written_down(plan, fake, results):
    found = run(plan, fake, results)
    scenes = {}
    for result in found:
        if result.snr_db is None:
            assert result.scene is None
            continue
        assert result.scene.snr_db == result.snr_db
        place = result.scene.files, result.scene.offsets
        assert scenes.setdefault((result.clip, result.condition), place) == place
        assert not any(path.endswith(f"/{result.clip}.wav") for path in result.scene.files)
    assert len(set(scenes.values())) > 7
    noisy = next(r for r in found if r.condition == "babble" and r.snr_db == -5)
    clip = plan.clips[int(noisy.clip)]
    speech = load_sample(clip, plan.folder).waveform
    mixed = render_scene(noisy.scene, speech)
    assert len(noisy.scene.files) == 4
    power = 10 * np.log10(np.mean(mixed.speech**2) / np.mean(mixed.noise**2))
    assert power == pytest.approx(-5, abs=0.01)
    written = json.loads(results.path.read_text().splitlines()[-1])
    assert {"files", "offsets", "room", "recipe"} <= written["scene"].keys()
    assert written["seed"] == 3 and written["scenario"]["category"] == "babble"


def test_scenes_do_not_depend_on_what_else_is_evaluated(plan):
    clip, source = plan.clips[2], plan.sources[0]
    scene = draw_noise(clip, source, 5, 8000, 3, "rms")
    assert draw_noise(clip, source, 5, 8000, 3, "rms") == scene
    assert draw_noise(clip, source, 5, 8000, 4, "rms") != scene
    assert draw_noise(clip, replace(source, name="other"), 5, 8000, 3, "rms") != scene


@pytest.mark.parametrize("calls", [0, 1, 7, 20])
def test_a_killed_run_goes_on_without_repeating_or_losing(plan, fake, tmp_path, calls):
    whole = ResultFile(tmp_path / "whole.jsonl")
    run(plan, fake, whole)

    class Dying(type(fake)):
        def with_set(self, utterances, name):
            if len(self.calls) > 10 * calls:
                raise Killed
            return super().with_set(utterances, name)

    path = tmp_path / "cut.jsonl"
    with pytest.raises(Killed):
        run(plan, Dying(), ResultFile(path))
    path.write_bytes(path.read_bytes()[:-9])  # in the middle of a line
    before = sum(1 for line in path.open() if line.endswith("\n"))
    again = type(fake)()
    results = ResultFile(path)
    run(plan, again, results)
    assert len(again.calls) == len(whole.by_key) - before
    assert results.by_key == whole.by_key
    assert ResultFile(path).by_key == whole.by_key
    assert sum(1 for _ in path.open()) == len(whole.by_key)
    run(plan, again, results)
    assert len(again.calls) == len(whole.by_key) - before


@pytest.mark.slow
def test_several_processes_find_the_same(plan, tmp_path):
    load = partial(load_recogniser, "whisper-tiny.en", "grid", "cpu")
    recogniser = load()
    names = name_sets(recogniser, ("babble",))
    small = replace(plan, clips=plan.clips[:4], sources=plan.sources[:1], snr_db=(0.0,), batch=2)
    one, two = ResultFile(tmp_path / "one"), ResultFile(tmp_path / "two")
    recognise_all(small, recogniser, names, one)
    kept = [result for result in one.by_key.values() if result.adapter_set != "all"][:30]
    two.append(kept)  # of a run that was killed
    seen = []
    recognise_all(small, recogniser, names, two, lambda *counts: seen.append(counts), 2, load)
    assert two.by_key == one.by_key
    assert two.lines == len(one.by_key)
    assert seen[-1] == (8, 8) and seen == sorted(seen)


def test_other_settings_in_the_same_folder_are_refused(tmp_path):
    open_results(tmp_path, {"seed": 0, "snr_db": (1.0, 2.0)})
    open_results(tmp_path, {"seed": 0, "snr_db": (1.0, 2.0)})
    with pytest.raises(ValueError, match="other settings: seed was 0, is 1; model was null, is"):
        open_results(tmp_path, {"seed": 1, "snr_db": (1.0, 2.0), "model": "tiny"})
    (tmp_path / "results.jsonl").touch()
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"results.jsonl without settings.json"):
        open_results(tmp_path, {"seed": 0})


@pytest.mark.parametrize(
    ("name", "entry", "same"),
    [
        ("all/set.json", {"seconds": 1.5, "scores": {"clean": 0.0}, "command": "by hand"}, True),
        ("all/set.json", {"fusion": ""}, False),
        ("collection.json", {"scores": {}, "licence": "none"}, True),
        ("collection.json", {"border_db": 3.0}, False),
    ],
)
def test_what_a_card_only_tells_makes_no_other_settings(name, entry, same, tmp_path):
    copytree(list_collections()["grid"], tmp_path / "grid")
    before = digest_files(str(tmp_path / "grid"))
    path = tmp_path / "grid" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **entry}))
    assert (digest_files(str(tmp_path / "grid")) == before) == same


def test_another_selector_chooses_anew_among_what_was_recognised(plan, fake, tmp_path):
    class Other(type(fake)):
        def describe(self, utterances):
            return [replace(s, category="music") for s in super().describe(utterances)]

        def with_set(self, utterances, name):
            if getattr(self, "killed", False):
                raise Killed
            return super().with_set(utterances, name)

    settings = {"seed": 3, "selector_files": "a"}
    run(plan, fake, open_results(tmp_path, settings))
    expected = run(plan, Other(), ResultFile(tmp_path / "expected.jsonl"))

    results = open_results(tmp_path, {**settings, "selector_files": "b"})
    assert all(not r.chosen and r.scenario is None for r in results.by_key.values())
    killed = Other()
    killed.killed = True
    with pytest.raises(Killed):
        run(plan, killed, results)
    again = Other()
    results = open_results(tmp_path, {**settings, "selector_files": "b"})
    run(plan, again, results)
    # The face of another and none, for the set that is chosen now.
    assert Counter(again.calls) == Counter(("music", n) for n in range(7) for _ in range(2 * 4))
    assert {r.key: r for r in expected}.items() <= results.by_key.items()
    assert all(r.scenario for r in results.by_key.values())
    assert ResultFile(results.path).by_key == results.by_key
    assert sum(1 for _ in results.path.open()) == len(results.by_key)


def test_a_damaged_line_is_told_and_odd_characters_are_none(tmp_path):
    path = tmp_path / "results.jsonl"
    odd = Result("a", "clean", None, None, None, "none", "x\u2028y\x85", "z")
    ResultFile(path).append([odd])
    assert ResultFile(path).by_key == {odd.key: odd}
    path.write_text('{"clip": "a"}\n')
    with pytest.raises(ValueError, match="line 1 is no result"):
        ResultFile(path)


def test_without_sets_only_the_frozen_model_is_run(plan, fake, results):
    fake.groups = {}
    found = run(plan, fake, results)
    assert {(r.adapter_set, r.video) for r in found} == {(None, "none")}
    assert all(r.scenario is None and r.chosen == {} for r in found)


def test_clips_without_video_are_run_without(plan, fake, results):
    clips = tuple(replace(c, mouth=None, frames=None, seen=()) for c in plan.clips[:2])
    found = run(replace(plan, clips=(*clips, *plan.clips[2:])), fake, results)
    assert {r.video for r in found if r.clip in "01"} == {"none"}
    assert {r.face for r in found if r.video == "wrong"} == set("23456")


@pytest.mark.parametrize("count", [2, 3, 10, 51])
def test_nobody_keeps_their_face(count):
    names = [f"clip{n}" for n in range(count)]
    faces = exchange_faces(names, 4)
    assert sorted(faces) == sorted(faces.values()) == sorted(names)
    assert all(clip != face for clip, face in faces.items())
    assert faces == exchange_faces(names, 4)


def test_one_face_cannot_be_exchanged():
    assert exchange_faces(["a"], 0) == exchange_faces([], 0) == {}


def test_faces_are_cut_or_filled_up():
    crops, mask = np.ones((4, 96, 96), np.uint8), np.array([True, False, True, True])
    short, short_mask = fit_face(crops, mask, 2)
    assert short.shape == (2, 96, 96) and short_mask.tolist() == [True, False]
    long, long_mask = fit_face(crops, mask, 6)
    assert long.shape == (6, 96, 96) and not long[4:].any()
    assert long_mask.tolist() == [True, False, True, True, False, False]


def test_conditions_are_checked(plan):
    assert lay_out_cells((), (5.0,)) == [Cell("clean")]
    levels = [cell.snr_db for cell in lay_out_cells(plan.sources[:1], (5, 0, -5, 0.0))]
    assert levels == [None, -5, 0, 5]
    with pytest.raises(ValueError, match="names that differ"):
        lay_out_cells((plan.sources[0], plan.sources[0]), (0.0,))
    with pytest.raises(ValueError, match="decibels"):
        lay_out_cells(plan.sources, (float("nan"),))
    with pytest.raises(ValueError, match="No noise category 'rain'"):
        lay_out_cells((replace(plan.sources[0], category="rain"),), (0.0,))
