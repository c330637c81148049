"""Adapters of edges, attributes and sizes, trained on a painter that stays as it was."""

from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MANIFEST, MixedSound, write_mixtures
from modalities.audio_text.small_audio_text import build_small_audio_text, save_small_audio_text
from tasks.audio_to_image.painting.card import PainterCard
from tasks.audio_to_image.painting.condition_training.config import ConditionConfig
from tasks.audio_to_image.painting.conditions.card import CONDITIONS, read_condition_card
from tasks.audio_to_image.painting.config import PictureDataOptions
from tasks.training.options import LoopOptions

pytest.importorskip("diffusers")
LOOP = LoopOptions(steps=4, batch=4, warmup=0, measure_every=2, learning_rate=3e-3)


@pytest.fixture(scope="module")
def painter(base, tmp_path_factory) -> Path:
    """A painter that nobody trained, which hears tones as a whole."""
    from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
    from modalities.diffusion.denoiser_files import load_denoiser
    from tasks.audio_to_image.painting.ear import load_ear
    from tasks.audio_to_image.painting.painter_files import save_painter

    folder = tmp_path_factory.mktemp("painter")
    save_small_audio_text(
        build_small_audio_text(("low", "high"), dim=4, widths=(8, 8)), folder / "ear"
    )
    options = AudioAdapterOptions(sources=1, dim=4, hidden=16, dropout=0.0)
    denoiser = load_denoiser(base)
    torch.manual_seed(0)
    card = PainterCard(str(base), "", asdict(options), 2, 2.0, "", "", "", 0, 0)
    ear = load_ear("", folder / "ear", "cpu").identity
    card = replace(card, audio_text=str(folder / "ear"), ear=ear)
    save_painter(folder / "painter", denoiser, AudioAdapter(denoiser, options), card)
    return folder / "painter"


@pytest.fixture(scope="module")
def boxes(tmp_path_factory) -> Path:
    """Pictures of boxes; the louder the tone, the brighter the box. One sound is silent."""
    folder = tmp_path_factory.mktemp("boxes")
    rows = []
    for number in range(13):
        level = number / 12
        picture = np.zeros((16, 16, 3), np.uint8)
        left = 2 + number % 5
        picture[4:12, left : left + 6] = round(80 + 170 * level)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        times = np.arange(8000) / 16000
        sound = (0 if number == 12 else 10 ** (1.5 * level - 2)) * np.sin(
            2 * np.pi * (500 + 2 * number) * times
        )
        (folder / f"{number}.wav").write_bytes(encode_wav(sound.astype(np.float32)))
        media, shown = str(folder / f"{number}.wav"), str(folder / f"{number}.png")
        fold = "validation" if number in (3, 7) else "train"
        rows.append(MixedSound(str(number), media, ("low",), fold, picture=shown))
    write_mixtures(folder / MANIFEST, rows)
    return folder


def config_of(kind: str, painter: Path, boxes: Path, **changes) -> ConditionConfig:
    sizes = ("8x12", "12x8") if kind == "size" else ()
    names = ("loudness", "pitch") if kind == "attributes" else ()
    data = PictureDataOptions(str(boxes), sizes)
    plain = ConditionConfig(
        kind=kind, painter=str(painter), data=data, attributes=names, shown=2, loop=LOOP
    )
    return replace(plain, **changes)


def fit(config: ConditionConfig, folder: Path) -> dict[str, float]:
    from tasks.audio_to_image.painting.condition_training.training import ConditionTraining
    from tasks.training.loop import train

    task = ConditionTraining(config, "cpu")
    before = task.painter.denoiser.unet.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    found = train(task, config.loop, folder, None, "cpu", asdict(config))
    after = task.painter.denoiser.unet.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    return found


@pytest.mark.parametrize("kind", ["edges", "attributes", "size"])
def test_a_condition_is_trained_written_and_told(kind, painter, boxes, tmp_path):
    from tasks.audio_to_image.painting import Painter

    folder = tmp_path / CONDITIONS / kind
    found = fit(config_of(kind, painter, boxes), folder)
    assert {"validation_loss", "validation_loss_without"} <= found.keys()
    card = read_condition_card(folder)
    assert card.kind == kind and card.trained > 0 and (folder / "samples.png").is_file()
    told = {
        "edges": {"edges": np.eye(8, dtype=np.float32)},
        "attributes": {"attributes": {"loudness": 1.0, "pitch": 0.5}},
        "size": {"size": (12, 8)},
    }[kind]
    loaded = Painter.load(painter, "cpu", conditions=[folder])
    plain = Painter.load(painter, "cpu", conditions=None)
    sounds = torch.zeros(1, 1, 4)
    painted, other = loaded.paint(sounds, **told), plain.paint(sounds, size=told.get("size"))
    assert not torch.equal(painted, other)
    assert torch.equal(loaded.paint(sounds), plain.paint(sounds))  # told nothing, it is as before


def test_bounds_are_those_of_the_training_and_silence_is_left_out(painter, boxes):
    from tasks.audio_to_image.painting.condition_training.training import ConditionTraining

    names = ("loudness", "centroid")
    task = ConditionTraining(config_of("attributes", painter, boxes, attributes=names), "cpu")
    loudness, _ = task.bounds
    assert task.left_out == ("12: There is no sound in it; expected one that is not silent.",)
    assert loudness.most - loudness.least == pytest.approx(30 * 11 / 12, abs=0.2)  # 20 dB per 2/3
    shares = [float(task.load(n, np.random.default_rng(0))["values"][0]) for n in range(task.size)]
    assert sorted(shares) == shares and shares[0] == 0 and shares[-1] == 1


def test_the_autoencoders_divergence_counts_in_the_loss(painter, boxes):
    from tasks.audio_to_image.painting.condition_training.training import ConditionTraining

    found = {}
    for divergence in (0.0, 2.0):
        settings = config_of("attributes", painter, boxes, divergence=divergence)
        task = ConditionTraining(settings, "cpu")
        batch = task.collate([task.load(n, np.random.default_rng(n)) for n in range(4)])
        task.module.train()
        torch.manual_seed(0)
        found[divergence] = task.module(batch)
    assert found[0.0]["divergence"] > 0
    expected = found[0.0]["loss"] + 2 * found[0.0]["divergence"]
    assert float(found[2.0]["loss"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_painter_hears_the_sounds_of_a_training_where_a_folder_keeps_them(
    painter, boxes, tmp_path
):
    from tasks.audio_to_image.painting.condition_training.training import ConditionTraining

    settings = config_of("edges", painter, boxes, embeddings=str(tmp_path / "heard"))
    task = ConditionTraining(settings, "cpu")
    assert task.load(0, np.random.default_rng(0))["embeddings"].any()
    plain = ConditionTraining(config_of("edges", painter, boxes), "cpu")
    assert not plain.load(0, np.random.default_rng(0))["embeddings"].any()


@pytest.mark.slow
def test_the_brightness_that_was_told_is_painted(painter, boxes, tmp_path):
    from tasks.audio_to_image.painting import Painter

    loop = replace(LOOP, steps=150, batch=8, learning_rate=1e-2)
    settings = config_of("attributes", painter, boxes, attributes=("loudness",), loop=loop)
    fit(settings, tmp_path / "loud")
    loaded = Painter.load(painter, "cpu", conditions=[tmp_path / "loud"])
    bright = [
        float(loaded.paint(torch.zeros(4, 1, 4), steps=8, attributes={"loudness": share}).mean())
        for share in (0.0, 0.5, 1.0)
    ]
    assert sorted(bright) == bright and bright[2] > bright[0]


@pytest.mark.parametrize(
    ("kind", "changes", "wanted"),
    [
        ("edges", {"attributes": ("loudness",)}, "none with another"),
        ("attributes", {"attributes": ()}, "expected some with 'attributes'"),
        ("attributes", {"attributes": ("colour",)}, "loudness, pitch, centroid, rate"),
        ("attributes", {"attributes": ("pitch", "pitch")}, "each once"),
        ("size", {"data": PictureDataOptions("a")}, "expected some with 'size'"),
        ("other", {}, "edges"),
        ("edges", {"late": 0.0}, "late is 0.0"),
        ("attributes", {"divergence": -1.0}, "divergence is -1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind, changes, wanted):
    with pytest.raises(ValueError, match=wanted):
        config_of(kind, Path("a"), Path("b"), **changes)


def test_a_painter_has_to_be_named():
    with pytest.raises(ValueError, match="painter is empty"):
        ConditionConfig(kind="edges")


def test_pictures_without_sounds_have_no_attributes(painter, colours):
    from tasks.audio_to_image.painting.condition_training.training import ConditionTraining

    with pytest.raises(ValueError, match="holds pictures without sounds"):
        ConditionTraining(config_of("attributes", painter, colours), "cpu")
    assert ConditionTraining(config_of("edges", painter, colours), "cpu").size == 6
