"""The page of sounds and pictures says what was measured, beside what was aimed at."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.mixtures.spoken_digits import part_voices
from modalities.audio_text.models import load_audio_text, save_audio_text
from modalities.audio_text.small_audio_text import build_small_audio_text
from modalities.diffusion.audio_adapter import AudioAdapterOptions
from modalities.diffusion.denoiser_files import save_denoiser
from modalities.diffusion.small import SmallDenoiserOptions, build_small
from modalities.network_file import save_network
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.painting.config import PaintingConfig, PictureDataOptions
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.separator_files import save_separator
from tasks.training.options import LoopOptions
from tasks.training.study_runs import Result
from tools import publish_audio_to_image as page
from tools.digits_in_music import Utterance
from tools.mix_digits import DigitOptions, mix_digits
from tools.painted_digits import Scores
from tools.publish_audio_to_image import (
    APART,
    GUIDANCES,
    ROWS,
    WHOLE,
    draw_guidance,
    write_digits,
    write_separation,
    write_words,
)
from tools.train_digit_reader import FILE, DigitReader, ReaderOptions

GOOD, BAD = Scores(92.0, 75.5, 70.0, 98.0), Scores(90.0, 40.0, 30.0, 95.0)


SEPARATOR = SeparatorOptions(2, 0.8, 8000, 256, 64, (8, 8), 4, 0.0, "log_power")
DENOISER = SmallDenoiserOptions(16, 32, 1, 2, (8,), (0,), 1, 2, 4, 8, 2)


@pytest.fixture(scope="module")
def built(spoken, tmp_path_factory) -> Path:
    """All that the page is made of, of the smallest size and hardly trained."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("built") / "digits"
    counts = DigitOptions(train=4, validation=5, test=10, speakers=("ann",))
    voices = part_voices(find_fsdd_sounds(spoken), counts.speakers)
    mix_digits(place / "mixtures", voices, counts, workers=1)
    sizes = dict(dim=8, rate_hz=8000, clip_s=0.8, widths=(8,))
    texts = [str(number) for number in range(10)]
    save_audio_text(build_small_audio_text(texts, **sizes), place / "sounds")
    audio_text = load_audio_text(place / "sounds")  # as it is in float16
    card = SeparatorCard("sounds", audio_text.identity, 8, labels=("0", "1"))
    save_separator(place / "separator", SeparationNetwork(SEPARATOR), card, audio_text)
    save_denoiser(build_small(DENOISER), place / "base")
    save_network(DigitReader(ReaderOptions((8,))), place / "reader" / FILE)
    for name, hears in (("apart", "separator"), ("whole", "sounds")):
        how = {"separator" if hears == "separator" else "audio_text": str(place / hears)}
        config = PaintingConfig(
            data=PictureDataOptions(str(place / "mixtures")),
            embeddings=str(place / f"heard_{name}"),
            denoiser=str(place / "base"),
            adapter=AudioAdapterOptions(2, 8, 8),
            steps=1,
            shown=0,
            loop=LoopOptions(steps=1, batch=2, warmup=0),
            **how,
        )
        Painter.fit(config, place / name, device="cpu")
    return place.parent


def test_one_command_paints_digits_and_makes_the_page(built, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "BUILT", built)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "GUIDANCES", (1.0, 2.0))
    monkeypatch.setattr("tools.train_digit_reader.MEASURED", 20)
    monkeypatch.setattr(sys, "argv", ["publish", "digits"])
    (tmp_path / "page.md").write_text("<!-- digits: begin -->\n<!-- digits: end -->\n")
    page.main()
    text = (tmp_path / "page.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", page.SHEET, page.CURVES}
    for row in (APART, WHOLE, f"{APART}, of the true sources"):
        assert f"\n| {row} | " in text
    assert "4 mixtures of one digit and 6 of two" in text


def test_what_was_not_trained_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "BUILT", tmp_path)
    for part in ("separation", "words", "digits"):
        monkeypatch.setattr(sys, "argv", ["publish", part])
        with pytest.raises(SystemExit) as ended:
            page.main()
        assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_without_a_part_all_are_written(tmp_path, monkeypatch):
    parts = ("separation", "words", "digits")
    path = tmp_path / "page.md"
    path.write_text("".join(f"<!-- {one}: begin -->\n<!-- {one}: end -->\n" for one in parts))
    monkeypatch.setattr(page, "PAGE", path)
    for part in parts:
        monkeypatch.setattr(page, f"tell_{part}", lambda part=part: [f"told of {part}"])
    monkeypatch.setattr(sys, "argv", ["publish"])
    page.main()
    assert all(f"told of {part}\n" in path.read_text() for part in parts)


def cells(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_the_bound_stands_below_the_rows_of_the_study():
    def result(row, *values):
        names = ("sisdri_2", "sisdri_3", "rank_agreement_2", "rank_agreement_3")
        bounds = {"bound_sisdri_2": 15.0, "bound_sisdri_3": 13.0}
        return Result(row, "", None, 0, {**dict(zip(names, values, strict=True)), **bounds})

    rows = [result(ROWS[0], 8, 6, 0.9, 0.7), result(ROWS[1], 7, 6.5, 0.95, 0.85)]
    table, _, aims = write_separation(rows)
    assert cells(table)[2:] == [
        [ROWS[0], "8.0", "6.0", "0.90", "0.70"],
        [ROWS[1], "7.0", "6.5", "0.95", "0.85"],
        ["ideal ratio masks, the bound", "15.0", "13.0", "", ""],
    ]
    assert "8.0 dB for two sources (aim: 7 dB)" in aims and "0.85 for the order" in aims


def test_word_errors_are_told_for_what_was_done_to_the_sound():
    sounds = [np.full(1, float(n)) for n in range(2)]
    utterances = [Utterance("one two", sound, sound) for sound in sounds]
    heard = {"alone": sounds, "in music": [sound + 10 for sound in sounds]}
    table, told = write_words(utterances, heard, lambda s: "1, 2" if s[0] < 10 else "one")
    assert [row[:2] for row in cells(table)[2:]] == [["alone", "0.0"], ["in music", "50.0"]]
    assert told.startswith("2 utterances by") and "4 digits" in told


def test_painted_digits_are_held_against_those_without_separation():
    facts = {"one": 200, "two": 300, "read": 98.0, "overlap": 70.0, "guidance": 2.0}
    facts |= {"sisdri": 6.0, "bound_sisdri": 12.0}
    scores = {APART: GOOD, WHOLE: BAD}
    parts = write_digits(scores, scores, facts, {"denoiser": 1_000_000, "adapter": 80_000})
    assert cells(parts[0])[2:] == [
        [APART, "92.0", "75.5", "70.0", "98.0"],
        [WHOLE, "90.0", "40.0", "30.0", "95.0"],
    ]
    assert "200 mixtures of one digit and 300 of two" in parts[1]
    assert "of 75.5 % both (aim: 70), +35.5 points" in parts[2]


def test_curves_are_a_picture(tmp_path):
    draw_guidance(
        {APART: [GOOD] * len(GUIDANCES), WHOLE: [BAD] * len(GUIDANCES)}, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
