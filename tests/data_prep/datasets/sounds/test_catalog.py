"""Published layouts become labelled sounds with their official parts; bad ones are told."""

from collections import Counter

import numpy as np
import pytest

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.datasets.sounds.classes import find_class_sounds
from data_prep.datasets.sounds.csv_sounds import find_csv_sounds
from data_prep.datasets.sounds.esc50 import LABELS, find_esc50_sounds
from data_prep.datasets.sounds.fluent_speech_commands import find_fluent_speech_commands_sounds
from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.datasets.sounds.iemocap import find_iemocap_sounds
from data_prep.datasets.sounds.speech_commands import find_speech_commands_sounds
from data_prep.datasets.sounds.urbansound8k import find_urbansound8k_sounds
from data_prep.media import read_audio
from data_prep.media.wav import encode_wav
from data_prep.sounds.labelled import classes_of

ESC50 = "filename,fold,target,category,esc10,src_file,take\n"
URBAN = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
FLUENT = ",path,speakerId,transcription,action,object,location\n"
IEMOCAP = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def put(folder, *places):
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch()


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def parts(sounds):
    return {sound.id: (sound.label, sound.fold, sound.speaker) for sound in sounds}


def test_esc50_is_read_by_table_or_by_names(tmp_path):
    put(tmp_path, "audio/1-100032-A-0.wav", "audio/5-9032-A-49.wav", "audio/6-1-A-0.wav")
    found = {"1-100032-A-0": ("dog", "1", None), "5-9032-A-49": ("hand_saw", "5", None)}
    assert parts(find_esc50_sounds(tmp_path)) == parts(find_esc50_sounds(tmp_path / "audio"))
    assert parts(find_esc50_sounds(tmp_path)) == found
    table = tmp_path / "meta/esc50.csv"
    rows = "1-100032-A-0.wav,1,0,dog,True,100032,A\n5-9032-A-49.wav,5,49,hand_saw,False,9032,A\n"
    write(table, ESC50 + rows)
    assert parts(find_esc50_sounds(tmp_path)) == found
    assert find_esc50_sounds(tmp_path)[0].media == str(tmp_path / "audio/1-100032-A-0.wav")
    gone = "".join(f"1-{n}-A-0.wav,1,0,dog,True,{n},A\n" for n in range(4))
    write(table, ESC50 + rows + gone)
    with pytest.raises(ValueError, match=r"names 4 files .*1-0-A-0.wav, .*1-2-A-0.wav, ...; exp"):
        find_esc50_sounds(tmp_path)
    write(table, ESC50 + rows + rows)
    with pytest.raises(ValueError, match="2 sounds with the id '1-100032-A-0'.*Rename or remove"):
        find_esc50_sounds(tmp_path)
    write(table, ESC50.replace("category", "kind") + rows)
    with pytest.raises(ValueError, match="and not category; expected filename, fold, category"):
        find_esc50_sounds(tmp_path)


def test_esc50_has_50_labels_and_clips_beside_the_project(shared_data):
    assert len(set(LABELS)) == 50
    sounds = {sound.id: sound for sound in find_esc50_sounds(shared_data / "esc50")}
    assert len(sounds) == 10
    assert (sounds["1-79113-A-5"].label, sounds["1-79113-A-5"].fold) == ("cat", "1")
    assert sounds["3-171937-A-34"].label == "can_opening"


def test_urbansound8k_keeps_folds_and_takes_files_whole(tmp_path):
    put(tmp_path, "audio/fold5/100032-3-0-0.wav", "audio/fold10/100648-1-0-0.wav")
    rows = "100032-3-0-0.wav,100032,0.0,0.3,1,5,3,dog_bark\n"
    rows += "100648-1-0-0.wav,100648,4.8,5.4,2,10,1,car_horn\n"
    write(tmp_path / "metadata/UrbanSound8K.csv", URBAN + rows)
    sounds = find_urbansound8k_sounds(tmp_path)
    assert parts(sounds) == {
        "100032-3-0-0": ("dog_bark", "5", None),
        "100648-1-0-0": ("car_horn", "10", None),
    }
    assert {(sound.start_s, sound.end_s) for sound in sounds} == {(0.0, None)}


def test_speech_commands_follow_the_lists(tmp_path):
    names = [
        "bed/0a_nohash_0.wav",
        "bed/0a_nohash_1.wav",
        "bed/0b_nohash_0.wav",
        "up/0c_nohash_0.wav",
    ]
    put(tmp_path, *names, "_background_noise_/pink_noise.wav", "LICENSE", "up/notes.txt")
    write(tmp_path / "validation_list.txt", "bed/0b_nohash_0.wav\n")
    with pytest.raises(
        FileNotFoundError, match="no .*testing_list.txt; expected the authors' list"
    ):
        find_speech_commands_sounds(tmp_path)
    write(tmp_path / "testing_list.txt", "up/0c_nohash_0.wav\n")
    assert parts(find_speech_commands_sounds(tmp_path)) == {
        "bed_0a_nohash_0": ("bed", "train", "0a"),
        "bed_0a_nohash_1": ("bed", "train", "0a"),
        "bed_0b_nohash_0": ("bed", "validation", "0b"),
        "up_0c_nohash_0": ("up", "test", "0c"),
    }
    write(tmp_path / "testing_list.txt", "up/0c_nohash_0.wav\nup/0d_nohash_0.wav\n")
    with pytest.raises(ValueError, match="testing_list.txt names 1 files .*: up/0d_nohash_0.wav;"):
        find_speech_commands_sounds(tmp_path)


def test_fluent_commands_have_their_intent(tmp_path):
    put(tmp_path, *(f"wavs/speakers/s{n}/u{n}.wav" for n in range(3)))
    row = '0,wavs/speakers/s{0}/u{0}.wav,s{0},"Heat, please",{1}\n'
    for name, n, slots in (
        ("train", 0, "increase,heat,kitchen"),
        ("valid", 1, "change language,none,none"),
        ("test", 2, "increase,heat,kitchen"),
    ):
        write(tmp_path / f"data/{name}_data.csv", FLUENT + row.format(n, slots))
    assert parts(find_fluent_speech_commands_sounds(tmp_path)) == {
        "s0_u0": ("increase heat kitchen", "train", "s0"),
        "s1_u1": ("change language none none", "validation", "s1"),
        "s2_u2": ("increase heat kitchen", "test", "s2"),
    }
    (tmp_path / "data/test_data.csv").unlink()
    with pytest.raises(FileNotFoundError, match="test_data.csv; expected the columns path"):
        find_fluent_speech_commands_sounds(tmp_path)


def test_iemocap_has_four_emotions_by_session_and_speaker(tmp_path):
    turns = {
        "Ses01F_impro01_F000": "neu",
        "Ses01F_impro01_M000": "ang",
        "Ses01F_impro01_M001": "xxx",
        "Ses05M_script01_1b_F001": "exc",
        "Ses05M_script01_1b_M002": "hap",
        "Ses05M_script01_1b_M003": "sad",
    }
    for name, emotion in turns.items():
        session, dialogue = f"Session{name[4]}", name.rpartition("_")[0]
        if emotion != "xxx":
            put(tmp_path, f"{session}/sentences/wav/{dialogue}/{name}.wav")
        table = tmp_path / f"{session}/dialog/EmoEvaluation/{dialogue}.txt"
        before = table.read_text() if table.is_file() else IEMOCAP
        line = f"[6.2901 - 8.2357]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]\n"
        write(table, f"{before}{line}C-E2:\tNeutral;\t()\n\n")
    put(tmp_path, "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt")
    assert parts(find_iemocap_sounds(tmp_path)) == {
        "Ses01F_impro01_F000": ("neutral", "1", "1F"),
        "Ses01F_impro01_M000": ("angry", "1", "1M"),
        "Ses05M_script01_1b_F001": ("happy", "5", "5F"),
        "Ses05M_script01_1b_M002": ("happy", "5", "5M"),
        "Ses05M_script01_1b_M003": ("sad", "5", "5M"),
    }
    table = tmp_path / "Session1/dialog/EmoEvaluation/Ses01F_impro02.txt"
    write(table, "[1.0 - 2.0]\tSes01F_impro02_F000\tneu\t[2.5, 2.5, 2.5]\n")
    with pytest.raises(ValueError, match="Ses01F_impro02.txt names 1 files that are not there"):
        find_iemocap_sounds(tmp_path)
    write(table, "[1.0 - 2.0] Ses01F_impro02_F000 neu\n")
    with pytest.raises(ValueError, match="Ses01F_impro02.txt has the line '.*with tabs between"):
        find_iemocap_sounds(tmp_path)


def test_fsdd_beside_the_project_is_whole(shared_data):
    digits = find_fsdd_sounds(shared_data / "fsdd")
    speakers = find_fsdd_sounds(shared_data / "fsdd", "speaker")
    assert len(digits) == len({sound.id for sound in digits}) == 3000
    assert classes_of(digits) == list("0123456789")
    assert classes_of(speakers) == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
    assert all(sound.speaker == sound.label for sound in speakers)
    tested = [sound for sound in digits if sound.fold == "test"]
    assert len(tested) == 300 and set(Counter(s.label for s in tested).values()) == {30}
    assert len(read_audio(tested[0].media)) > 1600
    with pytest.raises(ValueError, match="No label 'word' in FSDD; known: digit, speaker"):
        find_fsdd_sounds(shared_data / "fsdd", "word")  # type: ignore[arg-type]


def test_folders_are_classes(tmp_path):
    put(tmp_path, "train/a/1.wav", "train/2.FLAC", "dog/1.wav", "dog/._1.wav", ".cache/x/1.wav")
    assert parts(find_class_sounds(tmp_path)) == {
        "dog_1": ("dog", "", None),
        "train_2": ("train", "", None),
        "train_a_1": ("train", "", None),
    }
    put(tmp_path, "test/1.wav")
    with pytest.raises(ValueError, match="has the parts test, train and beside them dog; expected"):
        find_class_sounds(tmp_path)
    put(tmp_path, "loose.wav")
    (tmp_path / "test/1.wav").unlink()
    with pytest.raises(ValueError, match="1 sounds in no class: loose.wav; .* Move them"):
        find_class_sounds(tmp_path)


def test_folders_of_parts_hold_classes(tmp_path):
    put(tmp_path, "train/dog/1.wav", "train/cat/deep/2.mp3", "val/dog/1.wav", "test/cat/1.wav")
    assert parts(find_class_sounds(tmp_path)) == {
        "test_cat_1": ("cat", "test", None),
        "train_cat_deep_2": ("cat", "train", None),
        "train_dog_1": ("dog", "train", None),
        "val_dog_1": ("dog", "validation", None),
    }
    put(tmp_path, "train/dog/1.flac")
    with pytest.raises(ValueError, match="2 sounds with the id 'train_dog_1'"):
        find_class_sounds(tmp_path)


def test_a_table_names_files_labels_and_stretches(tmp_path):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds/a.wav").write_bytes(encode_wav(np.zeros(1600, np.float32)))
    put(tmp_path, "far/b.wav")
    table = tmp_path / "sounds/table.csv"
    table.write_text(
        "\ufeffpath, label,fold,speaker,start_s,end_s\na.wav,dog,val,ann,0,0.05\n"
        f'a.wav,"speech, male",1,,0.05,\n{tmp_path}/far/b.wav,dog,,,,\n'
    )
    first, second, far = find_csv_sounds(table)
    assert len(read_audio(first.media)) == 1600
    assert (first.id, first.fold, first.speaker) == ("a_0-0.05", "validation", "ann")
    assert (second.label, second.fold, second.speaker) == ("speech, male", "1", None)
    assert (second.start_s, second.end_s) == (0.05, None)
    assert far.media == str(tmp_path / "far/b.wav") and far.id.endswith("_far_b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the columns none and not path, label; expected path, label. Write them"),
        ("path,kind\na.wav,dog\n", "has the columns path, kind and not label"),
        ("path,label\n", "has no sounds; expected lines such as"),
        ("path,label\na.wav,dog\n", "only the class 'dog'; expected two or more. Add sounds"),
        ("path,label\na.wav,dog\na.wav,cat\n", "2 sounds with the id 'a'.* Rename or remove"),
        ("path,label\na.wav,dog\nb.wav,cat\n", "names 1 files .*b.wav; expected all. Unpack"),
        ("path,label\na.wav,dog,barks\n", "line 2 has more cells than columns.* into quotes"),
        ("path,label\na.wav,dog\na.wav\n", "line 3 has no label; expected path, label. Fill"),
        ("path,label,start_s\na.wav,dog,soon\n", "has start_s 'soon' and end_s '' for a.wav"),
        ("path,label,start_s,end_s\na.wav,dog,2,1\n", "start_s '2' and end_s '1'.* Correct"),
    ],
)
def test_bad_tables_are_told(tmp_path, text, message):
    put(tmp_path, "a.wav")
    write(tmp_path / "table.csv", text)
    with pytest.raises(ValueError, match=message):
        find_csv_sounds(tmp_path / "table.csv")


def test_a_table_is_a_file_of_text(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder; expected a .csv file. Name the file"):
        find_csv_sounds(tmp_path)
    (tmp_path / "table.csv").write_bytes(b"path,label\n\xff\xfe,\n")
    with pytest.raises(ValueError, match="is no table .* Save it anew as CSV"):
        find_csv_sounds(tmp_path / "table.csv")


@pytest.mark.parametrize("name", SOUND_DATASETS)
def test_every_data_set_tells_what_it_needs(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="expected"):
        SOUND_DATASETS[name](tmp_path / "nowhere")
    with pytest.raises((FileNotFoundError, ValueError), match="expected"):
        SOUND_DATASETS[name](tmp_path)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("esc50", "1-100032-A-0.wav"),
        ("fsdd_digit", "recordings/0_theo_1.wav"),
        ("classes", "dog/1.wav"),
    ],
)
def test_one_class_is_not_enough(tmp_path, name, place):
    put(tmp_path, place)
    with pytest.raises(ValueError, match="has only the class .*; expected two or more. Add sounds"):
        SOUND_DATASETS[name](tmp_path)


def test_a_table_of_a_spreadsheet_is_read_as_it_was_written(tmp_path):
    text = "path,label\r\na.WAV,größer\r\nb.wav,hund\r\n"
    for name in ("a.WAV", "b.wav"):
        (tmp_path / name).touch()
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "table.CSV").write_bytes(text.encode(encoding))
        assert [s.label for s in find_csv_sounds(tmp_path / "table.CSV")] == ["größer", "hund"]
    (tmp_path / "table.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"table\.csv looks like Latin-1"):
        find_csv_sounds(tmp_path / "table.csv")
