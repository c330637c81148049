"""Published layouts of recordings with labels: what tables list is found, or told to be missing."""

import json
from pathlib import Path

import pytest

from data_prep.datasets.mixtures import landscape, llp
from data_prep.datasets.mixtures.catalog import MIXTURE_DATASETS
from data_prep.datasets.remarks import Remarks

SHARED = Path(__file__).resolve().parents[4] / "../shared/data/llp"
needs_lists = pytest.mark.skipif(not SHARED.is_dir(), reason="the lists of LLP are not here")
HEAD = "filename\tevent_labels\n"


@pytest.fixture
def fill(tmp_path):
    """Write tables with their text, and empty files."""

    def write(*names, **tables):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        for name, text in tables.items():
            stem, _, suffix = name.rpartition("_")
            (tmp_path / f"{stem}.{suffix}").write_text(text)
        return tmp_path

    return write


@pytest.fixture
def remarks():
    return Remarks()


def test_llp_takes_the_second_in_which_most_is_heard_and_seen(fill, remarks):
    table = f"{HEAD}aaaaaaaaaaa_20_30\tSpeech,Violin_fiddle\nbbbbbbbbbbb_0_10\tDog\n"
    folder = fill(
        "video/aaaaaaaaaaa.mp4",
        "audio/aaaaaaaaaaa.wav",
        "video/bbbbbbbbbbb.mp4",
        LLP_csv=table,
        LLP_train_json=json.dumps({"aaaaaaaaaaa": [0, 1, 2, 2, 2, 1, 2, 0, 0, 0]}),
        LLP_test_json=json.dumps({"bbbbbbbbbbb": [0] * 10}),
    )
    first, second = MIXTURE_DATASETS["llp"](folder, remarks)
    assert (first.labels, first.fold) == (("Speech", "Violin fiddle"), "train")
    assert first.picture_s == 3.5 and first.media.endswith("video/aaaaaaaaaaa.mp4")
    assert (second.fold, second.picture_s, second.start_s) == ("test", None, 0.0)
    assert [names for about, names in remarks.notes.items() if "heard and seen" in about] == [
        ["bbbbbbbbbbb_0_10"]
    ]


def test_llp_multi_is_what_has_two_labels(fill, remarks):
    table = f"{HEAD}a_1_11\tDog,Cat\nb_1_11\tDog\nc_1_11\tClapping,Clapping\n"
    folder = fill("a.mp4", "b.mp4", "c.mp4", LLP_csv=table)
    rows = MIXTURE_DATASETS["llp_multi"](folder, remarks)
    assert [(row.id, row.labels) for row in rows] == [
        ("a_1_11", ("Dog", "Cat")),
        ("c_1_11", ("Clapping",)),
    ]
    assert "Recordings with a label twice, which is taken once: c_1_11." in remarks.told()


def test_the_authors_tables_say_the_fold_and_marked_events_the_second(fill, remarks):
    events = "filename\tonset\toffset\tevent_labels\n"
    folder = fill(
        "v/aaaaaaaaaaa.mp4",
        "v/bbbbbbbbbbb.mp4",
        AVVP_train_csv=f"{HEAD}aaaaaaaaaaa_30_40\tDog\n",
        AVVP_val_pd_csv=f"{HEAD}bbbbbbbbbbb_111.8_121.8\tDog,Car\n",
        AVVP_test_pd_csv=HEAD,
        AVVP_eval_audio_csv=f"{events}bbbbbbbbbbb_111.8_121.8\t0\t5\tDog\n"
        "bbbbbbbbbbb_111.8_121.8\t4\t10\tCar\n",
        AVVP_eval_visual_csv=f"{events}bbbbbbbbbbb_111.8_121.8\t3\t10\tDog\n"
        "bbbbbbbbbbb_111.8_121.8\t4\t6\tCar\n",
    )
    first, second = MIXTURE_DATASETS["llp"](folder, remarks)
    assert (first.fold, first.picture_s) == ("train", None)
    assert (second.fold, second.picture_s) == ("validation", 4.5)


def test_pictures_that_lie_beside_a_sound_are_its_own(fill, remarks):
    table = f"{HEAD}aaaaaaaaaaa_0_10\tDog\nbbbbbbbbbbb_0_10\tCat\nccccccccccc_0_10\tCar\n"
    folder = fill(
        *(f"audio/{one * 11}.wav" for one in "abc"),
        "image/aaaaaaaaaaa.jpg",
        *(f"image/bbbbbbbbbbb_frame_{n}.jpg" for n in (1, 2, 3)),
        LLP_csv=table,
    )
    rows = MIXTURE_DATASETS["llp"](folder, remarks)
    assert [Path(row.picture).name for row in rows] == [
        "aaaaaaaaaaa.jpg",
        "bbbbbbbbbbb_frame_2.jpg",
        "",
    ]
    assert "no picture of their name: ccccccccccc_0_10" in " ".join(remarks.told())


def test_what_is_missing_is_told_with_where_to_get_it(fill, remarks):
    folder = fill("a.mp4", LLP_csv=f"{HEAD}a_1_11\tDog\nb_2_12\tDog,Cat\n")
    with pytest.raises(ValueError, match=r"1 of 2 recordings \(1 of no fold\) are not below .*b_2"):
        MIXTURE_DATASETS["llp"](folder, remarks)
    rows = MIXTURE_DATASETS["llp"](folder, remarks, skip_missing=True)
    assert [row.id for row in rows] == ["a_1_11"]
    assert "b_2_12 or b is not below" in remarks.failed["b_2_12"]
    assert "it is video b of YouTube, 2 to 12 s" in remarks.failed["b_2_12"]


def test_recordings_may_lie_elsewhere(fill, remarks, tmp_path):
    folder = fill("media/a.mp4", "other/a.mp4", LLP_csv=f"{HEAD}a_1_11\tDog\n")
    with pytest.raises(
        ValueError, match="a is in .*media/a.mp4 and in .*other/a.mp4; expected one"
    ):
        MIXTURE_DATASETS["llp"](folder, remarks)
    (row,) = MIXTURE_DATASETS["llp"](folder, remarks, tmp_path / "media")
    assert row.media == str(tmp_path / "media/a.mp4")


def test_audioset_names_labels_by_its_own_tables(fill, remarks):
    segments = (
        "# Segments csv created Sun Mar  5 10:54:25 2017\n# num_ytids=3\n"
        "# YTID, start_seconds, end_seconds, positive_labels\n"
        '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/0bt9lr"\n'
        '--BfvyPmVMo, 20.000, 30.000, "/m/03l9g"\n-0BIyqJj9ZU, 30.000, 40.000, "/m/0bt9lr"\n'
    )
    folder = fill(
        "audio/--4gqARaEJE.wav",
        "audio/Y--BfvyPmVMo.wav",
        "audio/-0BIyqJj9ZU_30000_40000.flac",
        eval_segments_csv=segments,
        class_labels_indices_csv="index,mid,display_name\n0,/m/03l9g,Hammer\n"
        '1,/m/068hy,"Domestic animals, pets"\n2,/m/0bt9lr,"Dog"\n',
    )
    rows = MIXTURE_DATASETS["audioset_eval"](folder, remarks)
    assert [row.labels for row in rows] == [
        ("Domestic animals, pets", "Dog"),
        ("Hammer",),
        ("Dog",),
    ]
    (folder / "class_labels_indices.csv").unlink()
    with pytest.raises(FileNotFoundError, match="neither class_labels_indices.csv nor ontology"):
        MIXTURE_DATASETS["audioset_eval"](folder, remarks)
    named = [{"id": "/m/03l9g", "name": "Hammer"}]
    (folder / "ontology.json").write_text(json.dumps(named))
    with pytest.raises(ValueError, match="label '/m/068hy' for --4gqARaEJE"):
        MIXTURE_DATASETS["audioset_eval"](folder, remarks)


def test_names_with_commas_are_not_torn(fill, remarks):
    table = 'filename,event_labels\n--4gqARaEJE,"Domestic animals, pets,Squeak,Dog,Animal"\n'
    folder = fill("--4gqARaEJE.mp4", AudioSet_csv=table)
    (row,) = MIXTURE_DATASETS["audioset_eval"](folder, remarks)
    assert row.labels == ("Domestic animals, pets", "Squeak", "Dog", "Animal")


def test_landscape_has_folds_by_its_folders(fill, remarks):
    table = (
        "event_labels\tfilename\nfire_crackling\taaa#1#11\nraining\tbbb#2#12\nthunder\tccc#3#13\n"
    )
    folder = fill(
        "train/fire/aaa#1#11.mp4", "test/bbb_2_12.mp4", "ccc#3#13.mp4", Landscape_csv=table
    )
    rows = MIXTURE_DATASETS["landscape"](folder, remarks)
    assert [(row.labels, row.fold) for row in rows] == [
        (("fire crackling",), "train"),
        (("raining",), "test"),
        (("thunder",), ""),
    ]


def test_fsd50k_has_folds_by_its_tables_and_no_pictures(fill, remarks):
    for name in ("136", "221"):
        fill(f"FSD50K.dev_audio/{name}.wav")
    folder = fill("FSD50K.eval_audio/99.wav", "FSD50K.ground_truth/vocabulary.csv")
    truth = folder / "FSD50K.ground_truth"
    dev = 'fname,labels,mids,split\n136,"Electric_guitar,Music",x,train\n221,Crow,y,val\n'
    (truth / "dev.csv").write_text(dev)
    (truth / "eval.csv").write_text("fname,labels,mids\n99,Walk_and_footsteps,z\n")
    rows = MIXTURE_DATASETS["fsd50k"](folder, remarks)
    assert [(row.id, row.labels, row.fold) for row in rows] == [
        ("136", ("Electric guitar", "Music"), "train"),
        ("221", ("Crow",), "validation"),
        ("99", ("Walk and footsteps",), "test"),
    ]
    assert not remarks.notes


@pytest.mark.parametrize("name", MIXTURE_DATASETS)
def test_a_folder_without_tables_is_told_what_is_expected(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="expected"):
        MIXTURE_DATASETS[name](tmp_path)


@pytest.mark.parametrize(
    ("name", "table", "text", "told"),
    [
        ("llp", "LLP.csv", f"{HEAD}no_seconds\tDog\n", "file name 'no_seconds'"),
        ("llp", "LLP.csv", "filename,event_labels\na_1_2,Dog\n", "not filename, event_labels"),
        ("llp", "LLP_train.json", '{"a": 3}', "has no counts"),
        ("landscape", "Landscape.csv", "event_labels\tfilename\nrain\ta#1\n", "file name 'a#1'"),
        ("audioset_eval", "eval_segments.csv", "a, 0.0, 10.0\n", "has the line 'a, 0.0, 10.0'"),
    ],
)
def test_damaged_tables_are_told(fill, name, table, text, told):
    folder = fill(class_labels_indices_csv="index,mid,display_name\n0,/m/1,Dog\n")
    (folder / table).write_text(text)
    if not (folder / "LLP.csv").exists():
        (folder / "LLP.csv").write_text(f"{HEAD}a_1_2\tDog\n")
    with pytest.raises(ValueError, match=told):
        MIXTURE_DATASETS[name](folder)


@needs_lists
def test_the_published_lists_have_as_many_clips_as_the_papers_say():
    told = Remarks()
    whole, multi = (list(read(SHARED, told)) for read in (llp.read_llp, llp.read_llp_multi))
    assert (len(whole), len(multi)) == (11_849, 7_202)
    folds = [sum(one.fold == fold for one in multi) for fold in ("train", "validation", "test")]
    assert folds == [5_968, 437, 797]
    assert len({label for one in whole for label in one.labels}) == 25
    assert all(len(one.counts) == 10 for one in whole)
    found = list(landscape.read_landscape(SHARED, told))
    assert len(found) == 1_000 and len({one.labels for one in found}) == 9
