"""Whole commands against scripts of peers that write the same, each in a process of its own."""

import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from bench.compare import Row, paired
from bench.peak import ROOT, run_command
from modalities.speech.whisper_files import offline_folder

ROUNDS = 7
WHAT = "whole process: mcgurk transcribe {name} -o x.srt"
PEER = "a script of faster-whisper int8 with VAD and words"


def rows(given: Namespace) -> list[Row]:
    """Run both commands in turn, with their files in the system's cache."""
    sound = given.data / "speech/jfk.flac"
    sound = sound if sound.is_file() else ROOT / "tests/assets/white_house_address.mp4"
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "x.srt")
        ours = ["-m", "tasks", "transcribe", str(sound), "-o", output, "--no-video"]
        theirs = ["-m", "bench.faster_whisper_command", str(offline_folder()), str(sound), output]
        commands = [[sys.executable, *ours], [sys.executable, *theirs]]
        for command in commands:
            run_command(command)
        rounds = [[run_command(command) for command in commands] for _ in range(ROUNDS)]
    what = WHAT.format(name=sound.name)
    return [
        paired(f"{what}, time", PEER, [(a[0], b[0]) for a, b in rounds], "s", "<= 1.2"),
        paired(f"{what}, peak memory", PEER, [(a[1], b[1]) for a, b in rounds], "MB", "<= 1.5"),
    ]
