"""`mcgurk paint` with edges, attributes and sizes, and what it says of those it cannot take."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from modalities.audio.attribute_scale import Bounds
from modalities.audio_text.small_audio_text import build_small_audio_text, save_small_audio_text
from tasks.__main__ import run
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.painting.conditions.card import ConditionCard

pytest.importorskip("diffusers")
DIM, SIDE = 16, (8, 12)
LOUD = Bounds("loudness", "LUFS", -40.0, -20.0)
PITCH = Bounds("pitch", "Hz", 100.0, 400.0, ratio=True)


@pytest.fixture(scope="module")
def painters(tmp_path_factory) -> Path:
    """A painter with all adapters, one with none, and an adapter for another denoiser."""
    from fusion.conditions.catalog import build_preset
    from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
    from modalities.diffusion.small import SmallDenoiserOptions, build_small
    from tasks.audio_to_image.painting.conditions.files import save_condition
    from tasks.audio_to_image.painting.ear import load_ear
    from tasks.audio_to_image.painting.painter_files import save_painter

    folder = tmp_path_factory.mktemp("painters")
    model = build_small_audio_text(("bell", "rain"), dim=DIM, widths=(8, 8), seed=0)
    save_small_audio_text(model, folder / "ear")
    options = SmallDenoiserOptions(
        *SIDE, channels=(16, 16), attention=(0, 1), heads=2, groups=4, token_dim=8, tokens=2
    )
    adapter = AudioAdapterOptions(sources=1, dim=DIM, hidden=16, dropout=0.0)
    card = PainterCard("build/base", "", asdict(adapter), 2, 2.0, "", "", "", 0, 0)
    identity = load_ear("", folder / "ear", "cpu").identity
    card = replace(card, audio_text=str(folder / "ear"), ear=identity)
    denoiser = build_small(options).freeze()
    known = ConditionCard("edges", "t2i_adapter", "build/base", denoiser.identity, "", "", "", 0)
    presets = {
        "edges": ("t2i_adapter", {"map": {"channels": 1, "pixels": 2}}),
        "attributes": ("att_adapter_mlp", {"attributes": {"dim": 2}}),
        "size": ("res_adapter", {"size": {"rank": 2}}),
    }
    for name, (preset, changes) in presets.items():
        torch.manual_seed(1)
        built = build_preset(denoiser.unet, preset, changes)
        for one in built.values():
            for weight in one.parameters():
                torch.nn.init.normal_(weight, std=0.3)
        bounds = (LOUD, PITCH) if name == "attributes" else ()
        own = replace(known, kind=name, preset=preset, attributes=bounds)
        save_condition(folder / "model/conditions" / name, built, own)
        if name == "edges":
            save_condition(folder / "strange", built, replace(own, weights="0" * 32))
            save_condition(folder / "beside", built, own)
    torch.manual_seed(0)
    trained = AudioAdapter(denoiser, adapter)
    for name in ("model", "plain"):
        save_painter(folder / name, denoiser, trained, card)
    return folder


@pytest.fixture
def paint(painters, capsys, tmp_path, monkeypatch):
    """Runs the command on a sound of 200 Hz, and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    times = np.arange(16000) / 16000
    sound = 0.05 * (np.sin(400 * np.pi * times) + 0.5 * np.sin(800 * np.pi * times))
    Path("a.wav").write_bytes(encode_wav(sound.astype(np.float32)))
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[4:12, 8:18] = (250, 120, 60)
    cv2.imwrite("box.png", picture)

    def call(*arguments, model="model", sound="a.wav", output="out.png"):
        plain = (sound, "-o", output, "--model", painters / model, "--enlarge", 1)
        code = run(["paint", *map(str, (*plain, *arguments))])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def seen(name="out.png") -> np.ndarray:
    picture = cv2.imread(name)
    assert picture is not None
    return picture.astype(int)


def test_each_condition_changes_the_picture_and_all_go_together(paint, painters):
    asked = {
        "none": (),
        "edges": ("--edges", "box.png"),
        "loud": ("--attribute", "loudness=1"),
        "quiet": ("--attribute", "loudness=0"),
        "both": ("--edges", "box.png", "--attribute", "loudness=1", "--attribute", "pitch=0.5"),
    }
    pictures = {}
    for name, arguments in asked.items():
        assert paint(*arguments, output=f"{name}.png")[0] == 0
        pictures[name] = seen(f"{name}.png")
        assert pictures[name].shape == (*SIDE, 3)
    names = list(pictures)
    for one, other in ((a, b) for a in names for b in names if a < b):
        assert np.abs(pictures[one] - pictures[other]).max() > 3, (one, other)
    assert paint(model="plain", output="plain.png")[0] == 0
    assert np.array_equal(pictures["none"], seen("plain.png"))


def test_a_value_with_its_unit_is_the_share_between_the_bounds(paint):
    texts = ("0.5", "-30LUFS", "-30 lufs")
    for number, value in enumerate(texts):
        assert paint("--attribute", f"loudness={value}", output=f"{number}.png")[0] == 0
    assert paint("--attribute", "pitch=200Hz", "--json", output="p.png")[0] == 0
    assert np.array_equal(seen("0.png"), seen("1.png"))
    assert np.array_equal(seen("0.png"), seen("2.png"))


def test_what_is_not_told_is_measured_of_the_sound(paint):
    code, out, err = paint("--attribute", "loudness=0.25", "--json")
    told = json.loads(out)["attributes"]
    assert code == 0 and not err
    assert told == pytest.approx({"loudness": 0.25, "pitch": 0.5}, abs=0.01)
    for text in ("pitch", "pitch=sound"):
        found = json.loads(paint("--attribute", text, "--json")[1])["attributes"]
        assert found["pitch"] == pytest.approx(0.5, abs=0.01) and 0 < found["loudness"] < 1


def test_a_sound_beyond_the_bounds_is_taken_for_the_nearest_and_told(paint):
    loud = np.sin(2 * np.pi * 200 * np.arange(8000) / 16000).astype(np.float32)
    Path("loud.wav").write_bytes(encode_wav(0.9 * loud))
    code, out, err = paint("--attribute", "loudness", "--json", sound="loud.wav")
    told = json.loads(out)
    assert code == 0 and told["attributes"]["loudness"] == 1 and len(told["notes"]) == 1
    assert paint("--attribute", "loudness", sound="loud.wav")[2].startswith(
        "loud.wav: its loudness of -4."
    )


def test_a_sound_without_pitch_gets_the_middle_unless_its_pitch_is_wanted(paint):
    noise = 0.02 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    Path("noise.wav").write_bytes(encode_wav(noise))
    code, _, err = paint("--attribute", "loudness=1", sound="noise.wav")
    assert code == 0 and "the sound has no pitch" in err
    code, _, err = paint("--attribute", "pitch", sound="noise.wav")
    assert code == 2 and "nothing in it is voiced" in err and err.count("\n") == 1


def test_another_size_is_painted_and_an_adapter_for_it_says_nothing(paint):
    assert paint("--size", "16x20") == (0, *paint("--size", "16x20")[1:2], "")
    assert seen().shape == (20, 16, 3)
    code, _, err = paint("--size", "16x20", model="plain", output="plain.png")
    assert code == 0 and "learnt 12 x 8 pixels alone" in err
    assert not np.array_equal(seen(), seen("plain.png"))
    assert paint("--size", "12x8")[0] == 0 and paint(output="own.png")[0] == 0
    assert np.array_equal(seen(), seen("own.png"))  # what it learnt is not changed for


def test_edges_are_resized_with_a_note(paint):
    cv2.imwrite("fits.png", seen("box.png")[::2, ::2])
    assert paint("--edges", "fits.png")[2] == ""
    code, _, err = paint("--edges", "box.png")
    assert code == 0
    assert err == "a.wav: the edges of box.png were resized from 24 x 16 to 12 x 8 pixels.\n"


def test_an_adapter_that_lies_elsewhere_is_taken(paint, painters):
    edges = ("--edges", "box.png", "--condition", painters / "beside")
    assert paint(*edges, model="plain")[0] == 0
    assert paint("--edges", "box.png", output="own.png")[0] == 0
    assert np.array_equal(seen(), seen("own.png"))
    assert paint(*edges)[0] == 0  # in the place of the painter's own


FAULTS = {
    "no adapter for edges": (("--edges", "box.png"), "plain", "it has: none"),
    "no adapter for attributes": (("--attribute", "loudness=1"), "plain", "it has: none"),
    "unknown": (("--attribute", "loudnes=1"), "model", "loudness, pitch. Did you mean 'loudness'"),
    "twice": (
        ("--attribute", "pitch=1", "--attribute", "pitch=0"),
        "model",
        "pitch was given twice",
    ),
    "no number": (("--attribute", "pitch=high"), "model", "0 to 1, or 100 to 400 Hz"),
    "no value": (("--attribute", "pitch="), "model", "is no number"),
    "nan": (("--attribute", "pitch=nan"), "model", "is no number"),
    "too much": (("--attribute", "loudness=1.2"), "model", "out of range"),
    "too little": (("--attribute", "pitch=50Hz"), "model", "out of range"),
    "another unit": (("--attribute", "pitch=200LUFS"), "model", "is no number"),
    "no size": (("--size", "16"), "model", "as in --size 48x32"),
    "size that does not fit": (("--size", "13x8"), "model", "multiples of 2"),
    "size of none": (("--size", "0x8"), "model", "as in --size 48x32"),
    "too large": (("--size", "9000x9000"), "model", "too large"),
    "larger than any screen": (("--size", "100000x100000"), "model", "16,777,216 pixels or fewer"),
    "no picture": (("--edges", "none.png"), "model", "There is no picture none.png"),
    "picture of nothing": (("--edges", "dark.png"), "model", "dark.png has no edges at 12 x 8"),
    "no folder": (("--condition", "none"), "model", "There is no folder none"),
    "another denoiser": (
        ("--edges", "box.png", "--condition", "STRANGE"),
        "model",
        "other weights",
    ),
    "silence": (("--attribute", "loudness", "SILENT"), "model", "there is no sound in it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_mistakes_are_one_line_and_exit_2(paint, painters, name):
    cv2.imwrite("dark.png", np.zeros((8, 12, 3), np.uint8))
    Path("silent.wav").write_bytes(encode_wav(np.zeros(8000, np.float32)))
    arguments, model, wanted = FAULTS[name]
    sound = "silent.wav" if "SILENT" in arguments else "a.wav"
    given = [painters / "strange" if one == "STRANGE" else one for one in arguments]
    code, out, err = paint(*(one for one in given if one != "SILENT"), model=model, sound=sound)
    assert (code, out) == (2, "") and err.count("\n") == 1 and not Path("out.png").exists()
    assert re.sub(r"\s+", " ", wanted) in err, err
