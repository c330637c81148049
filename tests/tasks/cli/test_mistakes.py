"""A user's mistake gets one line on stderr and exit code 2, never a traceback or half a file."""

import os
import random
import shutil
import subprocess
import sys
from inspect import unwrap
from typing import get_type_hints

import av
import numpy as np
import pytest
from typer.main import get_command

from tasks.__main__ import run
from tasks.cli import app


def fails(capsys, *arguments: object) -> str:
    """Run the program, check the form of its failure, and return its line."""
    code = run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    assert err.startswith("mcgurk: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


def write_sound(path, samples: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_missing_file(capsys, tmp_path):
    assert "nowhere.mp4" in fails(capsys, "transcribe", tmp_path / "nowhere.mp4")


def test_folder(capsys, tmp_path):
    assert str(tmp_path) in fails(capsys, "transcribe", tmp_path)


def test_empty_file(capsys, tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "empty" in fails(capsys, "transcribe", path)


def test_text_named_mp4(capsys, tmp_path):
    path = tmp_path / "letter.mp4"
    path.write_text("Dear reader, this is not a video at all.\n" * 50)
    assert "letter.mp4" in fails(capsys, "transcribe", path)


def test_truncated_mp4(capsys, tmp_path, demo_clip):
    path = tmp_path / "half.mp4"
    path.write_bytes(demo_clip.read_bytes()[:5_000])
    assert "half.mp4" in fails(capsys, "transcribe", path)


def test_video_without_sound(capsys, tmp_path, demo_clip):
    path = tmp_path / "mute.mp4"
    with av.open(str(demo_clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert "without sound" in fails(capsys, "transcribe", path)


def test_not_a_number_samples(capsys, tmp_path, engine_name):
    path = tmp_path / "nan.wav"
    write_sound(path, np.full(16_000, np.nan))
    assert "NaN" in fails(capsys, "transcribe", path, "--engine", engine_name)


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_short_and_silent_sound_is_no_mistake(capsys, tmp_path, seconds, engine_name):
    path = tmp_path / "short.wav"
    write_sound(path, np.zeros(round(seconds * 16_000)))
    assert run(["transcribe", str(path), "--engine", engine_name]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "No speech" in err


def test_unknown_model_lists_the_catalog(capsys, demo_clip, engine_name):
    asked = ("--model", "whisper-huge", "--engine", engine_name)
    line = fails(capsys, "transcribe", demo_clip, *asked)
    assert "whisper-huge" in line and "whisper-tiny.en" in line


def test_corrupt_model_folder(capsys, tmp_path, demo_clip, engine_name):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"\x06\x00\x00\x00 not a model")
    (folder / "config.json").write_text("{}")
    asked = ("--model", folder, "--engine", engine_name)
    assert "model" in fails(capsys, "transcribe", demo_clip, *asked)


def test_unknown_suffix_is_told_before_any_work(capsys, tmp_path, demo_clip):
    assert ".docx" in fails(capsys, "transcribe", demo_clip, "-o", tmp_path / "out.docx")


def test_preview_of_a_sound_file(capsys, tmp_path):
    path = tmp_path / "sound.wav"
    write_sound(path, np.zeros(16_000))
    line = fails(capsys, "transcribe", path, "--preview", tmp_path / "out.mp4")
    assert "no video" in line


def test_preview_over_the_input(capsys, tmp_path, demo_clip):
    path = tmp_path / "clip.mp4"
    shutil.copy(demo_clip, path)
    assert "input itself" in fails(capsys, "transcribe", path, "--preview", path)
    assert path.read_bytes() == demo_clip.read_bytes()


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "1,2,0,5"])
def test_bad_box(capsys, demo_clip, box):
    fails(capsys, "transcribe", demo_clip, "--box", box)


@pytest.mark.parametrize(
    "arguments", [["transcribe"], ["transcribe", "a", "--colour"], ["sing", "a"]]
)
def test_wrong_usage(capsys, arguments):
    fails(capsys, *arguments)


def test_an_option_of_one_value_that_is_given_twice_is_refused(capsys, tmp_path):
    pictures = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    typed = ["answer", pictures[0], "both are red", "--and", pictures[1], "--and", pictures[2]]
    assert "--and is given 2 times; expected once." in fails(capsys, *typed)
    typed = ["transcribe", pictures[0], "-o", "a.srt", "-o", "a.json", "--json", "--json"]
    assert "times" not in fails(capsys, *typed)


@pytest.mark.parametrize("group", [[], ["sets"]], ids=["mcgurk", "sets"])
def test_a_group_without_a_command_shows_its_help_line_by_line(capsys, group):
    assert run([*group, "--help"]) == 0
    help_ = capsys.readouterr().out
    assert run(group) == 2
    assert capsys.readouterr() == ("", help_)
    assert help_.count("\n") > 8


def test_interrupt_exits_130_and_leaves_no_file(capsys, tmp_path, demo_clip, monkeypatch):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("tasks.avsr.outputs.preview.Painter.subtitle", interrupt)
    out = tmp_path / "out.mp4"
    assert run(["transcribe", str(demo_clip), "--preview", str(out)]) == 130
    assert "mcgurk: interrupted" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_the_commands_are_loaded_is_told_in_a_line(capsys, monkeypatch):
    import tasks.__main__ as program

    def interrupt(_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_run", interrupt)
    assert run(["answer"]) == 130
    assert capsys.readouterr().err.startswith("mcgurk: interrupted; ")


def test_an_interrupt_inside_a_library_is_an_interrupt(capsys, demo_clip, monkeypatch):
    """Torch turns an interrupt in its C code into errors of its own."""
    import tasks.__main__ as program

    def interrupt(*_args, **_kwargs):
        program.interrupts.append(2)
        raise ValueError("could not determine the shape of object type")

    monkeypatch.setattr(program, "interrupts", [])
    monkeypatch.setattr("modalities.speech.whisper.build_model", interrupt)
    assert run(["transcribe", str(demo_clip), "--engine", "torch"]) == 130
    assert (
        capsys.readouterr().err
        == "mcgurk: interrupted; what was finished is kept, nothing is left half-written.\n"
    )


RAISES = "import signal; signal.raise_signal(signal.SIGINT)"
WHERE_INTERRUPTS_ARE_LOST = {
    "exec of a library": f"exec({RAISES!r})",  # Python otherwise ends a program by the signal
    "__del__": f"type('Gone', (), {{'__del__': lambda self: exec({RAISES!r})}})(); time.sleep(600)",
}


@pytest.mark.parametrize("body", WHERE_INTERRUPTS_ARE_LOST.values(), ids=WHERE_INTERRUPTS_ARE_LOST)
def test_an_interrupt_exits_130_wherever_it_arises(tmp_path, body):
    program = run_as_program(tmp_path, body)
    assert program.returncode == 130
    assert (
        program.stderr
        == "mcgurk: interrupted; what was finished is kept, nothing is left half-written.\n"
    )


def test_an_interrupt_of_a_child_that_is_just_made_is_not_told(tmp_path):
    """Ctrl-C reaches it too, before it is the program that it is to be."""
    body = (
        f"os.register_at_fork(after_in_child=lambda: exec({RAISES!r}))\n"
        "    done = subprocess.run(['true'], preexec_fn=lambda: None)\n"
        "    print(done.returncode)"
    )
    program = run_as_program(tmp_path, body)
    assert (program.returncode, program.stdout, program.stderr) == (0, "0\n", "")


def run_as_program(tmp_path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose only command does what is said."""
    (tmp_path / "interrupted.py").write_text(
        "import os, subprocess, time\n"
        "import tasks.cli\n"
        "from tasks.__main__ import main\n"
        "def app(*_, **__):\n"
        f"    {body}\n"
        "tasks.cli.app = app\n"
        "main()\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "interrupted"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_file_that_cannot_be_written_is_named(capsys, tmp_path, demo_clip):
    (tmp_path / "file").touch()
    code = run(["transcribe", str(demo_clip), "-o", str(tmp_path / "file/out.srt")])
    assert code == 2
    assert "out.srt: cannot be written" in capsys.readouterr().err


def damaged(data: bytes, seed: int) -> bytes:
    """Flip and cut bytes."""
    rng = random.Random(seed)
    broken = bytearray(data)
    for _ in range(rng.choice([1, 10, 100, 1000])):
        broken[rng.randrange(len(broken))] = rng.randrange(256)
    if rng.random() < 0.5:
        start = rng.randrange(len(broken))
        del broken[start : start + rng.choice([1, 100, 10_000, len(broken)])]
    return bytes(broken)


def check_damaged(capsys, tmp_path, demo_clip, engine: str, seed: int) -> None:
    path = tmp_path / f"{seed}.mp4"
    path.write_bytes(damaged(demo_clip.read_bytes(), seed))
    code = run(["transcribe", str(path), "--json", "--engine", engine])
    out, err = capsys.readouterr()
    assert code in (0, 2), err
    if code == 2:
        assert out == "" and err.startswith("mcgurk: ") and err.count("\n") == 1, err
    else:
        assert err == "" and out.count("\n") == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("seed", range(12))
def test_damaged_clips_end_in_a_result_or_a_line(capsys, tmp_path, demo_clip, engine_name, seed):
    check_damaged(capsys, tmp_path, demo_clip, engine_name, seed)


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize("seed", range(12, 200))
def test_many_damaged_clips(capsys, tmp_path, demo_clip, engine_name, seed):
    check_damaged(capsys, tmp_path, demo_clip, engine_name, seed)


@pytest.mark.parametrize("option", ["-o", "--report", "--sheet"])
def test_a_crop_never_overwrites_its_own_input(option, demo_clip, tmp_path, capsys):
    clip = tmp_path / "clip.mp4"
    shutil.copyfile(demo_clip, clip)
    before = clip.read_bytes()
    link = tmp_path / {"-o": "clip.mp4", "--report": "a.json", "--sheet": "a.png"}[option]
    if link != clip:
        link.symlink_to(clip)
    assert run(["crop", str(clip), option, str(link)]) == 2
    assert "is the input itself" in capsys.readouterr().err
    assert clip.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("segment", "a.png", "a face", "--model", ""), "--model is empty; expected a value, or "),
        (("segment", "a.png", "a face", "-o", ""), "--output is empty; expected a value, or leave"),
        (("segment", "", "a face"), "FILE is empty; expected a value."),
        (("transcribe", "a.mp4", "--sets="), "--sets is empty; "),
        (("transcribe", "a.mp4", "-o", "a.srt", "-o", ""), "--output is empty; "),
        (("classify", "a.wav", ""), "CLIP is empty; "),
        (("evaluate", ""), "TARGET is empty; "),
        (("train", ""), "CONFIG is empty; "),
        (("train", "a.yaml", ""), "a.yaml"),
        (("sets", "show", ""), "NAME is empty; "),
    ],
)
def test_an_empty_value_is_not_the_current_folder(capsys, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert told in fails(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("classify", "a.wav", "--top", "x"), "--top is 'x'; expected a whole number, as 3."),
        (("classify", "a.wav", "--top", "2.5"), "--top is '2.5'; expected a whole number, as 3."),
        (
            ("paint", "a.wav", "-o", "a.png", "--guidance", "3,5"),
            "--guidance is '3,5'; expected a num",
        ),
        (
            ("separate", "a.wav", "-o", "a", "--sources", "two"),
            "--sources is 'two'; expected a whole",
        ),
        (("mix", "a", "--processes", " "), "--processes is ' '; expected a whole number, as 3."),
    ],
)
def test_what_is_no_number_is_told_with_what_came(capsys, arguments, told):
    assert f"mcgurk: {told}" in fails(capsys, *arguments)


def test_every_number_of_every_command_is_checked_in_our_words(capsys):
    checked = set()
    for name, command in get_command(app).commands.items():
        hints = get_type_hints(unwrap(command.callback)) if command.callback else {}
        for option in command.params:
            if hints.get(option.name) in (int, int | None, float, float | None):
                told = fails(capsys, name, option.opts[-1], "x")
                assert f"{option.opts[-1]} is 'x'; expected a " in told
                checked.add(option.opts[-1])
    assert {"--top", "--steps", "--guidance", "--audio-track", "--sources"} <= checked
