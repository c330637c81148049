"""The commands as a user runs them, on the demo clip."""

import json
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.media import stream_video
from tasks.__main__ import run
from tasks.avsr import AVSRPipeline
from tasks.cli import app
from tasks.cli.sets import app as sets


def succeeds(capsys, *arguments: object) -> tuple[str, str]:
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out, err


@pytest.fixture(scope="module")
def crops(demo_clip, tmp_path_factory):
    """What `mcgurk crop` writes."""
    folder = tmp_path_factory.mktemp("crops")
    assert run(["crop", str(demo_clip), "-o", str(folder / "mouth.mp4")]) == 0
    return folder


@pytest.fixture(scope="module")
def transcript(demo_clip):
    return AVSRPipeline("whisper-tiny.en", device="cpu").transcribe(demo_clip)


def test_json_is_one_object_of_the_published_form(capsys, demo_clip):
    out, err = succeeds(capsys, "transcribe", demo_clip, "--json")
    assert err == "" and out.count("\n") == 1
    found = json.loads(out)
    assert list(found) == ["text", "duration_s", "model", "video_used", "segments", "faces"]
    for segment in found["segments"]:
        assert list(segment) == [
            *("start_s", "end_s", "text", "adapter_set", "scenario", "snr_db"),
            *("video_used", "words", "agreement", "face"),
        ]
        assert segment["adapter_set"] is segment["scenario"] is segment["snr_db"] is None
        assert segment["agreement"] is None
        assert all(list(word) == ["start_s", "end_s", "text"] for word in segment["words"])
        assert " ".join(word["text"] for word in segment["words"]) == segment["text"]
    for face in found["faces"]:
        assert list(face) == [
            *("track", "start_s", "end_s", "box", "talking_score", "chosen", "talks")
        ]
        assert len(face["box"]) == 4 and face["chosen"] == bool(face["talks"])
    talking = {face["track"] for face in found["faces"] if face["chosen"]}
    assert {segment["face"] for segment in found["segments"]} == talking
    assert found["model"] == "whisper-tiny.en" and found["video_used"] is False


def test_transcripts_and_preview_are_written(capsys, demo_clip, tmp_path, transcript):
    written = [tmp_path / f"out{suffix}" for suffix in (".srt", ".vtt", ".json", ".tsv", ".txt")]
    outputs = [part for path in written for part in ("-o", path)]
    preview = tmp_path / "seen.mp4"
    out, err = succeeds(capsys, "transcribe", demo_clip, *outputs, "--preview", preview)
    assert [line.split("] ")[1] for line in out.splitlines()] == [
        segment.text for segment in transcript.segments
    ]
    assert "2 faces followed, 1 talking" in err
    assert all(path.stat().st_size for path in written)
    with av.open(str(preview)) as container:
        assert container.streams.video[0].frames == 218 and container.streams.audio
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(path.name for path in written), "seen.mp4"]
    )


def test_crop_writes_the_mouth_and_what_was_found(crops):
    report = json.loads((crops / "mouth.json").read_text())
    mouths = [frame.gray() for frame in stream_video(crops / "mouth.mp4")]
    assert len(mouths) == report["frames"] == len(report["mask"])
    assert all(mouth.shape == (96, 96) for mouth in mouths)
    dark = [not mouth.any() for mouth in mouths]
    assert dark == [not seen for seen in report["mask"]]
    assert {track["chosen"] for track in report["tracks"]} == {True, False}


def test_a_contact_sheet_shows_mouths_of_the_whole_clip(capsys, demo_clip, tmp_path):
    sheet = tmp_path / "sheet.png"
    succeeds(capsys, "crop", demo_clip, "-o", tmp_path / "mouth.mp4", "--sheet", sheet)
    with av.open(str(sheet)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="gray")
    rows = 6  # of ten: every fourth of 218 frames, which are too many for 100 tiles
    assert picture.shape == (rows * (96 + 14 + 4) + 4, 10 * (96 + 4) + 4)
    first = next(stream_video(tmp_path / "mouth.mp4")).gray()
    assert np.array_equal(picture[4:100, 4:100], first)


def test_a_ready_mouth_video_is_taken(capsys, demo_clip, crops, transcript):
    out, err = succeeds(capsys, "transcribe", demo_clip, "--mouth-video", crops / "mouth.mp4")
    assert transcript.text.startswith(out.splitlines()[0].split("] ")[1])
    assert "the mouth was given" in err


def test_landmarks_and_a_box_stand_in_for_the_detector(capsys, demo_clip, tmp_path):
    points = np.array([[180, 50], [205, 50], [192, 62], [192, 75]], np.float32)
    np.save(tmp_path / "points.npy", np.tile(points, (218, 1, 1)))
    for given in (["--landmarks", tmp_path / "points.npy"], ["--box", "177,60,30,30"]):
        mouth = tmp_path / "mouth.mp4"
        out, _ = succeeds(capsys, "crop", demo_clip, "-o", mouth, *given)
        assert "218 of 218 frames show a mouth" in out
        succeeds(capsys, "transcribe", demo_clip, *given)


def test_landmarks_that_end_too_early_are_a_mistake(capsys, demo_clip, tmp_path):
    points = np.array([[180, 50], [205, 50], [192, 62], [192, 75]], np.float32)
    np.save(tmp_path / "points.npy", np.tile(points, (20, 1, 1)))
    code = run(["transcribe", str(demo_clip), "--landmarks", str(tmp_path / "points.npy")])
    assert code == 2 and "landmarks for 20 frames" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["transcribe", "crop"])
def test_landmarks_that_are_no_face_are_a_mistake_told_in_one_line(
    capsys, demo_clip, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    points = np.tile(np.array([[180, 50], [205, 50], [192, 62], [192, 75]]), (218, 1, 1))
    np.save("fractions.npy", points / [320, 240])
    np.save("swapped.npy", points[:, [1, 0, 2, 3]])
    Path("axes.json").write_text(json.dumps(points[..., ::-1].tolist()))
    for name, like in (
        ("fractions.npy", "fractions of the picture: multiply by 320 x 240"),
        ("swapped.npy", "eyes exchanged"),
        ("axes.json", "x and y exchanged"),
    ):
        assert run([command, str(demo_clip), "--landmarks", name]) == 2
        said = capsys.readouterr().err
        assert like in said and name in said and said.count("\n") == 1
    assert run([command, str(demo_clip), "--box", "0.5,0.2,0.1,0.1"]) == 2
    assert "multiply by 320 x 240" in capsys.readouterr().err
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy", ".json"}


def test_a_mouth_video_of_whole_faces_is_a_mistake(capsys, demo_clip):
    assert run(["transcribe", str(demo_clip), "--mouth-video", str(demo_clip)]) == 2
    assert "whole faces" in capsys.readouterr().err


def test_probe_shows_the_streams(capsys, demo_clip):
    out, _ = succeeds(capsys, "probe", demo_clip, "--json")
    info = json.loads(out)
    assert (info["video"]["width"], info["video"]["height"]) == (320, 240)
    out, _ = succeeds(capsys, "probe", demo_clip)
    assert "320" in out


def test_methods_are_listed_with_their_counts(capsys):
    from fusion.methods.catalog import METHODS

    found = json.loads(succeeds(capsys, "methods", "--json")[0])
    assert [method["method"] for method in found] == list(METHODS)
    lora = found[0]
    assert lora["parameters"] == 36 * 2 * 8 * (768 + 768)  # q and v of 36 attentions
    table = succeeds(capsys, "methods")[0]
    assert all(name in table for name in METHODS) and "884,736" in table


def test_published_counts_are_told_as_json_too(capsys):
    found = json.loads(succeeds(capsys, "methods", "--counts", "--json")[0])
    assert all(list(row) == ["model", "row", "methods", "parameters", "printed"] for row in found)
    table = succeeds(capsys, "methods", "--counts")[0]
    assert all(f"{row['parameters']:,}" in table and row["row"] in table for row in found)


def test_the_version_is_that_of_the_project(capsys):
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert succeeds(capsys, "--version")[0] == f"mcgurk {project['project']['version']}\n"


def commands() -> list[str]:
    """All commands, those of `sets` too."""
    names = [command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]
    return [*names, *(f"sets {command.name}" for command in sets.registered_commands)]


@pytest.mark.parametrize("command", ["", *commands()])
def test_help_is_plain_text_of_80_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    out = succeeds(capsys, *command.split(), "--help")[0]
    assert max(map(len, out.splitlines())) <= 80
    summary = out.split("Commands:")[-1] if "Commands:" in out else ""
    assert "..." not in summary  # none is cut
    for other in ("--set ", "--workers", "[/", "\x1b"):
        assert other not in out


def test_help_keeps_what_stands_in_brackets(capsys):
    assert '{"test": [names]}' in succeeds(capsys, "mix", "--help")[0]


@pytest.mark.parametrize("command", ["prepare", "mix", "sets merge", "sets export", "sets collect"])
def test_what_a_command_writes_is_named_by_the_same_option(capsys, command):
    out = " ".join(succeeds(capsys, *command.split(), "--help")[0].split())
    assert "-o, --output <path>" in out
    assert "[required]" in out.split("-o, --output")[1].split(" --")[0]
