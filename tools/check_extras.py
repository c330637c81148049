"""Install each extra alone into a fresh environment, and try what it promises: `make extras`."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = "base"  # mcgurk without an extra
# torch and the 4 GB that it brings; all else is installed anew each time.
LINKED = re.compile(r"(torch|torchaudio|triton|nvidia[-_].*|cuda[-_].*)$", re.I)

# All but the server, whose modules are an extra's.
IMPORT_ALL = """
import importlib, pkgutil
for top in ("modalities", "fusion", "data_prep", "tasks"):
    for module in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
        if not module.name.endswith("__main__") and not module.name.startswith("tasks.serving."):
            importlib.import_module(module.name)
from tasks.__main__ import run
assert run(["methods"]) == 0
"""
TRANSCRIBE = """
import numpy as np
from tasks.avsr import AVSRPipeline
noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
AVSRPipeline("whisper-tiny.en").transcribe(noise, rate_hz=16_000)
"""
ON_RAY = """
from ray import serve
from data_prep.workers.ray_cluster import run_on_ray
assert list(run_on_ray(len, ["ab", "c"], "local", 1)) in ([2, 1], [1, 2])
"""
CUTS = """
import numpy as np
from pathlib import Path
from data_prep.clips.lhotse_cuts import find_cut_clips, write_cuts
from data_prep.clips.manifest import Clip
from data_prep.media.wav import encode_wav
Path("a.wav").write_bytes(encode_wav(np.zeros(16_000)))
write_cuts([Clip("a", "a.wav", "nothing", duration_s=1.0)], ".", "cuts.jsonl.gz")
assert [clip.text for clip in find_cut_clips("cuts.jsonl.gz")] == ["nothing"]
"""
FONTS = """
from tasks.pictures.fonts import find_fonts
found, missing = find_fonts("กขนमहঅক", [])
assert not missing, missing
assert sum("fontpkg" in str(path) for path in found) == 3, found
"""
MASKS = """
import numpy as np, pydicom, segmentation_models_pytorch as smp, torch
from monai.metrics import compute_hausdorff_distance
corner, moved = torch.zeros(2, 1, 1, 8, 8)
corner[..., 0, 0] = moved[..., 0, 3] = 1
assert compute_hausdorff_distance(corner, moved, include_background=True).item() == 3
unet = smp.Unet("resnet18", encoder_weights=None).eval()  # imports timm, and that torchvision
assert unet(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
from tasks.segmentation import Segmenter
[found] = Segmenter.load("scenes").segment(np.zeros((40, 60, 3), np.float32), ["a circle"])
assert found.mask.shape == (40, 60)
"""
SPECTROGRAMS = """
import numpy as np
from pathlib import Path
from tasks.audio_to_image.separation.spectrogram import Caption, Spectrograms, draw_spectrograms
found = Spectrograms(1, 16_000)
found.add(np.zeros((1, 16_000), np.float32))
draw_spectrograms(found, [Caption("silence")], Path("a.png"))
assert Path("a.png").stat().st_size
"""
GRIDS = """
import numpy as np, torch
from modalities.vision_language.grid_files import random_grid_encoder
encoder = random_grid_encoder("resnet")
assert encoder(encoder.prepare(np.zeros((9, 7, 3), np.float32))[None]).shape == (1, 36, encoder.dim)
"""
PAINTED = """
from modalities.diffusion.sampling import sample
from modalities.diffusion.small import SmallDenoiserOptions, build_small
sizes = dict(height=8, width=8, channels=(16, 16), attention=(0,), heads=2, groups=4, token_dim=8)
denoiser = build_small(SmallDenoiserOptions(**sizes))
assert sample(denoiser, [0], steps=2).isfinite().all()
"""
SERVED = """
from pathlib import Path
from fastapi.testclient import TestClient
from tasks.serving.app import build_app
from tasks.serving.served_models import ServedModel
from tasks.serving.server import Server
from tasks.serving.service import Service
client = TestClient(build_app(Service({"a": ServedModel("a", "a")}, lambda one: one, Path("."))))
assert client.get("/v1/models").json()["data"][0]["id"] == "a"
body = b'--x\\r\\nContent-Disposition: form-data; name="model"\\r\\n\\r\\na\\r\\n--x--\\r\\n'
headers = {"content-type": "multipart/form-data; boundary=x"}
answer = client.post("/v1/audio/transcriptions", content=body, headers=headers)
assert answer.status_code == 400 and "file" in answer.json()["error"]["message"]
"""
PEERS = """
import librosa, numpy as np, psutil
from ai_edge_litert.interpreter import Interpreter
from faster_whisper import WhisperModel
from whisper.model import ModelDimensions, Whisper
assert librosa.feature.melspectrogram(y=np.zeros(16_000, np.float32), sr=16_000).shape[0] == 128
Whisper(ModelDimensions(80, 10, 8, 1, 1, 99, 4, 8, 1, 1))
"""
DEVELOP = f"""
import importlib, subprocess, sys
names = "attrs hypothesis pytest_timeout xdist ray lhotse webvtt srt pysubs2 openai fastapi"
for name in names.split():
    importlib.import_module(name)
root = {str(ROOT)!r}
for tool in ("pytest -q tests/test_layout.py", "ruff check tools", "pyright tools/marks.py"):
    subprocess.run([sys.executable, "-m", *tool.split()], check=True, cwd=root)
importlib.import_module("importlinter.cli")
"""
# What is run in an empty folder after an extra was installed.
CHECKS = {
    BASE: IMPORT_ALL,
    "offline": TRANSCRIBE,
    "ray": ON_RAY,
    "lhotse": CUTS,
    "fonts": FONTS,
    "segmentation": MASKS,
    "separation": SPECTROGRAMS,
    "clip": GRIDS,
    "diffusion": PAINTED,
    "serve": SERVED,
    "bench": PEERS,
    "dev": DEVELOP,
}


def main() -> None:
    """Check the extras that are named, or all; exit with 1 where one does not work by itself."""
    parser = argparse.ArgumentParser(prog="python -m tools.check_extras", description=__doc__)
    parser.add_argument("extras", nargs="*", help=f"of {', '.join(CHECKS)}; all without")
    parser.add_argument(
        "--link-torch", action="store_true", help="take torch from this environment by links"
    )
    given = parser.parse_args()
    unknown = set(given.extras) - set(CHECKS)
    if unknown:
        parser.error(f"no extra {', '.join(sorted(unknown))}; known: {', '.join(CHECKS)}")
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        failed = [
            extra
            for extra in given.extras or CHECKS
            if not _report(extra, check_extra(extra, wheel, given.link_torch))
        ]
    sys.exit(1 if failed else 0)


def listed_extras() -> dict[str, list[str]]:
    """Return what pyproject.toml asks for, by extra."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]["optional-dependencies"]


def build_wheel(folder: Path) -> Path:
    """Build mcgurk's own wheel into a folder and return it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)
    return next(folder.glob("mcgurk-*.whl"))


def check_extra(extra: str, wheel: Path, link_torch: bool) -> str | None:
    """Install one extra into an environment of its own and run its check.

    Args:
        extra: A name of `CHECKS`.
        wheel: The file of mcgurk that `build_wheel` returned.
        link_torch: Link torch and what it brings from this environment, instead of installing it.

    Returns:
        None, or the last lines of what failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv/bin/python")
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        if link_torch:
            link_packages(site_of(python))
        wanted = str(wheel) if extra == BASE else f"{wheel}[{extra}]"
        constraints = ["-c", str(ROOT / "constraints.txt")]
        install = [str(python), "-m", "pip", "install", "--quiet", *constraints, wanted]
        empty = Path(folder, "empty")
        empty.mkdir()
        for command in (install, [str(python), "-c", CHECKS[extra]]):
            done = subprocess.run(
                command, cwd=empty, text=True, capture_output=True, env=_environment()
            )
            if done.returncode:
                return "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
    return None


def site_of(python: Path) -> Path:
    """Return where an interpreter's packages are."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def link_packages(site: Path) -> None:
    """Link torch's packages of this environment into another's folder of packages, file by file.

    pip then takes them for installed there. Folders are made anew, so that whatever it writes or
    removes beside the links leaves this environment as it is.
    """
    for found in distributions():
        if LINKED.match(found.metadata["Name"]):
            for file in found.files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    target = site / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.symlink_to(str(found.locate_file(file)))


def _environment() -> dict[str, str]:
    """Return this environment without what would bring other packages along."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _report(extra: str, failure: str | None) -> bool:
    print(f"{extra}: {'works by itself' if failure is None else f'FAILED{chr(10)}{failure}'}")
    sys.stdout.flush()
    return failure is None


if __name__ == "__main__":
    main()
