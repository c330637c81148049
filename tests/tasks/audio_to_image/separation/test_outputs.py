"""A file taken apart into files: names, ranks, sums, lengths, the picture, and flat memory."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.media import read_audio
from modalities.separation.network import SeparationNetwork
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.outputs import (
    PICTURE,
    REST,
    SEPARATION,
    OutputOptions,
    SourceFile,
    choose_talker,
    name_ranked,
    separate_file,
)
from tasks.audio_to_image.separation.ranking import FAINT, Ranking
from tasks.audio_to_image.separation.separator import Separator
from tasks.audio_to_image.separation.spectrogram import COLUMNS, Spectrograms, find_step
from tasks.cli.separate import show_sources

RATE_HZ = 16000
PLAIN = OutputOptions(picture=False)


@pytest.fixture
def separator(small, audio_text) -> Separator:
    card = SeparatorCard("pitch", "pitch-12", 12, "band {label}", ("0", "5"))
    return Separator(SeparationNetwork(small), card, audio_text, "cpu")


def write(path: Path, waveform: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    """Write [samples] or [samples, channels] as a 16-bit file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((waveform.shape[1] if waveform.ndim > 1 else 1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes((waveform * 32767).astype("<i2").tobytes())
    return path


def noise(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.random.default_rng(0).normal(size=round(seconds * rate_hz)).clip(-3, 3) * 0.1


def total(folder: Path) -> np.ndarray:
    return np.sum([read_audio(path) for path in sorted(folder.glob("*.wav"))], axis=0)


def test_the_sources_are_written_by_rank_and_sum_to_the_mixture(separator, tmp_path):
    mixture = write(tmp_path / "mix.wav", noise(1.7))
    found = separate_file(separator, mixture, tmp_path / "out", PLAIN)
    names = [one.file for one in found.sources]
    assert names == [f"{n}_{one.name}.wav" for n, one in enumerate(found.sources, 1)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([*names, SEPARATION])
    np.testing.assert_allclose(total(tmp_path / "out"), read_audio(mixture), atol=3 / 2**15)
    told = json.loads((tmp_path / "out" / SEPARATION).read_text())
    assert told["mixture"] == str(mixture) and told["rate_hz"] == RATE_HZ
    assert [one["file"] for one in told["sources"]] == names
    scores = [one["score"] for one in told["sources"]]
    assert scores == sorted(scores, reverse=True)
    expected = separator.separate(read_audio(mixture), RATE_HZ)
    assert scores == pytest.approx(expected.scores, abs=1e-4)
    for file, source in zip(names, expected.sources, strict=True):
        written = read_audio(tmp_path / "out" / file)
        np.testing.assert_allclose(written, source, atol=1 / 2**15)


def test_what_ranks_low_is_written_as_one(separator, tmp_path):
    mixture = write(tmp_path / "mix.wav", noise(1.2))
    options = OutputOptions(sources=1, picture=False)
    found = separate_file(separator, mixture, tmp_path / "out", options)
    assert len(found.sources) == 1 and found.rest == REST
    assert found.sources[0].share + found.rest_share == pytest.approx(1)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted([found.sources[0].file, REST, SEPARATION])
    np.testing.assert_allclose(total(tmp_path / "out"), read_audio(mixture), atol=3 / 2**15)


def test_without_a_model_of_sound_and_text_sources_have_ranks_alone(small, tmp_path):
    separator = Separator(SeparationNetwork(small), SeparatorCard(), None, "cpu")
    mixture = write(tmp_path / "mix.wav", noise(0.6))
    found = separate_file(separator, mixture, tmp_path / "out", PLAIN)
    assert [one.file for one in found.sources] == [f"{n}_source.wav" for n in (1, 2, 3)]
    assert found.sources[0].probability is None
    with pytest.raises(ValueError, match="without a model of sound and text"):
        options = OutputOptions(labels=("0",), picture=False)
        separate_file(separator, mixture, tmp_path / "two", options)


@pytest.mark.parametrize("seconds", [1 / RATE_HZ, 0.5])
def test_a_short_sound_comes_as_long_as_it_is(separator, tmp_path, seconds):
    mixture = write(tmp_path / "mix.wav", noise(seconds))
    found = separate_file(separator, mixture, tmp_path / "out")
    assert found.duration_s == seconds
    assert Image.open(tmp_path / "out" / PICTURE).size[0] > 1000


def test_silence_is_told_and_gives_silence(separator, tmp_path):
    mixture = write(tmp_path / "mix.wav", np.zeros(20000))
    found = separate_file(separator, mixture, tmp_path / "out")
    assert [one.name for one in found.sources] == ["silence"] * 3
    assert found.notes == ("it is silent",)
    assert not total(tmp_path / "out").any()


def test_stereo_at_96_khz_comes_at_the_separators_rate(separator, tmp_path):
    left = 0.3 * np.sin(2 * np.pi * 400 * np.arange(96000) / 96000)
    mixture = write(tmp_path / "mix.wav", np.stack([left, left], 1), 96000)
    found = separate_file(separator, mixture, tmp_path / "out", PLAIN)
    assert found.rate_hz == RATE_HZ and found.duration_s == 1
    assert found.sources[0].name == "0"  # one tone is one source, whatever else is left over
    np.testing.assert_allclose(
        total(tmp_path / "out")[200:-200], read_audio(mixture)[200:-200], atol=3 / 2**15
    )


def test_sources_louder_than_full_scale_are_held_there_and_told(separator, tmp_path, monkeypatch):
    loud = separator.network.forward
    monkeypatch.setattr(separator.network, "forward", lambda mixture: 50 * loud(mixture))
    mixture = write(tmp_path / "mix.wav", noise(0.6))
    found = separate_file(separator, mixture, tmp_path / "out", PLAIN)
    assert "louder than full scale" in found.notes[0]
    assert np.abs(read_audio(tmp_path / "out" / found.sources[0].file)).max() == 1


def test_a_label_is_made_fit_for_a_file(separator, tmp_path):
    mixture = write(tmp_path / "mix.wav", noise(0.6))
    options = OutputOptions(labels=("a/b: c\\ 3",), picture=False)
    found = separate_file(separator, mixture, tmp_path / "out", options)
    assert found.sources[0].file == "1_a_b_c_3.wav" and found.sources[0].name == "a/b: c\\ 3"


def test_a_folder_appears_whole_or_not_at_all(separator, tmp_path, monkeypatch):
    mixture = write(tmp_path / "mix.wav", noise(3))
    calls = []

    def fail(wave):
        calls.append(wave)
        if len(calls) > 2:
            raise RuntimeError("no memory")
        return wave[:, None].expand(-1, 3, -1) / 3

    monkeypatch.setattr(separator.network, "forward", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        separate_file(separator, mixture, tmp_path / "out", PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["mix.wav"]


def test_without_librosa_all_but_the_picture_is_written(separator, tmp_path, monkeypatch):
    def lacking(name, extra, purpose):
        raise ValueError(f"{name} is not installed; pip install 'mcgurk[{extra}]'.")

    monkeypatch.setattr("tasks.audio_to_image.separation.outputs.import_extra", lacking)
    mixture = write(tmp_path / "mix.wav", noise(0.6))
    found = separate_file(separator, mixture, tmp_path / "out")
    assert found.picture == "" and not (tmp_path / "out" / PICTURE).exists()
    assert "mcgurk[separation]" in found.notes[0]


def test_what_is_done_is_told_in_seconds_of_the_sound(separator, tmp_path):
    mixture = write(tmp_path / "mix.wav", noise(2.5))
    seen: list[tuple[float, float | None]] = []
    separate_file(separator, mixture, tmp_path / "out", PLAIN, lambda *two: seen.append(two))
    assert seen == [(1.0, 2.5), (2.0, 2.5), (2.5, 2.5)]


def test_a_spectrogram_in_pieces_is_the_whole_one_at_any_length():
    sound = np.random.default_rng(0).normal(size=(2, 7 * RATE_HZ)).astype(np.float32)
    whole, pieces = Spectrograms(2, RATE_HZ), Spectrograms(2, RATE_HZ)
    whole.add(sound)
    for start in range(0, sound.shape[1], 777):
        pieces.add(sound[:, start : start + 777])
    power = whole.result()
    np.testing.assert_allclose(pieces.result(), power, rtol=1e-3)
    assert COLUMNS // 2 < power.shape[2] <= COLUMNS
    assert power.shape[2] * whole.column_s == pytest.approx(7, abs=2 * whole.column_s)


@pytest.mark.parametrize(
    "duration_s, step_s",
    [(3, None), (59.9, None), (60, 10), (125, 30), (600, 120), (3603, 600), (86_400, 14_400)],
)
def test_from_a_minute_on_time_is_told_as_a_clock_is_read(duration_s, step_s):
    assert find_step(duration_s) == step_s
    assert find_step(1e9) is None  # years are left to the axis itself


def test_a_spectrogram_shows_a_tone_where_and_when_it_is():
    from librosa import mel_frequencies

    tone = np.zeros((1, 2 * RATE_HZ), np.float32)
    tone[0, RATE_HZ:] = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    found = Spectrograms(1, RATE_HZ)
    found.add(tone)
    power = found.result()[0]
    middles = mel_frequencies(130, fmax=8000)[1:-1]
    assert middles[power.sum(1).argmax()] == pytest.approx(1000, rel=0.03)
    first = np.flatnonzero(power.sum(0) > 0.5 * power.sum(0).max())[0]
    assert first * found.column_s == pytest.approx(1, abs=0.05)


def test_a_faint_source_is_told_as_faint_and_not_with_certainty(separator):
    """It was called by what it is left over from, and that with 100 %."""
    sounds = separator.audio_text.embed_text(["band 0", "band 5", "band 5"]).cpu()
    sounds = torch.cat([sounds, torch.zeros(2, sounds.shape[1])])
    shares = (0.985, FAINT, 0.002, 0.003, 0.0)
    ranking = Ranking((0, 1, 2, 3, 4), (0.9, 0.8, 0.7, -1.0, -1.0), shares, sounds)
    (first, sure), (second, edge), *rest = name_ranked(separator, ranking)
    assert (first, second) == ("0", "5") and sure > 0.9 and edge > 0.9
    assert rest == [("faint 5", None), ("faint", None), ("silence", 1.0)]


def test_a_faint_source_is_told_so_in_files_table_and_json(
    separator, tmp_path, monkeypatch, capsys
):
    def keep_most(self, mixture):
        return torch.stack([0.96 * mixture, 0.04 * mixture, 0 * mixture], 1)

    monkeypatch.setattr(SeparationNetwork, "forward", keep_most)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    mixture = write(tmp_path / "mix.wav", 0.5 * np.sin(2 * np.pi * 300 * time_s))
    found = separate_file(separator, mixture, tmp_path / "out")
    names = [one.name for one in found.sources]
    assert names[1] == f"faint {names[0]}" and names[2] == "silence"
    assert found.sources[1].share < 0.002 and found.sources[1].file == f"2_faint_{names[0]}.wav"
    told = json.loads((tmp_path / "out" / SEPARATION).read_text())["sources"][1]
    assert (told["name"], told["probability"]) == (names[1], None)
    show_sources(found, tmp_path / "out")
    line = capsys.readouterr().out.splitlines()[2].split()
    assert line[:5] == ["2", "faint", names[0], "0.2", "%"]  # and nothing below "sure"


def test_faint_speech_is_not_taken_for_the_talker():
    shares = {"rain": 0.6, "faint speech": FAINT / 2, "voice": 0.39}
    sources = [
        SourceFile(n, name, 0.9, 0.5, share, "")
        for n, (name, share) in enumerate(shares.items(), 1)
    ]
    assert choose_talker(sources).name == "voice"
    assert choose_talker(sources[:2]).name == "rain"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("rain", "Male speech, man speaking"), 2),
        (("rain", "bell"), 1),
        (("speechless", "Conversation"), 2),
        (("silence",), 1),
    ],
)
def test_the_talker_is_what_is_named_speech_or_ranks_first(names, chosen):
    sources = [SourceFile(n, name, 0.9, 0.5, 0.5, "") for n, name in enumerate(names, 1)]
    assert choose_talker(sources).rank == chosen
