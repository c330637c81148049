"""Commands that only read, and mistakes in names and paths, load no library of models."""

import json
import os
import subprocess
import sys
import wave
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tasks.__main__ import run
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.cli import app

CLIP = Path(__file__).parents[2] / "assets/white_house_address.mp4"
CONFIGS = Path(__file__).parents[3] / "configs"
COMMANDS = [c.callback.__name__ for c in app.registered_commands if c.callback]
HEAVY = ("torch", "transformers", "peft")
# Runs the program, and says on a last line of its own which modules it has loaded.
PROGRAM = """
import sys
from tasks.__main__ import run
code = run(sys.argv[1:])
print("\\n" + " ".join(sys.modules))
sys.exit(code)
"""


def loaded(folder: Path, code: int, *arguments: object, quiet: bool = True) -> set[str]:
    """Run the program in a folder, check its exit code, and return the modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(CONFIGS.parent), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    if code:
        assert done.stderr.startswith("mcgurk: ") and done.stderr.count("\n") == 1, done.stderr
    elif quiet:
        assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split())


READS = {
    "help": (("--help",), ("numpy", "av", "rich")),
    "version": (("--version",), ("numpy", "av", "rich")),
    "probe": (("probe", CLIP), ("numpy", "cv2", "rich")),
    "probe json": (("probe", CLIP, "--json"), ("numpy", "cv2", "rich")),
    "sets list": (("sets", "list"), ("numpy", "av")),
    "sets list json": (("sets", "list", "--json"), ("numpy", "av", "rich")),
    "sets show": (("sets", "show", "grid"), ("cv2",)),
    "methods": (("methods",), ("numpy", "av")),
    "methods json": (("methods", "--json"), ("numpy", "av", "rich")),
    "methods markdown": (("methods", "--markdown"), ("numpy", "av", "rich")),
    "methods counts": (("methods", "--counts"), ("numpy", "av", "rich")),
    **{
        f"help of {name}": ((name, "--help"), ("numpy", "av", "rich"))
        for name in (
            *("transcribe", "train", "evaluate", "sets", "prepare"),
            *("segment", "separate", "paint", "serve"),
        )
    },
}


@pytest.mark.parametrize(("arguments", "unused"), READS.values(), ids=READS)
def test_a_command_that_reads_loads_nothing_of_models(tmp_path, arguments, unused):
    assert not loaded(tmp_path, 0, *arguments) & {*HEAVY, *unused}


HEARS = {
    "sound": (("jfk.wav", "-o", "out.srt"), ("torch", "transformers", "cv2", "peft", "matplotlib")),
    "sound, torch": (
        ("jfk.wav", "--engine", "torch"),
        ("cv2", "peft", "matplotlib", "onnxruntime"),
    ),
    "pictures not looked at": ((CLIP, "--no-video"), ("torch", "transformers", "cv2", "peft")),
    "pictures": ((CLIP,), ("torch", "transformers", "peft", "matplotlib")),
}


@pytest.mark.parametrize(("arguments", "unused"), HEARS.values(), ids=HEARS)
def test_transcribing_loads_what_it_uses(tmp_path, arguments, unused):
    for engine in ("ctranslate2", "onnxruntime"):
        pytest.importorskip(engine)
    write_sound(tmp_path / "jfk.wav")
    arguments = ("transcribe", *arguments, "--device", "cpu")
    assert not loaded(tmp_path, 0, *arguments, quiet=False) & set(unused)


def test_mouths_are_cropped_without_torch(tmp_path):
    pytest.importorskip("onnxruntime")
    arguments = ("crop", CLIP, "-o", "mouth.mp4", "--device", "cpu")
    assert not loaded(tmp_path, 0, *arguments, quiet=False) & set(HEAVY)


def test_a_waveform_of_another_rate_loads_no_torch(tmp_path):
    for engine in ("ctranslate2", "onnxruntime"):
        pytest.importorskip(engine)
    code = (
        "import sys, numpy as np\n"
        "from tasks.avsr import AVSRPipeline\n"
        "pipeline = AVSRPipeline(device='cpu')\n"
        "pipeline.transcribe(np.zeros(44_100, np.float32), rate_hz=44_100)\n"
        "print(*sys.modules)"
    )
    paths = os.pathsep.join([str(CONFIGS.parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths}
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert output.returncode == 0, output.stderr
    assert not set(output.stdout.split()) & {*HEAVY, "cv2"}


def write_sound(path: Path) -> None:
    """Write half a second of a tone."""
    tone = 8_000 * np.sin(np.arange(8_000) / 10)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(tone.astype("<i2").tobytes())


OUT, PICTURE = ("-o", "out"), ("-o", "out.png")
MISTAKES = {
    "transcribe, no file": ("transcribe", "no.mp4"),
    "transcribe, no collection": ("transcribe", CLIP, "--sets", "gird"),
    "transcribe, no engine": ("transcribe", CLIP, "--engine", "onnx"),
    "transcribe, sets by an engine": (
        *("transcribe", CLIP, "--sets", "grid", "--engine", "ctranslate2"),
    ),
    "transcribe, a GPU by an engine": (
        *("transcribe", CLIP, "--engine", "ctranslate2", "--device", "cuda"),
    ),
    "enrol, no clips": ("sets", "enrol", "grid", "nowhere", "--name", "me", "-o", "out"),
    "transcribe, suffix": ("transcribe", CLIP, "-o", "a.docx"),
    "transcribe, preview's suffix": ("transcribe", CLIP, "--preview", "a.avi"),
    "transcribe, no mouth video": ("transcribe", CLIP, "--mouth-video", "no.mp4"),
    "transcribe, no landmarks": ("transcribe", CLIP, "--landmarks", "no.npy"),
    "transcribe, box": ("transcribe", CLIP, "--box", "1,2"),
    "crop, no file": ("crop", "no.mp4"),
    "crop, suffix": ("crop", CLIP, "-o", "a.txt"),
    "crop, sheet's suffix": ("crop", CLIP, "--sheet", "a.pdf"),
    "probe, no file": ("probe", "no.mp4"),
    "probe, a text": ("probe", CONFIGS / "avsr/grid_all.yaml"),
    "prepare, no data set": ("prepare", "gird", ".", *OUT),
    "prepare, no folder": ("prepare", "grid", "no", *OUT),
    "prepare, no output": ("prepare", "grid", "."),
    "prepare, no folder of masks": ("prepare", "kvasir", "no", *OUT),
    "prepare, no masks": ("prepare", "kvasir", ".", *OUT),
    "prepare, another kind's option": ("prepare", "kvasir", ".", *OUT, "--ray", "local"),
    "mix, no folder": ("mix", "no", *OUT, "--category", "music", "--snr", "0"),
    "mix, no category": ("mix", "no", *OUT, "--category", "rain", "--snr", "0"),
    "train, no file": ("train", "no.yaml"),
    "train, no task": ("train", "unknown.yaml"),
    "train, an evaluation": ("train", CONFIGS / "avsr/grid_evaluation.yaml"),
    "train, key": ("train", "key.yaml", "loop.stesp=3"),
    "train, no data set": ("train", "key.yaml", "data.dataset=esc51"),
    **{
        f"train, {task}, key": ("train", f"{task}.yaml", "loop.stesp=3")
        for task in ("lips", "agreement", "selector", "avsr")
    },
    "train, no method": ("train", "avsr.yaml", "method=lroa"),
    "train, no option of a method": ("train", "avsr.yaml", "options.rnak=3"),
    "train, no fusion": ("train", "avsr.yaml", "fusion=jiont"),
    "train, sounds, no method": ("train", "key.yaml", "method=lroa"),
    "transcribe, over the clip": ("transcribe", CLIP, "--preview", CLIP),
    "crop, over the clip": ("crop", CLIP, "-o", CLIP),
    "sets collect, key": ("sets", "collect", "sets.yaml", *OUT),
    "evaluate, no folder": ("evaluate", "no"),
    "evaluate, no file": ("evaluate", "no.yaml"),
    "evaluate, an experiment": ("evaluate", CONFIGS / "avsr/grid_all.yaml"),
    "evaluate, key": ("evaluate", CONFIGS / "avsr/grid_evaluation.yaml", "normalizer=grid"),
    "evaluate, no collection": ("evaluate", ".", "--sets", "gird"),
    "evaluate, another's option": ("evaluate", ".", "--part", "test"),
    "evaluate, no classifier": ("evaluate", "sounds.yaml"),
    "evaluate, masks, key": ("evaluate", "masks.yaml", "treshold=0.3"),
    "evaluate, masks, no data set": ("evaluate", "masks.yaml", "data.dataset=bsui"),
    "evaluate, no masks": ("evaluate", "masks.yaml", "masks=no.jsonl"),
    "classify, no set": ("classify", CLIP, "--sets", "birds"),
    "classify, no file": ("classify", "no.wav", "--sets", "."),
    "segment, no file": ("segment", "no.png", "a"),
    "segment, no words": ("segment", CONFIGS.parent / "docs/preview.jpg", ""),
    "segment, a text": ("segment", CONFIGS / "avsr/grid_all.yaml", "a"),
    "segment, no pictures": ("segment", ".", "a"),
    "segment, suffix": ("segment", CONFIGS.parent / "docs/preview.jpg", "a", "-o", "a.pdf"),
    "segment, of a video": ("segment", CLIP, "a", "-o", "a.png"),
    "segment, no model": ("segment", CONFIGS.parent / "docs/preview.jpg", "a", "--model", "."),
    "answer, no file": ("answer", "no.png", "a", "--model", "nowhere"),
    "answer, no words": ("answer", CONFIGS.parent / "docs/preview.jpg", ""),
    "answer, no model": ("answer", CONFIGS.parent / "docs/preview.jpg", "a", "--model", "."),
    "caption, no model": ("caption", CONFIGS.parent / "docs/preview.jpg", "--model", "nowhere"),
    "caption, beams": ("caption", CONFIGS.parent / "docs/preview.jpg", "--beams", "0"),
    "transcribe, no separator": ("transcribe", CLIP, "--separate", "scnees"),
    "separate, no file": ("separate", "no.wav", *OUT, "--model", "separator"),
    "separate, a text": ("separate", CONFIGS / "avsr/grid_all.yaml", *OUT, "--model", "separator"),
    "separate, no output": ("separate", CLIP, "--model", "separator"),
    "separate, no model": ("separate", CLIP, *OUT, "--model", "scnees"),
    "separate, no name of a model": ("separate", CLIP, *OUT, "--model", ""),
    "separate, a folder without": ("separate", CLIP, *OUT, "--model", "."),
    "separate, too many": ("separate", CLIP, *OUT, "--model", "separator", "--sources", "4"),
    "separate, none": ("separate", CLIP, *OUT, "--model", "separator", "--sources", "0"),
    "separate, labels": ("separate", CLIP, *OUT, "--model", "separator", "--label", "dog"),
    "separate, no track": ("separate", CLIP, *OUT, "--model", "separator", "--audio-track", "9"),
    "separate, in the way": ("separate", CLIP, "-o", ".", "--model", "separator"),
    "separate, over the clip": ("separate", CLIP, "-o", CLIP, "--model", "separator"),
    "paint, no file": ("paint", "no.wav", *PICTURE, "--model", "painter"),
    "paint, no output": ("paint", CLIP, "--model", "painter"),
    "paint, suffix": ("paint", CLIP, "-o", "a.pdf", "--model", "painter"),
    "paint, no model": ("paint", CLIP, *PICTURE, "--model", "scnees"),
    "paint, a folder without": ("paint", CLIP, *PICTURE, "--model", "."),
    "paint, steps": ("paint", CLIP, *PICTURE, "--model", "painter", "--steps", "0"),
    "paint, guidance": ("paint", CLIP, *PICTURE, "--model", "painter", "--guidance", "nan"),
    "paint, no pictures": ("paint", CLIP, *PICTURE, "--model", "painter", "--count", "0"),
    "paint, too many sources": ("paint", CLIP, *PICTURE, "--model", "painter", "--sources", "3"),
    "paint, seed": ("paint", CLIP, *PICTURE, "--model", "painter", "--seed", "-1"),
    "paint, no track": ("paint", CLIP, *PICTURE, "--model", "painter", "--audio-track", "9"),
    "paint, no adapter": ("paint", CLIP, *PICTURE, "--model", "painter", "--edges", CLIP),
    "paint, attribute": ("paint", CLIP, *PICTURE, "--model", "painter", "--attribute", "pitch"),
    "paint, no size": ("paint", CLIP, *PICTURE, "--model", "painter", "--size", "large"),
    "paint, no folder": ("paint", CLIP, *PICTURE, "--model", "painter", "--condition", "none"),
    "serve, no model": ("serve", "--model", "whisper-tny"),
    "serve, no sets": ("serve", "--model", "whisper-tiny.en+gird"),
    "serve, no port": ("serve", "--port", "70000"),
    "serve, no room": ("serve", "--queue", "0"),
    "serve, no token": ("serve", "--token", "two words "),
    "segment, over the clip": ("segment", CLIP, "a", "-o", CLIP),
    "sets show, no collection": ("sets", "show", "gird"),
    "sets merge, no collection": ("sets", "merge", "gird", "audio", *OUT),
    "sets merge, no set": ("sets", "merge", "grid", "low", *OUT),
    "sets merge, in the way": ("sets", "merge", "grid", "audio", "-o", "."),
    "sets export, no set": ("sets", "export", "grid", "low", *OUT),
    "sets export, no output": ("sets", "export", "grid", "audio"),
    "sets collect, no file": ("sets", "collect", "no.yaml", *OUT),
    "sets collect, an experiment": ("sets", "collect", CONFIGS / "avsr/grid_all.yaml", *OUT),
    "no command": ("sing",),
    "no option": ("transcribe", CLIP, "--colour"),
}


@pytest.mark.parametrize("arguments", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_before_anything_of_models_is_loaded(tmp_path, arguments):
    (tmp_path / "unknown.yaml").write_text("task: dance\n")
    (tmp_path / "key.yaml").write_text("task: audio_classification\n")
    (tmp_path / "sounds.yaml").write_text(
        "task: audio_classification_evaluation\nclassifier: nowhere\n"
    )
    (tmp_path / "masks.yaml").write_text("task: segmentation_evaluation\nsegmenter: scenes\n")
    for task in ("lips", "agreement", "selector", "avsr"):
        (tmp_path / f"{task}.yaml").write_text(f"task: {task}\n")
    (tmp_path / "sets.yaml").write_text("task: avsr_collection\nsesl: {}\n")
    (tmp_path / "separator").mkdir()
    (tmp_path / "separator/separator.json").write_text(
        json.dumps(asdict(SeparatorCard(network={"sources": 3})))
    )
    (tmp_path / "painter").mkdir()
    card = PainterCard("", "", {"sources": 2}, 20, 7.5, "", "", "", 0, 0)
    (tmp_path / "painter/painter.json").write_text(json.dumps(asdict(card)))
    before = sorted(tmp_path.iterdir())
    assert not loaded(tmp_path, 2, *arguments) & set(HEAVY)
    assert sorted(tmp_path.iterdir()) == before


MEANT = {
    "an entry": ("avsr.yaml", "metod=lora", "method"),
    "an entry deeper down": ("lips.yaml", "data.foldr=x", "folder"),
    "a method": ("avsr.yaml", "method=lroa", "lora"),
    "an option of a method": ("avsr.yaml", "options.rnak=3", "rank"),
    "a fusion": ("avsr.yaml", "fusion=jiont", "joint"),
    "a method for sounds": ("audio_classification.yaml", "method=bottelneck", "bottleneck"),
}


@pytest.mark.parametrize(("name", "change", "meant"), MEANT.values(), ids=MEANT)
def test_what_was_meant_is_told(tmp_path, capsys, name, change, meant):
    (tmp_path / name).write_text(f"task: {name.removesuffix('.yaml')}\n")
    assert run(["train", str(tmp_path / name), change]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "Did you mean" in told and f"'{meant}'" in told.rpartition("Did you mean")[2]


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("prepare", "[OPTIONS] NAME SOURCE"),
        ("train", "[OPTIONS] CONFIG [CHANGES]..."),
        ("classify", "[OPTIONS] CLIP..."),
        ("sets merge", "[OPTIONS] NAME SET"),
    ],
)
def test_the_usage_names_what_must_be_given_without_braces(capsys, command, usage):
    assert run([*command.split(), "--help"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(f" {command} {usage}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_default_stands_in_one_pair_of_brackets(capsys, command):
    assert run([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[default: (" not in text and "{" not in text.partition("Arguments:")[0]


def test_every_command_is_among_those_tried():
    tried = {str(arguments[0]) for arguments in MISTAKES.values()}
    assert set(COMMANDS) <= tried | {"methods"}
