"""Features of images: made once, kept by what is in a file and by whose features they are."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.media.wav import encode_wav
from modalities.vision_language.grid_encoder import GridEncoder
from modalities.vision_language.grid_files import random_grid_encoder
from tasks.training.feature_files import OWNER
from tasks.vision_language import images
from tasks.vision_language.images import ImageFeatures

ROOT = Path(__file__).parents[3]
SCENE = ROOT / "tests/assets/scene.png"


@pytest.fixture(scope="module")
def encoder() -> GridEncoder:
    return random_grid_encoder("vit")


def counting(encoder: GridEncoder, monkeypatch) -> list[int]:
    """Return how many pictures each call of the encoder is given, from now on."""
    seen: list[int] = []
    monkeypatch.setattr(
        encoder, "forward", lambda p: seen.append(len(p)) or GridEncoder.forward(encoder, p)
    )
    return seen


def write_pictures(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{number}.png") for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (9 + number, 7), (10 * number, 100, 255 - 10 * number)).save(path)
    return paths


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.safetensors")]


def test_features_are_those_of_the_encoder_in_the_order_of_the_paths(encoder):
    features = ImageFeatures(encoder)
    with torch.no_grad():
        expected = encoder(encoder.prepare(Image.open(SCENE))[None])[0]
    found = features.of([str(SCENE), str(SCENE)])
    assert found.shape == (2, features.tokens, features.dim) == (2, 36, 32)
    assert found.dtype == torch.float32 and not found.requires_grad
    for row in found:
        torch.testing.assert_close(row, expected)
    assert features.of([]).shape == (0, 36, 32)


def test_each_image_is_computed_once_and_read_by_the_next_run(encoder, tmp_path, monkeypatch):
    paths, seen = write_pictures(tmp_path / "in", 20), counting(encoder, monkeypatch)
    first = ImageFeatures(encoder, tmp_path / "kept")
    found = first.of([*paths, *paths[:5]])
    assert sum(seen) == 20 and torch.equal(found[20:], found[:5])
    first.flush()
    moved = [shutil.copy(path, tmp_path / f"moved{n}.png") for n, path in enumerate(paths)]
    again = ImageFeatures(encoder, tmp_path / "kept")
    assert torch.equal(again.of(moved[::-1]), found[:20].flip(0))
    assert sum(seen) == 20
    with Image.open(paths[0]) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((30, 30)).save(moved[0])
    assert again.of(moved[:2]).shape[0] == 2 and sum(seen) == 21


def test_in_memory_nothing_is_written(encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = counting(encoder, monkeypatch)
    features = ImageFeatures(encoder)
    for _ in range(2):
        features.of([str(SCENE)])
    features.fill([str(SCENE)])
    assert seen == [1] and not list(tmp_path.rglob("*"))


def test_filling_tells_how_far_it_is_and_goes_on_after_a_broken_image(
    encoder, tmp_path, monkeypatch
):
    paths = write_pictures(tmp_path / "in", 40)
    broken = tmp_path / "in/broken.png"
    broken.write_bytes(Path(paths[0]).read_bytes()[:50])
    seen, told = counting(encoder, monkeypatch), []
    features = ImageFeatures(encoder, tmp_path / "kept")
    with pytest.raises(ValueError, match=r"broken.png cannot be read as a picture") as caught:
        features.fill([*paths[:32], str(broken), *paths[32:]])
    assert "\n" not in str(caught.value)
    assert sum(seen) == 32 and len(files(tmp_path)) == 1
    again = ImageFeatures(encoder, tmp_path / "kept")
    again.fill(paths * 2, lambda *done: told.append(done))
    assert sum(seen) == 40 and told[0] == (40, 40) == told[-1]
    ImageFeatures(encoder, tmp_path / "kept").fill(paths)
    assert sum(seen) == 40


def test_a_folder_of_another_encoder_is_refused_in_one_line(encoder, tmp_path):
    ImageFeatures(encoder, tmp_path).fill([str(SCENE)])
    told = json.loads((tmp_path / OWNER).read_text())
    assert told["name"] == "vit-random" and told["identity"]["extractor"] == encoder.identity
    for other, reason in (
        (random_grid_encoder("scenes"), "'vit-random', as 'scenes-random' is asked for"),
        (random_grid_encoder("vit", seed=1), "'vit-random', with other weights or settings"),
        (random_grid_encoder("vit", grid=5), "'vit-random', with other weights or settings"),
    ):
        with pytest.raises(ValueError, match=f"features of another extractor, {reason}") as caught:
            ImageFeatures(other, tmp_path)
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    assert len(files(tmp_path)) == 1


def test_a_folder_that_became_another_encoders_meanwhile_is_refused(encoder, tmp_path):
    mine = ImageFeatures(encoder, tmp_path)
    ImageFeatures(random_grid_encoder("scenes"), tmp_path).fill([str(SCENE)])
    with pytest.raises(ValueError, match="another extractor, 'scenes-random'"):
        mine.fill([str(SCENE)])
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": "a"}'])
def test_a_damaged_note_on_whose_features_they_are_is_told(encoder, tmp_path, text):
    (tmp_path / OWNER).write_text(text)
    with pytest.raises(ValueError, match=f"{OWNER} is damaged .* computed again"):
        ImageFeatures(encoder, tmp_path)


def test_files_that_are_no_pictures_are_told_by_name(encoder, tmp_path):
    features = ImageFeatures(encoder, tmp_path / "kept")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(ValueError, match="text.png cannot be read as a picture"):
        features.of([str(SCENE), str(text)])
    with pytest.raises(FileNotFoundError, match="There is no file .*none.png; expected a picture"):
        features.of([str(tmp_path / "none.png")])
    with pytest.raises(FileNotFoundError, match=f"There is no file {tmp_path}; expected a picture"):
        features.of([str(tmp_path)])
    assert not (tmp_path / "kept").exists()


def test_pictures_of_all_kinds_are_read_as_elsewhere(encoder, tmp_path):
    turned, deep, grey = (tmp_path / name for name in ("turned.jpg", "deep.png", "grey.png"))
    exif = Image.Exif()
    exif[274] = 6
    half = Image.new("RGB", (40, 20))
    half.paste((255, 255, 255), (0, 0, 20, 20))
    half.save(turned, exif=exif, quality=100)
    half.rotate(-90, expand=True).save(tmp_path / "upright.png")
    ramp = torch.linspace(0, 255, 30).byte().expand(20, -1).numpy()
    Image.fromarray(ramp.astype("uint16") * 257).save(deep)
    Image.fromarray(ramp).save(grey)
    names = [turned, tmp_path / "upright.png", deep, grey]
    found = ImageFeatures(encoder).of([str(path) for path in names])
    torch.testing.assert_close(found[0], found[1], atol=0.05, rtol=0.05)
    torch.testing.assert_close(found[2], found[3])
    assert (found[1] - found[2]).abs().max() > 0.1


PROGRAM = """
import os, signal, sys
import torch
from torch import nn
from modalities.vision_language.grid_encoder import ClipPictures, GridEncoder
from tasks.training import kept_features
from tasks.vision_language import images

class Trunk(nn.Module):
    dim, cells, told = 3, 2, "mean"
    def forward(self, pixels):
        return nn.functional.adaptive_avg_pool2d(pixels, 2)

images.BATCH, kept_features.FILE_BYTES = 2, 200
folder, end, *paths = sys.argv[1:]
calls = []
def show(done, total):
    calls.append(done)
    if end == "killed" and done >= 11:
        os.kill(os.getpid(), signal.SIGKILL)
features = images.ImageFeatures(GridEncoder(Trunk(), ClipPictures(4), "mean"), folder)
features.fill(paths, show)
print(len(calls), float(features.of(paths).sum()))
"""


def start(folder: Path, end: str, paths: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(folder), end, *paths]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_killed_filling_is_resumed_and_two_programs_share_a_folder(tmp_path):
    paths, kept = write_pictures(tmp_path / "in", 24), tmp_path / "kept"
    assert start(kept, "killed", paths).wait(100) == -signal.SIGKILL
    both = [start(kept, "", paths), start(kept, "", paths[::-1])]
    told = [program.communicate(timeout=100)[0].split() for program in both]
    # Files of 5 images had been written as it died at the 12th; 14 are left, two at a time.
    assert all(int(calls) <= 7 + 1 for calls, _ in told)
    assert float(told[0][1]) == pytest.approx(float(told[1][1]), abs=1e-3)
    assert not list(kept.rglob(".*"))


def test_sizes_of_batches_do_not_matter(encoder, tmp_path, monkeypatch):
    paths = write_pictures(tmp_path, 7)
    expected = ImageFeatures(encoder).of(paths)
    monkeypatch.setattr(images, "BATCH", 3)
    torch.testing.assert_close(ImageFeatures(encoder).of(paths), expected)


class Loudness:
    """An encoder of sounds: the loudest sample of each."""

    name, takes, tokens, dim, identity = "loudness", "sound", 2, 1, "1"

    def prepare(self, read):
        return torch.as_tensor(read)

    def to(self, device):
        return self

    def __call__(self, waveform):
        return waveform.abs().amax(1)[:, None, None].expand(-1, 2, 1)


def test_sounds_of_several_lengths_are_kept_as_images_are(tmp_path):
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    for number, path in enumerate(paths):
        sound = np.full(1600 + 800 * (number % 2), 0.1 * (number + 1))
        Path(path).write_bytes(encode_wav(sound))
    features = ImageFeatures(Loudness(), tmp_path / "kept")
    expected = torch.tensor([0.1, 0.2, 0.3])[:, None, None].expand(-1, 2, 1)
    torch.testing.assert_close(features.of(paths), expected, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="scene.png"):
        features.of([str(SCENE)])
    with pytest.raises(FileNotFoundError, match="none.wav; expected a sound"):
        features.of([str(tmp_path / "none.wav")])
