"""No command replaces an input, or, by a name that nobody typed, what mcgurk did not write."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.clips.prepare import prepare
from data_prep.faces import MouthChunk
from data_prep.faces.mouth_video import is_mouth_video, write_mouth_video
from data_prep.json_lines import write_manifest
from data_prep.noise.noisy import name_mixture
from data_prep.noise.noisy_manifest import MixOptions, mix_manifest
from fusion.sets.card import SetCard
from tasks.__main__ import run
from tasks.avsr.crop import write_mouths
from tasks.avsr.sets.collection import Collection, write_collection
from tasks.cli.run_folder import MARK, run_folder
from tasks.training.folder_lock import alone_in

THEIRS = "of the user, and not ours"
BOX = ("--box", "150,150,60,40")


@pytest.fixture
def folder(tmp_path, demo_clip, monkeypatch) -> Path:
    """The current folder, with a clip and files of the user in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo_clip, "clip.mp4")
    for name in ("points.json", "points.npy", "mouth.mp4"):
        Path(name).write_text(THEIRS)
    Path("linked.mp4").symlink_to("clip.mp4")
    Path("hard.mp4").hardlink_to("clip.mp4")
    Path("models").mkdir()
    Path("models/vocab.json").write_text(THEIRS)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refuses(capsys, folder: Path, arguments: Sequence[object]) -> str:
    """Run the program, check that it fails in one line and changes nothing; return the line."""
    before = files(folder)
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 2 and out == "", err
    assert err.startswith("mcgurk: ") and err.count("\n") == 1
    assert files(folder) == before
    return err


CROP, TRANSCRIBE = ("crop", "clip.mp4"), ("transcribe", "clip.mp4")
CLASHES = {
    "crop, the clip": (*CROP, "-o", "clip.mp4"),
    "crop, a link to the clip": (*CROP, "-o", "linked.mp4"),
    "crop, another name of the clip": (*CROP, "-o", "hard.mp4"),
    "crop, the clip by a link": ("crop", "linked.mp4", "-o", "clip.mp4"),
    "crop, the clip by its whole path": (*CROP, "-o", Path("models/../clip.mp4")),
    "crop, landmarks": (*CROP, "-o", "x.mp4", "--report", "points.json")
    + ("--landmarks", "points.json"),
    "crop, landmarks by a default name": (*CROP, "-o", "points.mp4", "--landmarks", "points.json"),
    "transcribe, landmarks": (*TRANSCRIBE, "-o", "points.json", "--landmarks", "points.json"),
    "transcribe, a mouth video": (*TRANSCRIBE, "--preview", "mouth.mp4")
    + ("--mouth-video", "mouth.mp4"),
    "transcribe, the clip": (*TRANSCRIBE, "--preview", "linked.mp4"),
    "transcribe, one output twice": (*TRANSCRIBE, "-o", "a.srt", "-o", "models/../a.srt"),
    "transcribe, a file of the model": (*TRANSCRIBE, "-o", "models/vocab.json")
    + ("--model", "models"),
}


@pytest.mark.parametrize("arguments", CLASHES.values(), ids=CLASHES)
def test_an_output_that_is_an_input_or_another_output_is_refused(capsys, folder, arguments):
    told = refuses(capsys, folder, arguments)
    assert "Give it another name" in told or "Give each a name of its own" in told


BLOCKED = {
    "transcribe": (*TRANSCRIBE, "-o", "points.npy/a.srt"),
    "transcribe, a preview": (*TRANSCRIBE, "--preview", "points.npy/a.mp4"),
    "transcribe, a folder": (*TRANSCRIBE, "-o", "models.json"),
    "crop": (*CROP, "-o", "points.npy/a.mp4"),
    "crop, a report": (*CROP, "--report", "points.npy/a.json"),
    "crop, a sheet": (*CROP, "--sheet", "points.npy/a.png"),
    "prepare": ("prepare", "folder", ".", "-o", "points.npy"),
    "evaluate": ("evaluate", "clips", "-o", "points.npy"),
    "train": ("train", "lips.yaml", "-o", "points.npy"),
    "mix": ("mix", "prepared", "-o", "points.npy/x", "--category", "music", "--snr", 0)
    + ("--noise", "noise"),
}


@pytest.mark.parametrize("arguments", BLOCKED.values(), ids=BLOCKED)
def test_what_cannot_be_written_is_told_before_the_work(capsys, folder, monkeypatch, arguments):
    Path("models.json").mkdir()
    Path("clips").mkdir()
    shutil.copy("clip.mp4", "clips/a.mp4")
    Path("clips/a.txt").write_text("today")
    Path("clip.txt").write_text("today")
    Path("lips.yaml").write_text("task: lips\n")
    for name in ("prepared", "noise/music"):
        Path(name).mkdir(parents=True)
    shutil.copy("clip.mp4", "noise/music/a.wav")
    write_manifest("prepared/manifest.jsonl", [Clip("a", str(folder / "clip.mp4"))])
    for work in ("pipeline.load_faces", "pipeline.AVSRPipeline.__init__"):
        monkeypatch.setattr(f"tasks.avsr.{work}", None)
    monkeypatch.setattr("data_prep.workers.processes.run_in_processes", None)
    told = refuses(capsys, folder, arguments)
    assert "is no folder" in told or "expected a f" in told


def write_crops(path: Path) -> None:
    crops = np.zeros((3, 96, 96), np.uint8)
    write_mouth_video(path, [MouthChunk(0, crops, np.ones(3, bool), np.zeros(3, int))])


DEFAULTS: dict[str, tuple[str, Callable[[Path], object], bool]] = {
    "a video of the user": (
        "clip.mouth.mp4",
        lambda path: shutil.copy("clip.mp4", path),
        False,
    ),
    "notes of the user": ("clip.mouth.mp4", lambda path: path.write_text(THEIRS), False),
    "a report of the user": (
        "clip.mouth.json",
        lambda path: path.write_text('{"source": "clip.mp4", "frames": 3}'),
        False,
    ),
    "no JSON": ("clip.mouth.json", lambda path: path.write_text(THEIRS), False),
    "crops that mcgurk wrote": ("clip.mouth.mp4", write_crops, True),
    "another video's report": (
        "clip.mouth.json",
        lambda path: path.write_text(
            '{"source": "mouth.mp4", "rate_hz": 25, "frames": 1, "mask": [1]}'
        ),
        False,
    ),
}


@pytest.mark.parametrize(("name", "write", "ours"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_default_name_replaces_what_mcgurk_wrote_alone(capsys, folder, name, write, ours):
    write(folder / name)
    if not ours:
        told = refuses(capsys, folder, (*CROP, *BOX))
        assert name in told and ("-o" in told or "--report" in told)
        return
    for _ in range(2):  # what was written is known, and written again
        assert run([*CROP, *BOX]) == 0
    assert is_mouth_video(folder / name)
    assert json.loads(Path("clip.mouth.json").read_text())["source"] == "clip.mp4"


def test_a_name_that_was_typed_is_replaced(folder):
    Path("mine.json").write_text(THEIRS)
    Path("mine.mkv").write_text(THEIRS)
    assert run([*CROP, *BOX, "-o", "mine.mkv", "--report", "mine.json"]) == 0
    assert is_mouth_video(folder / "mine.mkv")


def test_crops_from_python_are_checked_too(folder):
    before = files(folder)
    with pytest.raises(ValueError, match="is the input itself"):
        write_mouths("clip.mp4", Path("linked.mp4"), Path("a.json"))
    assert files(folder) == before


@pytest.fixture
def raw(folder) -> Path:
    """Clips in a folder that is called as the one that mouth videos go to."""
    Path("mouths").mkdir()
    shutil.copy("clip.mp4", "mouths/a.mp4")
    Path("mouths/a.txt").write_text("today")
    return Path("mouths")


def test_no_mouth_video_replaces_a_clip(capsys, folder, raw):
    told = refuses(capsys, folder, ("prepare", "folder", raw, "-o", "."))
    assert "is the input itself" in told
    with pytest.raises(ValueError, match="is the input itself"):
        prepare([Clip("a", str(raw / "a.mp4"), "today")], folder, 1)


def test_no_mouth_video_replaces_one_of_the_user(capsys, folder, raw):
    Path("out/mouths").mkdir(parents=True)
    Path("out/mouths/a.mp4").write_text(THEIRS)
    told = refuses(capsys, folder, ("prepare", "folder", raw, "-o", "out"))
    assert "mcgurk did not write it" in told


def test_a_list_of_failures_that_is_not_ours_stays(capsys, folder, raw):
    Path("out").mkdir()
    Path("out/failed.jsonl").write_text(THEIRS)
    assert "not ours" in refuses(capsys, folder, ("prepare", "folder", raw, "-o", "out"))


def test_cuts_do_not_replace_the_manifest(capsys, folder, raw):
    pytest.importorskip("lhotse")
    arguments = ("prepare", "folder", raw, "-o", "out", "--to-cuts", "out/manifest.jsonl")
    assert "Two outputs are one file" in refuses(capsys, folder, arguments)


def test_no_mixture_replaces_a_recording(folder, raw):
    """By chance a recording may be called as a mixture is."""
    clip = Clip("a", "", "today", duration_s=1.0)
    media = folder / f"audio/{name_mixture(clip, 'music', 0.0)}.wav"
    media.parent.mkdir()
    shutil.copy("clip.mp4", media)
    Path("noise/music").mkdir(parents=True)
    shutil.copy("clip.mp4", "noise/music/b.wav")
    Path("prepared").mkdir()
    write_manifest("prepared/manifest.jsonl", [replace(clip, media=str(media))])
    before = files(folder)
    with pytest.raises(ValueError, match="is there, and mcgurk did not write it"):
        mix_manifest("prepared", ".", MixOptions(("music",), (0.0,), write_audio=True), "noise")
    assert files(folder) == before


TRAINED = """
task: lips
data: {folder: prepared}
lips: {channels: [4, 8], dim: 16, layers: 1}
loop: {steps: 2, batch: 2, warmup: 0, measure_every: 2}
"""


@pytest.fixture
def experiment(folder, write_prepared) -> Path:
    Path("prepared").mkdir()
    write_prepared(folder / "prepared", 1.0)
    Path("set").mkdir()
    Path("set/lips.yaml").write_text(TRAINED)
    return Path("set/lips.yaml")


def test_a_default_folder_is_ours_or_new(capsys, folder, experiment):
    notes = Path("build/set/lips/curves.png")
    notes.parent.mkdir(parents=True)
    notes.write_text(THEIRS)
    told = refuses(capsys, folder, ("train", experiment))
    assert "mcgurk may not have written them" in told and "-o" in told
    notes.unlink()
    assert run(["train", str(experiment)]) == 0
    assert run(["train", str(experiment)]) == 0  # gone on with
    capsys.readouterr()
    notes.write_text(THEIRS)
    assert "was changed since mcgurk wrote it" in refuses(capsys, folder, ("train", experiment))
    assert run(["train", str(experiment), "-o", "build/set/lips"]) == 0  # as was typed
    assert notes.read_bytes().startswith(b"\x89PNG")


def test_a_second_training_at_the_same_time_is_refused_and_leaves_the_first_its_folder(
    capsys, folder, experiment
):
    place = Path("build/set/lips")
    first = run_folder(place, place)  # it will be killed
    first.__enter__()
    with alone_in(place):
        (place / "curves.png").write_text("what the first one has written")
        assert run(["train", str(experiment), "-o", str(place)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"Another training is at work in {place}; wait" in told
        (place / "curves.png").write_text("and what it goes on to write")
    assert run(["train", str(experiment)]) == 0
    first.__exit__(None, None, None)


def test_a_mistake_leaves_no_folder(capsys, folder, experiment):
    arguments = ("train", experiment, "data.folder=nowhere")
    assert "nowhere" in refuses(capsys, folder, arguments)
    assert not Path("build").exists()


def test_training_does_not_replace_what_it_starts_from(capsys, folder):
    Path("run/set").mkdir(parents=True)
    Path("run/set/set.json").write_text("{}")
    Path("a.yaml").write_text("task: avsr\nstart: run/set\n")
    assert "is the input itself" in refuses(capsys, folder, ("train", "a.yaml", "-o", "run"))
    Path("run/agreement.safetensors").write_text(THEIRS)
    Path("b.yaml").write_text("task: agreement\nlips: run/agreement.safetensors\n")
    assert "is the input itself" in refuses(capsys, folder, ("train", "b.yaml", "-o", "run"))


def test_a_killed_run_goes_on_in_its_folder_and_another_one_does_not(tmp_path):
    place, of = tmp_path / "new" / "run", {"sounds": "a"}
    with run_folder(None, place, of) as folder:
        (folder / "half").write_text("of a run")
        claimed = (folder / MARK).read_bytes()
    (place / MARK).write_bytes(claimed)  # as a killed run leaves it
    (place / "half").write_text("more than was noted")
    with run_folder(None, place, of) as folder:
        (folder / "whole").write_text("of it")
    with pytest.raises(ValueError, match='sounds was "a", is "b".*-o'):
        with run_folder(None, place, {"sounds": "b"}):
            pass
    with run_folder(place, place, {"sounds": "b"}) as folder:  # typed
        (folder / "whole").write_text("of another")
    with run_folder(None, place, {"sounds": "b"}):
        pass


def test_a_typed_folder_with_files_of_the_user_is_written_and_not_taken_for_ours(tmp_path):
    (tmp_path / "notes").write_text(THEIRS)
    with run_folder(tmp_path, tmp_path) as folder:
        (folder / "report.md").write_text("a report")
    with pytest.raises(ValueError, match="may not have written them"):
        with run_folder(None, tmp_path):
            pass


@pytest.fixture
def collected(folder) -> Path:
    """A collection's configuration, of one set that is called "low"."""
    Path("trained/low").mkdir(parents=True)
    card = SetCard(name="low", model="whisper-tiny.en", fusion="", scenario={})
    Path("trained/low/set.json").write_text(json.dumps(asdict(card)))
    Path("trained/selector.safetensors").write_text(THEIRS)
    Path("sets.yaml").write_text(
        "task: avsr_collection\nsets: {audio: [trained/low]}\n"
        "selector: trained/selector.safetensors\n"
    )
    return Path("sets.yaml")


@pytest.mark.parametrize(
    ("output", "words"),
    [("trained", "is the input itself"), ("home", "is there and no adapter set")],
)
def test_a_collection_replaces_neither_its_parts_nor_what_is_no_set(
    capsys, folder, collected, output, words
):
    Path("home/low").mkdir(parents=True)
    Path("home/low/notes").write_text(THEIRS)
    assert words in refuses(capsys, folder, ("sets", "collect", collected, "-o", output))


def test_a_set_is_not_exported_into_itself(capsys, folder, collected):
    collection = Collection("", "whisper-tiny.en", "lips-grid", {"audio": ["low"]}, "category")
    write_collection(folder / "trained", collection)
    told = refuses(capsys, folder, ("sets", "export", "trained", "low", "-o", "trained/low/copy"))
    assert "lies in the set itself" in told
