"""A noisy manifest says all that is needed to make each mixture again, however often it is cut."""

import json
import os
import subprocess
import sys
import time
import wave
from dataclasses import replace

import numpy as np
import pytest

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.media import read_audio
from data_prep.noise import (
    MixOptions,
    load_noisy_sample,
    measure_power,
    mix_manifest,
    read_noisy_manifest,
    render_noisy,
)
from data_prep.noise import recordings as kept_recordings
from data_prep.noise.recordings import load_recording

RATIOS = (-5.0, 0.0, 12.5)
ALL = ("babble", "sidespeaker", "music", "natural")


def write(path, samples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    waveform = random.normal(0, 3000, samples) * np.sin(np.arange(samples) / 900)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(waveform.astype("<i2").tobytes())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Eight clips of sound, prepared."""
    raw, folder = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("prepared")
    for number in range(8):
        write(raw / f"s1/clip{number}.wav", 8000 + 400 * number, number)
    prepare(find_folder_clips(raw), folder, 1)
    return folder


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Recordings of all categories, and a room."""
    folder = tmp_path_factory.mktemp("noise")
    for number in range(7):
        write(folder / f"voices/voice{number}.wav", 9000, 100 + number)
    for number in range(2):
        write(folder / f"music/music{number}.wav", 40_000, 200 + number)
        write(folder / f"natural/natural{number}.wav", 6000, 300 + number)
    write(folder / "rooms/room.wav", 3000, 400)
    return folder


def read(folder):
    return list(read_noisy_manifest(folder / "manifest.jsonl"))


@pytest.mark.parametrize("recipe", ["rms", "active"])
@pytest.mark.parametrize("room", [True, False])
def test_every_mixture_has_its_ratio(prepared, noise, tmp_path, recipe, room):
    options = MixOptions(ALL, RATIOS, recipe)
    rooms = noise / "rooms" if room else None
    done = mix_manifest(prepared, tmp_path, options, noise, rooms, workers=1)
    assert (done.mixtures, done.new, done.failed) == (96, 96, {})
    found = read(tmp_path)
    assert [(n.clip.id, n.scene.category, n.scene.snr_db) for n in found] == [
        (clip.id, category, snr_db)
        for clip in read_manifest(prepared / "manifest.jsonl")
        for category in ALL
        for snr_db in RATIOS
    ]
    for noisy in found:
        made = render_noisy(noisy, tmp_path)
        powers = measure_power(made.speech, recipe), measure_power(made.noise, recipe)
        ratio_db = 10 * np.log10(powers[0] / powers[1])
        assert ratio_db == pytest.approx(noisy.scene.snr_db, abs=0.01), noisy.id
        assert (noisy.scene.room is not None) == room


def test_a_line_is_enough_to_hear_it_again(prepared, noise, tmp_path):
    options = MixOptions(ALL, (0.0,), write_audio=True)
    mix_manifest(prepared, tmp_path, options, noise, workers=1)
    for noisy in read(tmp_path):
        heard = read_audio(tmp_path / f"audio/{noisy.id}.wav")
        made = render_noisy(noisy, tmp_path).waveform
        assert np.abs(heard - made).max() <= 1.0001 / 32768
        sample = load_noisy_sample(noisy, tmp_path)
        np.testing.assert_array_equal(sample.waveform, heard)
        again = load_noisy_sample(replace(noisy, audio=None), tmp_path)
        np.testing.assert_array_equal(again.waveform, made)
        assert sample.clip == noisy.clip and sample.crops.shape == (0, 96, 96)


def test_noise_is_of_the_seed_the_clip_and_the_category_alone(prepared, noise, tmp_path):
    few = MixOptions(("music",), (0.0,))
    more = MixOptions(("babble", "music"), (-10.0, 0.0))
    mix_manifest(prepared, tmp_path / "few", few, noise, workers=1)
    mix_manifest(prepared, tmp_path / "more", more, noise, workers=1)
    scenes = {noisy.id: noisy.scene for noisy in read(tmp_path / "more")}
    for noisy in read(tmp_path / "few"):
        assert scenes[noisy.id] == noisy.scene
        assert scenes[noisy.id.replace("_0dB", "_-10dB")] == replace(noisy.scene, snr_db=-10.0)
    other = MixOptions(("music",), (0.0,), seed=1)
    mix_manifest(prepared, tmp_path / "other", other, noise, workers=1)
    assert any(noisy.scene != scenes[noisy.id] for noisy in read(tmp_path / "other"))


def test_processes_and_order_change_nothing(prepared, noise, tmp_path):
    options = MixOptions(ALL, RATIOS)
    for name, workers in (("one", 1), ("two", 2)):
        mix_manifest(prepared, tmp_path / name, options, noise, workers=workers)
    texts = [(tmp_path / name / "manifest.jsonl").read_bytes() for name in ("one", "two")]
    assert texts[0] == texts[1]


def test_clips_are_voices_but_not_their_own(prepared, tmp_path):
    options = MixOptions(("babble", "sidespeaker"), (0.0,), voices=7, voices_from_clips=True)
    assert mix_manifest(prepared, tmp_path, options, workers=1).mixtures == 16
    for noisy in read(tmp_path):
        assert noisy.clip.media not in noisy.scene.files
        assert len(set(noisy.scene.files)) == (7 if noisy.scene.category == "babble" else 1)
    # Clips of about one length do not all begin at once.
    assert len({offset for noisy in read(tmp_path) for offset in noisy.scene.offsets}) > 20


def test_a_part_of_the_clips_is_mixed_with_itself(prepared, tmp_path):
    names = frozenset(["clip1", "s1_clip4", "clip6"])
    options = MixOptions(("sidespeaker",), (0.0,), voices_from_clips=True)
    mix_manifest(prepared, tmp_path, options, names=names, workers=1)
    found = read(tmp_path)
    assert [noisy.clip.id for noisy in found] == ["s1_clip1", "s1_clip4", "s1_clip6"]
    media = {noisy.clip.media for noisy in found}
    assert {file for noisy in found for file in noisy.scene.files} <= media


def test_what_cannot_be_mixed_is_told_and_tried_again(prepared, noise, tmp_path):
    clips = list(read_manifest(prepared / "manifest.jsonl"))[:3]
    write(tmp_path / "in/silent.wav", 8000, 0)
    (tmp_path / "in/silent.wav").write_bytes(
        (tmp_path / "in/silent.wav").read_bytes()[:44] + bytes(16_000)
    )
    clips[1] = Clip("silent", str(tmp_path / "in/silent.wav"), duration_s=0.5)
    clips[2] = replace(clips[2], media=str(tmp_path / "nowhere.wav"))
    (tmp_path / "in/manifest.jsonl").write_text("".join(f"{c.to_json()}\n" for c in clips))
    options = MixOptions(("music",), RATIOS)
    done = mix_manifest(tmp_path / "in", tmp_path / "out", options, noise, workers=1)
    assert (done.mixtures, len(done.failed)) == (3, 6)
    assert "Speech is silent" in done.failed["silent_music_0dB"]
    assert "nowhere.wav does not exist" in done.failed["s1_clip2_music_-5dB"]
    write(tmp_path / "in/silent.wav", 8000, 0)
    done = mix_manifest(tmp_path / "in", tmp_path / "out", options, noise, workers=1)
    assert (done.mixtures, done.new, len(done.failed)) == (6, 3, 3)
    assert len((tmp_path / "out/failed.jsonl").read_text().splitlines()) == 3


RUN = """
import sys, time
from data_prep.noise import mixing, scenes
mix = scenes.mix
def slow(*arguments):
    time.sleep(0.02)
    return mix(*arguments)
scenes.mix = slow
from data_prep.noise import MixOptions, mix_manifest
prepared, output, noise = sys.argv[1:]
options = MixOptions(("babble", "music"), (-5.0, 0.0, 5.0), write_audio=True)
if __name__ == "__main__":
    mix_manifest(prepared, output, options, noise, workers=WORKERS)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_to_the_same_manifest(prepared, noise, tmp_path, workers):
    script = tmp_path / "run.py"
    script.write_text(RUN.replace("WORKERS", str(workers)))
    arguments = [sys.executable, str(script), str(prepared), str(tmp_path / "cut"), str(noise)]
    manifest = tmp_path / "cut/manifest.jsonl"
    with subprocess.Popen(arguments, start_new_session=True) as process:
        wait_until(lambda: manifest.exists() and manifest.read_bytes().count(b"\n") >= 6)
        process.kill()  # the parent alone: its workers end by themselves
        process.wait()
    wait_until(lambda: not group_lives(process.pid))
    before = manifest.read_bytes().count(b"\n")
    assert 6 <= before < 48
    options = MixOptions(("babble", "music"), (-5.0, 0.0, 5.0), write_audio=True)
    done = mix_manifest(prepared, tmp_path / "cut", options, noise, workers=1)
    assert (done.mixtures, done.new) == (48, 48 - before)
    mix_manifest(prepared, tmp_path / "whole", options, noise, workers=1)
    assert manifest.read_bytes() == (tmp_path / "whole/manifest.jsonl").read_bytes()
    for noisy in read(tmp_path / "cut"):
        heard = [
            (tmp_path / name / f"audio/{noisy.id}.wav").read_bytes() for name in ("cut", "whole")
        ]
        assert heard[0] == heard[1]


def wait_until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_line_cut_in_the_middle_is_made_again(prepared, noise, tmp_path):
    options = MixOptions(("music",), RATIOS)
    manifest = tmp_path / "manifest.jsonl"
    mix_manifest(prepared, tmp_path, options, noise, workers=1)
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[: len(whole) * 2 // 3])
    done = mix_manifest(prepared, tmp_path, options, noise, workers=1)
    assert 0 < done.new < done.mixtures == 24
    assert manifest.read_bytes() == whole
    assert mix_manifest(prepared, tmp_path, options, noise, workers=1).new == 0
    # More ratios go into the same folder, other noise does not.
    more = mix_manifest(
        prepared, tmp_path, replace(options, snrs_db=(*RATIOS, 3.0)), noise, workers=1
    )
    assert (more.mixtures, more.new) == (32, 8)
    with pytest.raises(ValueError, match="with other settings: seed, voices"):
        mix_manifest(prepared, tmp_path, replace(options, seed=3, voices=2), noise)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": ("hum",)}, "No noise category 'hum'; expected some of babble"),
        ({"categories": ()}, "No noise category is given; expected some of babble"),
        ({"snrs_db": ()}, "expected some, in decibels"),
        ({"snrs_db": (float("inf"),)}, "expected some, in decibels"),
        ({"recipe": "loud"}, "No recipe 'loud'; known: rms, active"),
        ({"seed": -1}, "expected a seed of 0 or more"),
        ({"voices": 0}, "at least one voice"),
    ],
)
def test_options_that_mean_nothing_are_told(changes, message):
    with pytest.raises(ValueError, match=message):
        MixOptions(**{"categories": ALL, "snrs_db": RATIOS, **changes})


def test_misuse_is_told_before_anything_is_written(prepared, noise, tmp_path):
    music = MixOptions(("music",), (0.0,))
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="holds the clips themselves"):
        mix_manifest(prepared, prepared, music, noise)
    with pytest.raises(
        ValueError, match="'music' needs 1 recording .*are 0.*them .--noise., or leave"
    ):
        mix_manifest(prepared, out, music)
    with pytest.raises(
        ValueError, match="'babble' needs 9 recordings.*are 7.*--noise.*--voices-from-clips"
    ):
        mix_manifest(prepared, out, MixOptions(("babble",), (0.0,), voices=9), noise)
    with pytest.raises(FileNotFoundError, match="expected a manifest that `prepare` wrote"):
        mix_manifest(tmp_path, out, music, noise)
    with pytest.raises(ValueError, match="None of the 1 names"):
        mix_manifest(prepared, out, music, noise, names=frozenset(["clip"]))
    with pytest.raises(FileNotFoundError, match="expected one with impulse responses"):
        mix_manifest(prepared, out, music, noise, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no impulse responses"):
        mix_manifest(prepared, out, music, noise, prepared)
    assert not out.exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.jsonl").write_bytes((prepared / "manifest.jsonl").read_bytes())
    with pytest.raises(ValueError, match="line 1 is no noisy clip"):
        mix_manifest(prepared, other, music, noise)
    assert [path.name for path in other.iterdir()] == ["manifest.jsonl"]


def test_recordings_are_kept_up_to_a_bound_of_memory(tmp_path, monkeypatch):
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for number, path in enumerate(paths):
        write(path, 1000, number)
    monkeypatch.setattr(kept_recordings, "_kept", type(kept_recordings._kept)())
    monkeypatch.setattr(kept_recordings, "KEPT_BYTES", 3 * 4000)
    first = [load_recording(path) for path in paths[:3]]
    assert load_recording(paths[0]) is first[0]
    load_recording(paths[3])
    assert load_recording(paths[0]) is first[0] and load_recording(paths[1]) is not first[1]
    monkeypatch.setattr(kept_recordings, "KEPT_BYTES", 10)
    large = load_recording(paths[2])
    assert load_recording(paths[2]) is large and list(kept_recordings._kept) == [paths[2]]


def test_grid_with_real_noise(shared_data, tmp_path):
    from data_prep.datasets.speech.grid import find_grid_clips

    clips = [replace(clip, duration_s=3.0) for clip in find_grid_clips(shared_data / "grid")[:8]]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/manifest.jsonl").write_text("".join(f"{c.to_json()}\n" for c in clips))
    options = MixOptions(ALL, (-10.0, 0.0), "active", voices_from_clips=True)
    folders = tmp_path / "in", tmp_path / "out", options, shared_data / "noise"
    done = mix_manifest(*folders, shared_data / "rir", workers=1)
    assert (done.mixtures, done.failed) == (64, {})
    for noisy in read(tmp_path / "out"):
        made = render_noisy(noisy, tmp_path / "out")
        powers = measure_power(made.speech, "active"), measure_power(made.noise, "active")
        ratio_db = 10 * np.log10(powers[0] / powers[1])
        assert ratio_db == pytest.approx(noisy.scene.snr_db, abs=0.01), noisy.id


def test_lines_are_json_that_others_can_read(prepared, noise, tmp_path):
    mix_manifest(prepared, tmp_path, MixOptions(("babble",), (-0.0,)), noise, workers=1)
    line = json.loads((tmp_path / "manifest.jsonl").read_text().splitlines()[0])
    assert list(line) == ["id", "clip", "scene", "seed", "audio"]
    assert line["id"] == "s1_clip0_babble_0dB" and line["scene"]["snr_db"] == 0
    assert len(line["scene"]["files"]) == len(line["scene"]["offsets"]) == 6
