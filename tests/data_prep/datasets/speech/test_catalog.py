"""Names and files of published data sets become clips with text and times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.clips.manifest import Clip, read_manifest, runs_of
from data_prep.clips.splits import read_split
from data_prep.datasets.speech.catalog import DATASETS
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import find_grid_clips, read_alignment, spell
from data_prep.json_lines import write_manifest
from modalities.speech.timed_text import Word


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bbaf2n", "bin blue at f two now"),
        ("lgizzs", "lay green in z zero soon"),
        ("swwv9a", "set white with v nine again"),
        ("prby1p", "place red by y one please"),
    ],
)
def test_a_grid_name_is_its_transcript(name, text):
    assert spell(name) == text


@pytest.mark.parametrize("name", ["", "bbaf2", "bbaf2nn", "xbaf2n", "bbaw2n", "bbaf0n", "bbaf2x"])
def test_other_names_are_told(name):
    with pytest.raises(ValueError, match="no name of a GRID clip"):
        spell(name)


def test_alignments_are_seconds_without_silence(tmp_path):
    path = tmp_path / "bbaf2n.align"
    path.write_text("0 23750 sil\n23750 29500 bin\n29500 34000 blue\n34000 74500 sil\n")
    assert read_alignment(path) == (Word(0.95, 1.18, "bin"), Word(1.18, 1.36, "blue"))
    path.write_text("0 23750 SIL\n23750 29500 bin\n29500 74500 SP\n")
    assert read_alignment(path) == (Word(0.95, 1.18, "bin"),)
    for line in ("bin", "29500 23750 bin", "-100 0 bin"):
        path.write_text(f"0 23750 sil\n{line}\n")
        with pytest.raises(ValueError, match=f"line 2 is '{line}'"):
            read_alignment(path)


@pytest.mark.parametrize("text", ["[1]", "3", '{"test": 3}', '{"test": "bbaf2n"}', "null", "{"])
def test_what_is_no_split_is_told_by_the_name_of_its_file(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(ValueError, match="split.json is no split") as error:
        read_split(tmp_path / "split.json", "test")
    assert "object has no" not in str(error.value)


def test_grid_s_clips_are_found_by_talker(tmp_path):
    for place in ("s1/bbaf2n.mpg", "s1/notes.mpg", "s2/video/mpg/bbaf2n.mpg"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "align/s1").mkdir(parents=True)
    (tmp_path / "align/s1/bbaf2n.align").write_text("0 25000 bin\n")
    first, second = find_grid_clips(tmp_path)
    assert (first.id, first.speaker, first.words) == ("s1_bbaf2n", "s1", (Word(0.0, 1.0, "bin"),))
    assert second.text == "bin blue at f two now"
    with pytest.raises(ValueError, match="no clip whose name is a GRID transcript"):
        find_grid_clips(tmp_path / "align")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        find_grid_clips(tmp_path / "nowhere")


def test_grid_beside_the_project_is_whole(shared_data):
    clips = find_grid_clips(shared_data / "grid")
    assert len(clips) == 880 and len({clip.id for clip in clips}) == 880
    for clip in clips:
        assert " ".join(word.text for word in clip.words) == clip.text, clip.id


def test_lrs_transcripts_have_text_and_times(tmp_path):
    (tmp_path / "talk").mkdir()
    (tmp_path / "talk/00001.mp4").touch()
    (tmp_path / "talk/00001.txt").write_text(
        "Text:  WHEN YOU'RE  COOKING\nConf:  4\n\nWORD START END ASDSCORE\n"
        "WHEN 0.10 0.24 6.4\nYOU'RE 0.24 0.40 5.0\n"
    )
    (tmp_path / "plain.mp4").touch()
    (tmp_path / "plain.txt").write_text("two\nlines\n")
    (tmp_path / "silent.wav").touch()
    clips = {clip.id: clip for clip in find_folder_clips(tmp_path)}
    assert clips["talk_00001"].text == "WHEN YOU'RE COOKING"
    assert clips["talk_00001"].words[1] == Word(0.24, 0.40, "YOU'RE")
    assert clips["talk_00001"].speaker == "talk"
    assert (clips["plain"].text, clips["plain"].speaker) == ("two lines", None)
    assert clips["silent"].text is None
    (tmp_path / "plain.mov").touch()
    with pytest.raises(ValueError, match="two clips that would be called 'plain'"):
        find_folder_clips(tmp_path)


@given(st.lists(st.booleans(), max_size=40))
def test_a_mask_is_its_runs(mask):
    import numpy as np

    runs = runs_of(np.array(mask, bool))
    assert Clip("a", "a.mp4", frames=len(mask), seen=runs).mask().tolist() == mask


def test_manifests_are_read_as_written_and_a_broken_end_is_left_out(tmp_path):
    path = tmp_path / "manifest.jsonl"
    clips = [
        Clip("a", "a.mp4", "ein Wörtchen", "s1", (Word(0, 0.5, "ein"),), 1.0, 25, "a", ((0, 9),)),
        Clip("b", "b.mp4"),
    ]
    write_manifest(path, clips)
    assert list(read_manifest(path)) == clips
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_manifest(path)) == clips[:1]
    path.write_text('{"id": "a"}\n')
    with pytest.raises(ValueError, match="line 1 is no clip"):
        list(read_manifest(path))
    with pytest.raises(FileNotFoundError, match="expected a manifest"):
        list(read_manifest(tmp_path / "none.jsonl"))


def test_a_line_of_a_manifest_keeps_its_form():
    """Manifests of earlier versions are gone on with, and compared byte by byte."""
    clip = Clip("a", "a.mp4", "ein Wörtchen", words=(Word(0, 0.5, "ein"),), duration_s=1.0)
    assert clip.to_json() == (
        '{"id": "a", "media": "a.mp4", "text": "ein Wörtchen", "speaker": null, "words": '
        '[{"text": "ein", "start_s": 0, "end_s": 0.5}], "duration_s": 1.0, "frames": null, '
        '"mouth": null, "seen": []}'
    )


def test_every_data_set_is_a_function_of_a_folder(tmp_path):
    for find in DATASETS.values():
        with pytest.raises(FileNotFoundError):
            find(tmp_path / "nowhere")


def test_a_manifest_that_an_editor_saved_anew_is_read_and_a_cut_letter_is_left_out(tmp_path):
    path, clip = tmp_path / "manifest.jsonl", Clip("a", "a.mp4", "größer")
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(f"{clip.to_json()}\r\n".encode(encoding))
        assert list(read_manifest(path)) == [clip]
    line = f"{clip.to_json()}\n".encode()
    path.write_bytes(line + line[: line.index("ö".encode()) + 1])  # killed within a letter
    assert list(read_manifest(path)) == [clip]
    path.write_bytes(f"{clip.to_json()}\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"manifest\.jsonl looks like Latin-1"):
        list(read_manifest(path))


def test_from_python_what_cannot_be_read_is_raised_and_notes_are_warnings(tmp_path):
    for name in ("a.mp4", "a.wav", "b.wav", "b.txt"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning) as told:
        assert [clip.text for clip in find_folder_clips(tmp_path)] == [None, ""]
    assert [str(w.message).rpartition(": ")[2] for w in told] == ["a.wav.", "b."]
    (tmp_path / "b.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(ValueError, match=r"b\.txt looks like Latin-1"):
        find_folder_clips(tmp_path)


def test_of_grid_s_video_and_sound_the_video_is_taken_and_one_talker_s_alignments_are_his(tmp_path):
    for place in ("audio_25k/s1/bbaf2n.wav", "s1/bbaf2n.mpg", "s1/lgizzs.MPG"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "align").mkdir()
    (tmp_path / "align/bbaf2n.align").write_text("0 25000 bin\n")
    first, second = find_grid_clips(tmp_path)
    assert first.media.endswith("s1/bbaf2n.mpg") and second.media.endswith("lgizzs.MPG")
    assert first.words == (Word(0.0, 1.0, "bin"),)
    (tmp_path / "s2").mkdir()
    (tmp_path / "s2/bbaf2n.mpg").touch()
    assert not any(clip.words for clip in find_grid_clips(tmp_path))  # whose would they be?
