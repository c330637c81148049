import sys

import numpy as np
import pytest

from data_prep.media.audio import read_audio
from data_prep.media.wav import encode_wav
from data_prep.questions.hearing.asking import DIGITS, kind_of
from data_prep.questions.manifest import read_questions
from tools.render_sound_questions import RenderOptions, find_material, main, render_folder

LENGTH = 8_000  # samples of a digit


def tone(pitch_hz, samples=LENGTH):
    return 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(samples) / 16_000)


def pitch_of(waveform):
    return float(np.abs(np.fft.rfft(waveform)).argmax() * 16_000 / len(waveform))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Digits at 300 Hz and more, 40 Hz higher where they test; animals at 2000 Hz and more."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "fsdd/recordings").mkdir(parents=True)
    (folder / "animals").mkdir()
    for digit in range(10):
        for index, pitch in ((0, 340), (7, 300)):
            path = folder / f"fsdd/recordings/{digit}_ann_{index}.wav"
            path.write_bytes(encode_wav(tone(pitch + 100 * digit)))
    for name, pitch in {"a_dog": 2000, "b_dog": 2400, "1-2-A-5": 3000, "car": 4000}.items():
        (folder / f"animals/{name}.wav").write_bytes(encode_wav(tone(pitch, 64_000)))
    return folder


@pytest.fixture(scope="module")
def options(recordings):
    return RenderOptions(recordings / "fsdd", (recordings / "animals",), 60, 3)


@pytest.fixture(scope="module")
def rows(options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    render_folder(folder, options)
    return list(read_questions(folder / "manifest.jsonl"))


def told(rows, kind):
    """Return the one answer to each sound's question of a kind, with its fold, by path."""
    return {r.images[0]: (*r.answers, r.fold) for r in rows if kind_of(r) == kind}


def test_what_is_asked_about_a_sound_is_what_is_in_it(rows):
    assert len({row.images for row in rows}) == 60
    counts, firsts, lasts = (told(rows, kind) for kind in ("count", "first", "last"))
    said = {r.images[0]: (r.text, *r.answers) for r in rows if kind_of(r) == "said"}
    assert len(counts) == 45
    for path, (count, fold) in counts.items():
        waveform = read_audio(path)
        loud = np.flatnonzero(np.abs(waveform) > 0.05)
        pieces = np.split(loud, np.flatnonzero(np.diff(loud) > 800) + 1)
        higher = 40 if fold == "test" else 0
        digits = [round((pitch_of(waveform[p[0] : p[-1]]) - 300 - higher) / 100) for p in pieces]
        assert len(digits) == int(count)
        assert (digits[0], digits[-1]) == (int(firsts[path][0]), int(lasts[path][0]))
        text, answer = said[path]
        digit = DIGITS.index(text.removesuffix(" said?").split()[-1])
        assert (digit in digits) == (answer == "yes")


def test_test_sounds_are_of_other_recordings(rows):
    pitches = {
        (round(pitch_of(read_audio(p)), -2), a, f) for p, (a, f) in told(rows, "animal").items()
    }
    assert pitches == {
        (2000, "dog", "train"),
        (2400, "dog", "test"),
        (3000, "cat", "train"),
        (3000, "cat", "test"),
    }


def test_the_same_arguments_make_the_same_and_another_seed_does_not(options, rows, tmp_path):
    again = render_folder(tmp_path / "again", options)
    assert [r.answers for r in again] == [r.answers for r in rows]
    first = read_audio(tmp_path / "again" / again[0].images[0])
    assert np.array_equal(first, read_audio(rows[0].images[0]))
    other = RenderOptions(options.digits, options.animals, 4, 4)
    changed = render_folder(tmp_path / "other", other)
    assert not np.array_equal(first, read_audio(tmp_path / "other" / changed[0].images[0]))


@pytest.mark.parametrize(("given", "kinds"), [("digits", 4), ("animals", 2)])
def test_one_kind_of_sound_is_enough(recordings, tmp_path, given, kinds, monkeypatch, capsys):
    folder = recordings / {"digits": "fsdd", "animals": "animals"}[given]
    arguments = ["render", str(tmp_path / "new"), f"--{given}", str(folder), "--count", "20"]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    said = capsys.readouterr().out
    assert said.startswith(f"{20 * kinds} rows (train {16 * kinds}, test {4 * kinds}) of 20 sounds")
    assert "; deaf: " in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Neither --digits nor --animals is given"),
        (["--digits", "FOLDER/fsdd", "--count", "0"], "count is 0"),
        (["--digits", "nowhere"], "nowhere"),
        (["--digits", "FOLDER/animals"], "7_jackson_32.wav"),
        (["--animals", "nowhere"], "There is no folder nowhere"),
        (["--animals", "FOLDER/fsdd"], "has sounds of no animal alone"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    recordings, tmp_path, monkeypatch, capsys, arguments, message
):
    typed = [word.replace("FOLDER", str(recordings)) for word in arguments]
    monkeypatch.setattr(sys, "argv", ["render", str(tmp_path / "new"), *typed])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_the_animals_beside_the_project_are_found(shared_data, tmp_path):
    folders = tuple(shared_data / name for name in ("noise/natural", "esc50", "audio_image"))
    options = RenderOptions(shared_data / "fsdd", folders, 24)
    material = find_material(options)
    assert set(material.animals) == {"bird", "cat", "dog", "hen", "sheep", "whale"}
    assert [len(material.animals["bird"][fold]) for fold in ("train", "test")] == [2, 1]
    spoken = {fold: sum(map(len, of.values())) for fold, of in material.spoken.items()}
    assert spoken == {"train": 60, "test": 60}  # ten digits of six people
    rows = render_folder(tmp_path, options)
    lengths = {len(read_audio(tmp_path / row.images[0])) / 16_000 for row in rows}
    assert 0.5 < min(lengths) and max(lengths) < 6
