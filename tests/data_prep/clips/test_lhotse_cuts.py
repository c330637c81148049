"""Clips go to lhotse and back whole; cuts that are no clips are told apart."""

import json
import sys
import wave
from dataclasses import replace

import numpy as np
import pytest

from data_prep.clips.lhotse_cuts import (
    check_cuts_file,
    find_cut_clips,
    from_cuts,
    to_cuts,
    write_cuts,
)
from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.datasets.speech.catalog import DATASETS
from modalities.speech.timed_text import Word

lhotse = pytest.importorskip("lhotse", reason="lhotse is an extra: pip install 'mcgurk[lhotse]'")


def write(path, seconds: float = 1.0, channels: int = 1, rate_hz: int = 16_000) -> None:
    random = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate_hz, 0, "NONE", ""))
        samples = random.integers(-9000, 9000, round(seconds * rate_hz) * channels)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def clips(tmp_path):
    """Clips with all that one can have, and with little, of several rates and channels."""
    write(tmp_path / "a.wav")
    write(tmp_path / "b.wav", 0.7, 2, 44_100)
    write(tmp_path / "c.wav", 0.3, 1, 8000)
    words = (Word(0.1, 1 / 3, "ein"), Word(0.333, 0.97, "Wörtchen"))
    a, b, c = (str(tmp_path / f"{name}.wav") for name in "abc")
    return [
        Clip(
            "s1_a", a, "ein Wörtchen", "s1", words, 1.0, 25, "mouths/s1_a.mp4", ((0, 9), (12, 25))
        ),
        Clip("b", b, "", None, (), 0.7, 17, "mouths/b.mp4"),
        Clip("c", c, duration_s=0.3),
    ]


def test_a_round_trip_through_a_file_keeps_everything(clips, tmp_path):
    for name in ("cuts.jsonl", "cuts.jsonl.gz", "Cuts.JSONL", "cuts.JSONL.GZ"):
        write_cuts(clips, tmp_path, tmp_path / name)
        found = find_cut_clips(tmp_path / name)
        for clip, again in zip(clips, found, strict=True):
            times = [(word.start_s, word.end_s) for word in again.words]
            expected = [(word.start_s, word.end_s) for word in clip.words]
            np.testing.assert_allclose(times, expected, atol=1e-8)
            mouth = None if clip.mouth is None else str(tmp_path / clip.mouth)
            assert replace(again, words=clip.words) == replace(clip, mouth=mouth)
            assert [word.text for word in again.words] == [word.text for word in clip.words]
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_ids_with_dots_and_slashes_come_back_and_clips_of_such_ids_are_prepared(tmp_path):
    write(tmp_path / "a.wav")
    ids = ["s1/a.b", "s1_a.b", "s1/a_b", "/a", "../a"]
    clips = [Clip(name, str(tmp_path / "a.wav"), "a", duration_s=1.0) for name in ids]
    write_cuts(clips, tmp_path, tmp_path / "cuts.jsonl")
    found = find_cut_clips(tmp_path / "cuts.jsonl")
    assert [clip.id for clip in found] == ids
    assert prepare(found, tmp_path / "out", 1).clips == len(ids)
    assert [clip.id for clip in read_manifest(tmp_path / "out/manifest.jsonl")] == ids


def test_cuts_that_an_editor_saved_anew_are_read_and_other_encodings_told(clips, tmp_path):
    path = tmp_path / "cuts.jsonl"
    write_cuts(clips, tmp_path, path)
    text = path.read_text(encoding="utf-8").replace("\\u00f6", "ö")
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        assert [clip.text for clip in find_cut_clips(path)] == ["ein Wörtchen", "", None]
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"cuts\.jsonl looks like Latin-1"):
        find_cut_clips(path)


def test_lhotse_takes_the_cuts_as_its_own(clips, tmp_path):
    cuts = to_cuts(clips, tmp_path)
    for cut, channels in zip(cuts, (1, 2, 1), strict=True):
        lhotse.qa.validate_cut(cut, read_data=True)
        assert cut.load_audio().shape == (channels, cut.num_samples)
    speech = next(iter(cuts)).supervisions[0]
    assert speech.alignment["word"][1].symbol == "Wörtchen"
    assert next(iter(cuts)).mouth == str(tmp_path / "mouths/s1_a.mp4")


def recording(tmp_path, name="long", seconds=4.0, channels=1):
    write(tmp_path / f"{name}.wav", seconds, channels)
    return lhotse.Recording.from_file(tmp_path / f"{name}.wav")


def speech(name, start, duration, text, speaker, *words):
    items = [lhotse.supervision.AlignmentItem(*word) for word in words]
    return lhotse.SupervisionSegment(
        f"{name}-{start}",
        name,
        start,
        duration,
        text=text,
        speaker=speaker,
        alignment={"word": items},
    )


def test_manifests_of_recordings_and_supervisions_are_clips(tmp_path):
    recordings = lhotse.RecordingSet.from_recordings([recording(tmp_path)])
    second = speech("long", 2.0, 1.5, "how are you", "p7", ("how", 2.0, 0.25), ("", 2.25, 0.05))
    first = speech("long", 0.5, 1.0, "good day", "p7", ("good", 0.5, 0.4), ("day", 0.9, 0.35))
    supervisions = lhotse.SupervisionSet.from_segments([second, first])
    cuts = lhotse.CutSet.from_manifests(recordings, supervisions)
    cuts.to_file(tmp_path / "cuts.jsonl.gz")
    clip = DATASETS["cuts"](tmp_path / "cuts.jsonl.gz")[0]
    assert (clip.id, clip.text, clip.speaker) == ("long-0", "good day how are you", "p7")
    assert clip.words == (Word(0.5, 0.9, "good"), Word(0.9, 1.25, "day"), Word(2.0, 2.25, "how"))
    assert clip.media == str((tmp_path / "long.wav").resolve()) and clip.duration_s == 4.0
    done = prepare([clip], tmp_path / "out", 1)
    assert (done.new, done.failed) == (1, {})
    assert list(read_manifest(tmp_path / "out/manifest.jsonl")) == [clip]


def test_a_part_of_a_recording_is_told(tmp_path):
    cut = recording(tmp_path).to_cut()
    for part in (cut.truncate(offset=1.0), cut.truncate(duration=3.0)):
        with pytest.raises(ValueError, match=r"s of a recording of 4\.0 s; expected all of it"):
            from_cuts([part])
    assert from_cuts([cut.truncate(duration=3.99)])  # lhotse itself rounds so


def test_words_that_lhotse_left_behind_are_told(tmp_path):
    cut = recording(tmp_path).to_cut()
    cut.supervisions = [speech("long", 2.0, 1.0, "a", "p", ("a", 2.5, 0.25))]
    saved = cut.trim_to_supervisions()[0].save_audio(tmp_path / "part.wav")
    assert saved.start == 0
    with pytest.raises(ValueError, match=r"of 1\.0 s has the word 'a' at 2\.5 to 2\.75 s"):
        from_cuts([saved])


def test_what_is_not_one_file_of_one_speaker_is_told(tmp_path):
    cut, stereo = recording(tmp_path).to_cut(), recording(tmp_path, "stereo", 1.0, 2)
    two = cut.drop_supervisions()
    two.supervisions = [speech("long", 0, 1, "a", "p1"), speech("long", 1, 1, "b", "p2")]
    for wrong, message in (
        (cut.mix(cut, snr=5), "is a MixedCut"),
        (cut.pad(9.0), "is a MixedCut"),
        (two, r"has 2 speakers \(p1, p2\)"),
        (cut.perturb_volume(2.0), "changed: True"),
        (cut.move_to_memory(), "sources: .'memory'."),
        (stereo.to_cut().with_channels([0]), r"channels \[0\] of \[0, 1\]"),
        (replace(cut, recording=None), "without a recording"),
    ):
        with pytest.raises(ValueError, match=message):
            from_cuts([wrong])
    assert from_cuts([stereo.to_cut()])[0].id == "stereo"
    assert from_cuts([cut.with_id("train/0007")])[0].id == "train/0007"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cuts.jsonl", b'{"id": 1'),
        ("cuts.jsonl", b'{"id": "a"}\n'),
        ("cuts.jsonl", b"[]\n"),
        ("cuts.jsonl", b""),
        ("cuts.jsonl.gz", b"no gzip"),
        ("cuts.json", b"7"),
        ("cuts.txt", b"hello"),
        ("cuts.jsonl", b"\xff\xfe\x00"),
    ],
)
def test_other_files_are_told(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=name):
        find_cut_clips(tmp_path / name)


def test_manifests_of_another_kind_are_told(tmp_path):
    lhotse.RecordingSet.from_recordings([recording(tmp_path)]).to_file(tmp_path / "rec.jsonl")
    with pytest.raises(ValueError, match=r"rec\.jsonl holds no cuts"):
        find_cut_clips(tmp_path / "rec.jsonl")
    with pytest.raises(FileNotFoundError, match="expected cuts that lhotse wrote"):
        find_cut_clips(tmp_path)


def test_clips_that_are_not_prepared_are_told(clips, tmp_path):
    with pytest.raises(ValueError, match="has no duration; expected a prepared one"):
        to_cuts([replace(clips[0], duration_s=None)], tmp_path)
    with pytest.raises(ValueError, match=r"other suffix|another suffix"):
        check_cuts_file(tmp_path / "cuts.json")


def test_without_lhotse_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lhotse", None)
    (tmp_path / "cuts.jsonl").write_text(json.dumps({}))
    for call in (lambda: find_cut_clips(tmp_path / "cuts.jsonl"), lambda: to_cuts([], tmp_path)):
        with pytest.raises(ValueError, match=r"pip install 'mcgurk\[lhotse\]'"):
            call()


def test_the_reasons_for_a_mixer_of_our_own_hold(tmp_path):
    """What the module says of lhotse's mixer; where this fails, it may have become better."""
    random = np.random.default_rng(0)

    def cut(name, level):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((random.normal(0, 1, 16_000) * level).astype("<i2").tobytes())
        return lhotse.Recording.from_file(tmp_path / f"{name}.wav").to_cut()

    clean = cut("speech", 8000)
    mixture = clean
    for number in range(6):
        mixture = mixture.mix(cut(f"voice{number}", 5000), snr=0)
    waveform, alone = mixture.load_audio(), clean.load_audio()
    ratio_db = 10 * np.log10(np.mean(alone**2) / np.mean((waveform - alone) ** 2))
    assert ratio_db == pytest.approx(-7.8, abs=0.2) and np.abs(waveform).max() > 1
    np.testing.assert_array_equal(clean.mix(cut("silence", 0), snr=0).load_audio(), alone)


def test_grid_goes_to_lhotse_and_back(shared_data, tmp_path):
    from data_prep.datasets.speech.grid import find_grid_clips

    found = [
        replace(clip, duration_s=2.995375) for clip in find_grid_clips(shared_data / "grid")[:20]
    ]
    write_cuts(found, tmp_path, tmp_path / "cuts.jsonl.gz")
    assert find_cut_clips(tmp_path / "cuts.jsonl.gz") == found
