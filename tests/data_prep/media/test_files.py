"""Files are found whatever the case of their suffixes; hidden ones and our own output are not."""

import pytest

from data_prep.datasets.sounds.classes import find_class_sounds
from data_prep.datasets.sounds.esc50 import find_esc50_sounds
from data_prep.datasets.sounds.speech_commands import find_speech_commands_sounds
from data_prep.media.files import MEDIA, find_files
from data_prep.noise.noisy_manifest import find_rooms
from data_prep.noise.recordings import find_recordings


@pytest.fixture
def make(tmp_path):
    """Make empty files below a folder."""

    def make(*places):
        for place in places:
            path = tmp_path / "data" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "data"

    return make


def test_suffixes_count_in_any_case_and_folders_do_not(make):
    folder = make("b/2.MP4", "a.Mp4", "b/1.WAV", "c.mp3/inside.txt", "c.mp3/3.fLaC", "notes.doc")
    found = [str(path.relative_to(folder)) for path in find_files(folder, MEDIA)]
    assert found == ["a.Mp4", "b/1.WAV", "b/2.MP4", "c.mp3/3.fLaC"]
    assert [path.name for path in find_files(folder, MEDIA, deep=False)] == ["a.Mp4"]


def test_hidden_files_and_folders_do_not_count_where_the_folder_itself_is_hidden(make):
    folder = make(".home/a.wav", ".home/._a.wav", ".home/.DS_Store", ".home/.old/b.wav")
    assert [path.name for path in find_files(folder / ".home", MEDIA)] == ["a.wav"]
    assert find_files(folder, MEDIA) == []
    assert find_files(folder / "nowhere", MEDIA) == []


def test_what_prepare_and_mix_wrote_does_not_count_and_folders_of_these_names_do(make):
    folder = make(
        "out/manifest.jsonl",
        "out/mouths/1.mp4",
        "noisy/manifest.jsonl",
        "noisy/settings.json",
        "noisy/audio/1.wav",
        "nemo/manifest.jsonl",
        "nemo/audio/1.wav",
        "mouths/2.mp4",
    )
    found = [str(path.relative_to(folder)) for path in find_files(folder, MEDIA)]
    assert found == ["mouths/2.mp4", "nemo/audio/1.wav"]


def test_what_lies_in_a_folder_that_a_command_marked_does_not_count_but_where_it_is_named(make):
    folder = make("a.wav", "run/.mcgurk", "run/b.wav", "run/deep/c.wav", "own/run.mcgurk/d.wav")
    found = [str(path.relative_to(folder)) for path in find_files(folder, MEDIA)]
    assert found == ["a.wav", "own/run.mcgurk/d.wav"]
    for named in (folder / "run", f"{folder}/run"):
        assert [path.name for path in find_files(named, MEDIA)] == ["b.wav", "c.wav"]


def test_sounds_rooms_and_noise_are_found_so_too(make):
    make("noise/natural/a.WAV", "noise/natural/._a.WAV", "noise/music/b.Flac", "rooms/.x.wav")
    folder = make("rooms/r.WAV", "classes/cat/1.WAV", "classes/dog/._1.wav", "classes/dog/2.wav")
    recordings = find_recordings(folder / "noise")
    assert [path.name for path in recordings.files("natural")] == ["a.WAV"]
    assert [path.name for path in recordings.files("music")] == ["b.Flac"]
    assert [path.name for path in find_rooms(folder / "rooms")] == ["r.WAV"]
    assert [s.id for s in find_class_sounds(folder / "classes")] == ["cat_1", "dog_2"]
    make("esc/1-100032-A-0.WAV", "esc/2-100032-A-1.wav", "esc/deeper/3-100032-A-1.wav")
    assert [s.label for s in find_esc50_sounds(folder / "esc")] == ["dog", "rooster"]
    make("words/cat/a_nohash_0.WAV", "words/dog/b_nohash_0.wav", "words/_background_noise_/n.wav")
    for name, text in (("validation", "cat/a_nohash_0.wav\r\n"), ("testing", "")):
        data = text.encode("utf-16")
        (folder / f"words/{name}_list.txt").write_bytes(data)
    sounds = find_speech_commands_sounds(folder / "words")
    assert [(s.label, s.fold) for s in sounds] == [("cat", "validation"), ("dog", "train")]


@pytest.mark.parametrize("name", ["tape.ts", "CAMERA.MTS", "old.wmv", "radio.aac"])
def test_containers_of_cameras_and_broadcasts_are_media(tmp_path, name):
    (tmp_path / name).touch()
    assert find_files(tmp_path, MEDIA) == [tmp_path / name]
