"""`mcgurk paint` on real files, and what it says of those that it cannot take."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from modalities.audio_text.small_audio_text import SmallAudioText, build_small_audio_text
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.__main__ import run
from tasks.audio_to_image.painting.card import PainterCard, list_shipped
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.separator_files import save_separator

pytest.importorskip("diffusers")
LABELS, DIM = ("bell", "rain"), 16
SMALL = SeparatorOptions(
    sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4, reads="log_power", dropout=0.0
)


def write_separator(folder: Path, model: SmallAudioText) -> None:
    torch.manual_seed(0)
    card = SeparatorCard("build/sounds", "", model.dim, labels=LABELS, network=asdict(SMALL))
    save_separator(folder, SeparationNetwork(SMALL), card, model)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Painters that nobody trained: with a separator in them, named, missing, or with none."""
    from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
    from modalities.diffusion.small import SmallDenoiserOptions, build_small
    from tasks.audio_to_image.painting.ear import load_ear
    from tasks.audio_to_image.painting.painter_files import save_painter

    folder = tmp_path_factory.mktemp("painters")
    for name, dim, seed in (("wider", 24, 0), ("other", DIM, 1), ("ears", DIM, 0)):
        model = build_small_audio_text(LABELS, dim=dim, widths=(8, 8), seed=seed)
        write_separator(folder / name, model)
    options = SmallDenoiserOptions(
        8, 12, channels=(16, 16), attention=(0, 1), heads=2, groups=4, token_dim=8, tokens=2
    )
    adapter = AudioAdapterOptions(sources=2, dim=DIM, hidden=16, dropout=0.0)
    known = load_ear(folder / "ears", device="cpu").identity
    whole = load_ear("", folder / "ears/audio_text", "cpu").identity
    ears = {
        "model": ("gone", "", known),
        "apart": (str(folder / "ears"), "", known),
        "lost": ("gone", "", known),
        "whole": ("", str(folder / "ears/audio_text"), whole),
        "deaf": ("", "", ""),
    }
    for name, (separator, audio_text, ear) in ears.items():
        denoiser = build_small(options).freeze()
        torch.manual_seed(0)
        trained = AudioAdapter(denoiser, adapter)
        card = PainterCard("build/base", "", asdict(adapter), 2, 2.0, "", "", "", 0, 0)
        card = replace(card, separator=separator, audio_text=audio_text, ear=ear)
        save_painter(folder / name, denoiser, trained, card)
    shutil.copytree(folder / "ears", folder / "model/separator")
    return folder


@pytest.fixture
def paint(models, capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own, and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, model="model"):
        code = run(["paint", *map(str, arguments), "--model", str(models / model)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_a_video_is_painted_from_its_two_highest_sounds(paint, demo_clip):
    code, out, err = paint(demo_clip, "-o", "a.png")
    assert code == 0 and not err
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["rank", "name", "sure", "share", "score", "painted"]
    assert [line[0] for line in lines[1:]] == ["1", "2", "3"]
    assert [line[-1] for line in lines[1:]] == ["yes", "yes", "no"]
    seen = cv2.imread("a.png")
    assert seen.shape == (32 * 8, 32 * 12, 3)
    assert paint(demo_clip, "-o", "plain.png", "--enlarge", 1)[0] == 0
    plain = cv2.imread("plain.png")
    assert plain.shape == (8, 12, 3)
    assert np.array_equal(seen, plain.repeat(32, 0).repeat(32, 1))


def test_json_says_what_was_heard_and_how_it_was_painted(paint, demo_clip):
    numbers = ("--steps", 3, "--guidance", 1.5, "--seed", 7, "--sources", 1)
    code, out, err = paint(demo_clip, "-o", "a.png", "--json", *numbers)
    told = json.loads(out)
    assert code == 0 and not err
    assert (told["steps"], told["guidance"], told["seed"], told["count"]) == (3, 1.5, 7, 1)
    assert told["file"] == "a.png" and told["duration_s"] > 1
    assert (told["size"], told["enlarged"]) == ([8, 12], 32)
    assert [one["painted"] for one in told["sources"]] == [True, False, False]
    assert sum(one["share"] for one in told["sources"]) == pytest.approx(1, abs=1e-4)
    assert {one["name"] for one in told["sources"]} <= {*LABELS, "silence"}


def test_a_grid_has_the_pictures_of_the_seeds_one_by_one(paint, demo_clip):
    assert paint(demo_clip, "-o", "grid.png", "--count", 3, "--enlarge", 1)[0] == 0
    grid = cv2.imread("grid.png")
    assert grid.shape == (2 * 8 + 4, 2 * 12 + 4, 3) and (grid[12:, 16:] == 255).all()
    assert paint(demo_clip, "-o", "one.png", "--seed", 2, "--enlarge", 1)[0] == 0
    difference = grid[12:, :12].astype(int) - cv2.imread("one.png")
    assert np.abs(difference).max() <= 1


def test_another_number_of_sources_makes_another_picture(paint, demo_clip):
    for sources in (1, 2):
        assert paint(demo_clip, "-o", f"{sources}.png", "--sources", sources)[0] == 0
    assert not np.array_equal(cv2.imread("1.png"), cv2.imread("2.png"))


@pytest.mark.parametrize("seconds", [0.0001, 0.5])
@pytest.mark.parametrize("model", ["model", "whole"])
def test_silence_and_short_sounds_are_painted(paint, seconds, model):
    Path("mix.wav").write_bytes(encode_wav(np.zeros(max(1, round(seconds * 16000)))))
    code, out, err = paint("mix.wav", "-o", "a.png", model=model)
    assert code == 0 and cv2.imread("a.png") is not None
    assert all(line.split()[-1] == "no" for line in out.splitlines()[1:])
    assert err == "mix.wav: it is silent, so what is painted is what comes without any sound.\n"


def test_a_sound_is_heard_as_a_whole_by_a_painter_that_was_trained_so(paint, demo_clip):
    code, out, _ = paint(demo_clip, "-o", "a.png", model="whole")
    assert code == 0 and out.splitlines()[1].split() == ["1", "whole", "100.0", "%", "1.00", "yes"]


def test_a_separator_elsewhere_is_taken_where_it_is_named(paint, models, demo_clip):
    assert paint(demo_clip, "-o", "a.png")[0] == 0
    assert paint(demo_clip, "-o", "b.png", model="apart")[0] == 0
    assert paint(demo_clip, "-o", "c.png", "--separator", models / "ears", model="lost")[0] == 0
    first, *others = (Path(name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert all(other == first for other in others)


FAULTS = {
    "no separator": ((), "lost", "gone"),
    "another separator": (("--separator", "{}/other"), "model", "other embeddings"),
    "another width": (("--separator", "{}/wider"), "model", "of 24 features"),
    "too large": (("--enlarge", "65"), "model", "expected 1 to 64"),
    "none": ((), "deaf", "does not say what hears sounds"),
    "no audio text": (("--audio-text", "./none"), "whole", "none"),
    "a separator": ((), "ears", "holds a separator (separator.json); expected the folder of a pai"),
    "a painter as separator": (
        ("--separator", "{}/model"),
        "model",
        "holds a painter (painter.json); expected the folder of a separator",
    ),
    "a separator as audio text": (
        ("--audio-text", "{}/ears"),
        "whole",
        "holds a separator (separator.json); expected a model of sound and text",
    ),
}


@pytest.mark.parametrize(("options", "model", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_in_one_line(paint, models, demo_clip, options, model, told):
    typed = [option.format(models) for option in options]
    code, out, err = paint(demo_clip, "-o", "a.png", *typed, model=model)
    assert code == 2 and out == "" and told in err
    assert err.startswith("mcgurk: ") and err.count("\n") == 1
    assert not Path("a.png").exists()


def test_an_output_that_is_the_input_is_refused(paint):
    Path("a.png").write_bytes(encode_wav(np.zeros(100)))
    code, _, err = paint("a.png", "-o", "a.png")
    assert code == 2 and "is the input itself" in err


def test_the_model_that_is_to_come_with_mcgurk_is_missed_in_one_line(capsys, demo_clip, tmp_path):
    code = run(["paint", str(demo_clip), "-o", str(tmp_path / "a.png"), "--model", "scenez"])
    err = capsys.readouterr().err
    assert code == 2 and "There is no painter 'scenez'" in err and err.count("\n") == 1
    assert all(name in err for name in list_shipped())
