import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.audio_to_image.painting import Painter
from tasks.audio_to_image.painting.card import CARD, read_card
from tasks.audio_to_image.painting.grid import GAP, arrange, check_grid, enlargement
from tasks.audio_to_image.painting.painter_files import save_painter
from tasks.audio_to_image.painting.rows import AT_ONCE
from tasks.audio_to_image.painting.training import Painting

pytest.importorskip("diffusers")


@pytest.fixture
def folder(adapter_config, tmp_path: Path) -> Path:
    """Write a painter that has learnt nothing."""
    Painting(replace(adapter_config, shown=0)).export(tmp_path / "painter", {})
    return tmp_path / "painter"


def embed(rows: int, sources: int = 2) -> torch.Tensor:
    return torch.randn(rows, sources, 4, generator=torch.Generator().manual_seed(rows))


def test_a_painter_carries_its_small_denoiser_with_it(folder, tmp_path, base):
    expected = Painter.load(folder, "cpu").paint(embed(2))
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    card = json.loads((moved / CARD).read_text())
    (moved / CARD).write_text(json.dumps({**card, "denoiser": "nowhere"}))
    painter = Painter.load(moved, "cpu")
    assert torch.equal(painter.paint(embed(2)), expected)
    assert expected.shape == (2, 8, 8, 3) and 0 <= expected.min() <= expected.max() <= 1


def test_half_floats_paint_nearly_the_same(folder, tmp_path):
    painter = Painter.load(folder, "cpu")
    expected = painter.paint(embed(2), steps=2)
    half = tmp_path / "half"
    save_painter(half, painter.denoiser, painter.adapter, painter.card, half=True)
    found = Painter.load(half, "cpu").paint(embed(2), steps=2)
    assert torch.allclose(found, expected, atol=0.1) and not torch.equal(found, expected)


def test_the_card_says_steps_and_guidance_unless_told(folder):
    painter = Painter.load(folder, "cpu")
    assert (painter.card.steps, painter.card.guidance) == (2, 2.0)
    told = painter.paint(embed(1), steps=2, guidance=2.0)
    assert torch.equal(painter.paint(embed(1)), told)
    assert not torch.allclose(painter.paint(embed(1), steps=3), told)


def test_a_row_is_painted_as_it_is_beside_any_number_of_others(folder, monkeypatch):
    """Also in parts, with the seeds going on."""
    painter = Painter.load(folder, "cpu")
    seen = []
    whole = painter.paint(embed(5), seed=3, progress=lambda done, steps: seen.append((done, steps)))
    assert seen == [(1, 2), (2, 2)]
    monkeypatch.setattr("tasks.audio_to_image.painting.rows.AT_ONCE", 2 * 64)
    seen.clear()
    parts = painter.paint(embed(5), seed=3, progress=lambda done, steps: seen.append((done, steps)))
    assert torch.allclose(parts, whole, atol=1e-4)
    assert [done for done, _ in seen] == list(range(1, 7)) and {steps for _, steps in seen} == {6}
    assert AT_ONCE == 512 * 512
    assert torch.allclose(painter.paint(embed(5)[4:], seed=7), whole[4:], atol=1e-4)


def test_a_small_picture_is_enlarged_until_it_can_be_looked_at():
    found = {size: enlargement(size) for size in ((16, 32), (32, 32), (255, 600), (256, 256))}
    assert list(found.values()) == [16, 8, 2, 1]
    check_grid(64, (512, 512), 1)
    with pytest.raises(ValueError, match="Take a smaller --enlarge"):
        check_grid(64, (512, 512), 64)


def test_no_rows_make_no_pictures(folder):
    assert Painter.load(folder, "cpu").paint(embed(0)).shape == (0, 8, 8, 3)


def test_fewer_sources_are_those_and_silence(folder):
    painter = Painter.load(folder, "cpu")
    filled = torch.cat([embed(2, 1), torch.zeros(2, 1, 4)], 1)
    assert torch.equal(painter.paint(embed(2, 1)), painter.paint(filled))


@pytest.mark.parametrize(
    ("embeddings", "told"),
    [
        (embed(1, 3), "up to 2 sources"),
        (torch.zeros(2, 4), r"expected \[rows, sources, 4\]"),
        (torch.full((1, 2, 4), float("nan")), "not finite"),
    ],
)
def test_embeddings_of_another_form_are_told(folder, embeddings, told):
    with pytest.raises(ValueError, match=told):
        Painter.load(folder, "cpu").paint(embeddings)


def test_numbers_that_cannot_be_are_told(folder):
    painter = Painter.load(folder, "cpu")
    faults = (
        {"steps": 0},
        {"steps": 10**9},
        {"guidance": -1},
        {"guidance": float("inf")},
        {"size": (7, 8)},
        {"size": (100_000, 100_000)},
    )
    for changes in faults:
        with pytest.raises(ValueError, match="expected"):
            painter.paint(embed(1), **changes)


@pytest.mark.parametrize("part", ["denoiser", "adapter"])
def test_weights_that_are_no_numbers_paint_nothing(folder, part):
    painter = Painter.load(folder, "cpu")
    for weight in getattr(painter, part).parameters():
        weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="has NaN or infinite numbers"):
        painter.paint(embed(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": {"scale": "a"}},
        {"adapter": {"scale": float("nan")}},
        {"adapter": {"hidden": 1.5}},
        {"adapter": {"sources": "x"}},
        {"pictures": {"sizes": [3]}},
        {"pictures": {"sizes": 7}},
        {"pictures": {"sizes": ["0x0"]}},
        {"pictures": {"folder": 5}},
    ],
)
def test_a_table_in_the_card_that_cannot_be_is_damage(folder, changes):
    card = vars(read_card(folder))
    told = {name: {**card[name], **table} for name, table in changes.items()}
    (folder / CARD).write_text(json.dumps({**card, **told}))
    with pytest.raises(ValueError, match=r"painter\.json is damaged"):
        Painter.load(folder, "cpu")


def test_a_folder_that_is_not_whole_is_told(folder):
    shutil.copytree(folder, folder.parent / "copy")
    (folder / "adapter.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="the painter is not whole"):
        Painter.load(folder, "cpu")
    (folder / CARD).unlink()
    with pytest.raises(FileNotFoundError, match=CARD):
        Painter.load(folder, "cpu")
    with pytest.raises(ValueError, match="No painter 'nowhere'"):
        Painter.load("nowhere", "cpu")


def test_a_painter_of_another_denoiser_is_refused(folder, base, tmp_path):
    """A denoiser that is only named, as Stable Diffusion is, is known by its weights."""
    card = read_card(folder)
    for weights, ends in (("0" * 32, True), ("", False)):
        told = {**vars(card), "weights": weights}
        (folder / CARD).write_text(json.dumps(told))
        if ends:
            with pytest.raises(ValueError, match="has other weights"):
                Painter.load(folder, "cpu", denoiser=str(base))
        else:
            Painter.load(folder, "cpu", denoiser=str(base))


def test_an_adapter_of_another_size_is_refused(folder):
    card = read_card(folder)
    (folder / CARD).write_text(json.dumps({**vars(card), "adapter": {**card.adapter, "dim": 6}}))
    with pytest.raises(ValueError, match="does not fit"):
        Painter.load(folder, "cpu")


@pytest.fixture
def hearing(folder, separator) -> Painter:
    card = replace(read_card(folder), separator=str(separator))
    (folder / CARD).write_text(json.dumps(vars(card)))
    return Painter.load(folder, "cpu")


def test_a_sound_is_heard_as_its_file_is(hearing, tones, tone):
    """Whatever its rate and channels; what is painted of it is the same."""
    heard = hearing.hear(tone(500), 16000)
    painted = hearing.paint_file(tones / "0.wav", 2, seed=5)
    assert torch.allclose(painted.heard.embeddings, heard.embeddings, atol=1e-3)
    assert [one.rank for one in heard.sources] == [1, 2, 3] and heard.duration_s == 0.6
    expected = hearing.paint(painted.heard.embeddings[None, :2].expand(2, -1, -1), seed=5)
    assert torch.equal(painted.pictures, expected)
    assert (painted.seed, painted.steps, painted.guidance, painted.sources) == (5, 2, 2.0, 2)
    stereo = hearing.hear(np.repeat(tone(500)[:, None], 2, 1), 16000)
    assert torch.allclose(stereo.embeddings, heard.embeddings, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "size"), [(["8x16"], (8, 16)), (["8x16", "16x8"], (8, 8)), ([], (8, 8))]
)
def test_the_one_size_that_was_learnt_is_painted(folder, sizes, size):
    (folder / CARD).write_text(
        json.dumps({**vars(read_card(folder)), "pictures": {"sizes": sizes}})
    )
    assert Painter.load(folder, "cpu").paint(embed(1)).shape == (1, *size, 3)


def test_fewer_sources_leave_the_others_out(hearing, tones):
    one = hearing.paint_file(tones / "2.wav", sources=1)
    expected = hearing.paint(one.heard.embeddings[None, :1])
    assert torch.equal(one.pictures, expected) and one.sources == 1


@pytest.mark.parametrize(
    "changes", [{"count": 0}, {"sources": 0}, {"sources": 3}, {"steps": 0}, {"guidance": -1.0}]
)
def test_numbers_that_cannot_be_are_told_before_a_sound_is_heard(hearing, changes, monkeypatch):
    monkeypatch.setattr(Painter, "ear", None)
    with pytest.raises(ValueError, match="expected"):
        hearing.paint_file("sound.wav", **changes)


def test_a_painter_that_hears_nothing_says_so(folder):
    with pytest.raises(ValueError, match="does not say what hears sounds"):
        Painter.load(folder, "cpu").hear(np.zeros(100, np.float32), 16000)
    painter = Painter.load(folder, "cpu")
    alone = Painter(painter.denoiser, painter.adapter, painter.card, "cpu")
    with pytest.raises(ValueError, match="hears nothing"):
        alone.hear(np.zeros(100, np.float32), 16000)


def test_pictures_side_by_side_keep_their_order():
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(3, 2)
    sheet = arrange(pictures.repeat(3, 3))
    assert sheet.shape == (2 * 2 + GAP, 3 * 3 + 2 * GAP, 3)
    assert [sheet[0, left, 0] for left in (0, 3 + GAP, 2 * (3 + GAP))] == [0, 1, 2]
    assert [sheet[2 + GAP, left, 0] for left in (0, 3 + GAP, 2 * (3 + GAP))] == [3, 4, 255]
    assert arrange(pictures.repeat(3, 3)[:1]).shape == (2, 3, 3)
