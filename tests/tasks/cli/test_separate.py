"""`mcgurk separate` on real files, and what it says of those that it cannot take."""

import json
import shutil
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.media import read_audio
from data_prep.media.wav import encode_wav
from modalities.audio_text.models import save_audio_text
from modalities.audio_text.small_audio_text import build_small_audio_text
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.__main__ import run
from tasks.audio_classification.classifier import Classification, Classified, Guess
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.separator_files import save_separator
from tasks.avsr.inputs.media import open_input

LABELS = ("bell", "rain", "speech")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with a separator in "model" that nobody trained, and embeddings beside it."""
    folder = tmp_path_factory.mktemp("separators")
    options = SeparatorOptions(
        sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4, reads="log_power", dropout=0.0
    )
    small = build_small_audio_text(LABELS, dim=16, widths=(8, 8))
    save_audio_text(build_small_audio_text(LABELS, dim=24, widths=(8, 8)), folder / "wider")
    torch.manual_seed(0)
    network = SeparationNetwork(options)
    card = SeparatorCard("build/sounds", "", 16, labels=LABELS, network=asdict(options))
    save_separator(folder / "model", network, card, small)
    shutil.copytree(folder / "model", folder / "apart")
    shutil.rmtree(folder / "apart/audio_text")
    return folder


@pytest.fixture
def separate(models, capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own, and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, model="model"):
        code = run(["separate", *map(str, arguments), "--model", str(models / model)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_a_video_is_taken_apart_by_rank(separate, demo_clip):
    code, out, err = separate(demo_clip, "-o", "out")
    assert code == 0 and not err
    lines = out.splitlines()
    assert lines[0].split() == ["rank", "name", "sure", "share", "score", "file"]
    files = [line.split()[-1] for line in lines[1:]]
    assert [Path(file).name[:2] for file in files] == ["1_", "2_", "3_"]
    total = np.sum([read_audio(file) for file in files], axis=0)
    np.testing.assert_allclose(total, read_audio(demo_clip), atol=3 / 2**15)
    assert json.loads(Path("out/separation.json").read_text())["mixture"] == str(demo_clip)
    assert min(Image.open("out/spectrogram.png").size) > 900


def test_the_highest_are_written_and_the_rest_as_one(separate, demo_clip):
    code, out, _ = separate(demo_clip, "-o", "out", "--sources", 1, "--label", "rain", "--json")
    told = json.loads(out)
    assert code == 0 and told["folder"] == "out" and told["rest"] == "rest.wav"
    assert [one["file"] for one in told["sources"]] == ["1_rain.wav"]
    assert {path.name for path in Path("out").iterdir()} == {
        *("1_rain.wav", "rest.wav", "separation.json", "spectrogram.png")
    }


def test_without_the_model_of_sound_and_text_energy_ranks(separate, demo_clip):
    code, out, _ = separate(demo_clip, "-o", "out", "--audio-text", "none", model="apart")
    assert code == 0 and out.splitlines()[0].split() == ["rank", "share", "file"]
    assert Path("out/1_source.wav").is_file()


@pytest.mark.parametrize("seconds", [0.0001, 0.5])
def test_silence_and_short_sounds_are_taken(separate, seconds):
    Path("mix.wav").write_bytes(encode_wav(np.zeros(max(1, round(seconds * 16000)))))
    code, out, err = separate("mix.wav", "-o", "out")
    assert code == 0 and "1_silence.wav" in out
    assert err == "mix.wav: it is silent.\n"


FAULTS = {
    "a model of another width": (("--audio-text", "{}/wider"), "model", "another model, of 24"),
    "no model of sound and text": ((), "apart", "build/sounds"),
    "no such model of sound and text": (("--audio-text", "./none"), "model", "none"),
    "an unknown label": (("--label", "trumpet"), "model", "does not know the text"),
    "labels without a model": (
        ("--label", "rain", "--audio-text", "none"),
        "model",
        "ranks by energy",
    ),
    "no network": ((), "damaged", "network.safetensors"),
}


@pytest.mark.parametrize(("options", "model", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_in_one_line(separate, models, demo_clip, options, model, told):
    if model == "damaged" and not (models / model).exists():
        shutil.copytree(models / "model", models / model)
        (models / model / "network.safetensors").unlink()
    typed = [option.format(models) for option in options]
    code, out, err = separate(demo_clip, "-o", "out", *typed, model=model)
    assert code == 2 and out == "" and told in err
    assert err.startswith("mcgurk: ") and err.count("\n") == 1
    assert not Path("out").exists()


def test_a_folder_with_files_is_left_as_it_is(separate, demo_clip):
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    code, _, err = separate(demo_clip, "-o", "out")
    assert code == 2 and "expected a new or empty folder" in err
    assert [path.name for path in Path("out").iterdir()] == ["mine.txt"]


def test_the_model_that_is_to_come_with_mcgurk_is_missed_in_one_line(capsys, demo_clip, tmp_path):
    from tasks.audio_to_image.separation.card import SHIPPED_FOLDER

    assert run(["separate", str(demo_clip), "-o", str(tmp_path / "o"), "--model", "scenez"]) == 2
    err = capsys.readouterr().err
    assert "There is no separator 'scenez'" in err and err.count("\n") == 1
    assert all(name in err for name in (path.name for path in SHIPPED_FOLDER.glob("*")))


@pytest.fixture
def whole_mixture(models, monkeypatch):
    """The separator puts all of the mixture into the source that is called speech."""
    from tasks.audio_to_image.separation.separator import SeparationNetwork, Separator

    def give_to_one(self, mixture):
        nothing = torch.zeros_like(mixture)
        return torch.stack([0.5 * mixture, nothing, 0.5 * mixture], 1)

    names = [("rain", 0.9), ("speech", 0.8), ("silence", 1.0)]
    monkeypatch.setattr(SeparationNetwork, "forward", give_to_one)
    monkeypatch.setattr(Separator, "name_sources", lambda *arguments: names)
    return str(models / "model")


def test_the_talker_out_of_a_mixture_is_transcribed(whole_mixture, demo_clip, capsys, monkeypatch):
    heard = []

    class Pipeline:
        def __init__(self, *arguments):
            pass

        def transcribe(self, file, **options):
            sound = options["sound"]
            heard.append((file, sound.name, read_audio(sound)))
            raise ValueError("enough.")

    monkeypatch.setattr("tasks.avsr.pipeline.AVSRPipeline", Pipeline)
    assert run(["transcribe", str(demo_clip), "--separate", whole_mixture]) == 2
    [(file, name, waveform)] = heard
    assert file == demo_clip and name == "2_speech.wav"
    np.testing.assert_allclose(waveform, read_audio(demo_clip) / 2, atol=1 / 2**15)
    err = capsys.readouterr().err
    assert f"{demo_clip}: source 2 of 3 is heard, speech, 50 % of the energy." in err


def test_a_clip_is_heard_through_another_file_and_seen_as_it_is(demo_clip, tmp_path):
    sound = np.random.default_rng(0).normal(size=30000) * 0.1
    (tmp_path / "talker.wav").write_bytes(encode_wav(sound))
    media = open_input(demo_clip, sound=tmp_path / "talker.wav")
    np.testing.assert_allclose(np.concatenate(list(media.blocks())), sound, atol=1 / 2**15)
    assert media.has_video and next(media.frames()).time_s == 0
    with pytest.raises(ValueError, match="given beside a waveform"):
        open_input(sound, sound=tmp_path / "talker.wav")


def test_the_talker_out_of_each_clip_is_classified(whole_mixture, demo_clip, capsys, monkeypatch):
    heard = []

    class Classifier:
        def __init__(self, *arguments):
            pass

        def classify(self, clip, top, audio_track):
            heard.append(clip.name)
            return Classification(Classified(0.0, 1.0, (Guess("digit", 1.0),)), ())

    monkeypatch.setattr("tasks.audio_classification.SoundClassifier", Classifier)
    monkeypatch.setattr(import_module("tasks.cli.classify"), "find_set", Path)
    clips = [str(demo_clip), str(demo_clip)]
    assert run(["classify", *clips, "--sets", ".", "--separate", whole_mixture]) == 0
    assert heard == ["2_speech.wav"] * 2
    out = capsys.readouterr().out
    assert out.splitlines() == [f"{demo_clip}: digit 100.0 %"] * 2
