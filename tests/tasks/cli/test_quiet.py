"""What libraries say of damaged media and unusual inputs does not reach the user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Runs the program with a function in place that speaks as libraries do, and then fails as ours do.
PROGRAM = """
import importlib, logging, sys, warnings

def speak(*_arguments, **_options):
    warnings.warn("of a library")
    warnings.warn("of another", FutureWarning)
    logging.getLogger("libav.h264").error("error while decoding MB 3 7")
    logging.getLogger("transformers.generation.utils").warning("did not predict an ending")
    raise ValueError("what is wrong")

module, name = sys.argv[1].rsplit(".", 1)
setattr(importlib.import_module(module), name, speak)
from tasks.__main__ import run
sys.exit(run(sys.argv[2:]))
"""
COMMANDS = {
    "probe": ("data_prep.media.probe", "probe", "a.mp4"),
    "methods": ("fusion.papers.table.read_methods", "methods"),
    "sets list": ("tasks.avsr.sets.collection.list_collections", "sets", "list"),
    "sets show": ("tasks.avsr.sets.collection.find_collection", "sets", "show", "grid"),
    "sets export": ("tasks.avsr.sets.export.find_set", "sets", "export", "a", "b", "-o", "c"),
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_no_command_lets_libraries_speak(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mcgurk: what is wrong\n"
