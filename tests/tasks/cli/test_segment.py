"""`mcgurk segment` as a user runs it, with a CLIPSeg of the smallest size that knows nothing."""

import json
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.__main__ import run

ALL, NONE = ("--threshold", "0"), ("--threshold", "1")  # what it takes for found


@pytest.fixture(scope="module")
def clipseg(tmp_path_factory, save_tiny_clipseg) -> Path:
    folder = tmp_path_factory.mktemp("clipseg")
    save_tiny_clipseg(folder)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch, demo_clip) -> Path:
    """The current folder, with pictures of many kinds."""
    monkeypatch.chdir(tmp_path)
    grey = np.random.default_rng(0).integers(0, 255, (60, 90), dtype=np.uint8)
    Image.fromarray(grey).save("grey.png")
    Image.fromarray(grey.astype(np.uint16) * 16).save("deep.png")
    Image.fromarray(grey[:1, :1]).save("dot.png")
    Image.new("CMYK", (30, 40), (10, 200, 3, 4)).save("print.jpg")
    frames = [Image.fromarray(grey[:, n : n + 50]) for n in range(3)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    Path("cut.png").write_bytes(Path("grey.png").read_bytes()[:300])
    Path("text.txt").write_text("no picture")
    Path("text.png").write_text("no picture")
    Path("none").mkdir()
    shutil.copy(demo_clip, "clip.mp4")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def segment(capsys, clipseg):
    """Run the command with the small model; check its exit code, and return what it prints."""

    def call(*arguments: object, code: int = 0) -> tuple[str, str]:
        given = run(["segment", *map(str, arguments), "--model", str(clipseg), "--device", "cpu"])
        out, err = capsys.readouterr()
        assert given == code, err
        return out, err

    return call


def test_a_picture_and_a_prompt_make_a_table(place, segment):
    out, err = segment("grey.png", "tumor in the breast", *ALL)
    head, line = out.splitlines()
    assert head.split() == ["prompt", "pixels", "share", "centre", "box", "probability"]
    assert line.startswith("tumor in the breast") and "100.0 %" in line and "5400" in line
    assert err == ""
    assert "nothing found" in segment("grey.png", "tumor in the breast", *NONE)[0]


def test_json_tells_area_centre_and_box_of_each_prompt(place, segment):
    out, err = segment("grey.png", "a cyst", "a rib", *ALL, "--json")
    assert err == "" and out.count("\n") == 1
    told = json.loads(out)
    assert list(told) == [
        *("model", "threshold", "picture", "width", "height", "spacing_mm", "note", "prompts")
    ]
    assert [one["prompt"] for one in told["prompts"]] == ["a cyst", "a rib"]
    first = told["prompts"][0]
    assert first["area_px"] == 5400 and first["share"] == 1 and first["area_mm2"] is None
    assert first["centre"] == {"x": 44.5, "y": 29.5} and first["cut"] is False
    assert first["box"] == {"left": 0, "top": 0, "right": 90, "bottom": 60}
    assert 0 < first["mean_probability"] <= first["highest_probability"] < 1


def test_overlay_masks_and_probabilities_are_written(place, segment):
    segment("grey.png", "a", "b", "-o", "new/o.png", "--mask", "m.png", "--probability", "p.png")
    overlay = cv2.imread("new/o.png", cv2.IMREAD_UNCHANGED)
    assert overlay.dtype == np.uint8 and overlay.shape[2] == 3 and overlay.shape[1] >= 384
    for number in (1, 2):
        mask = cv2.imread(f"m_{number}.png", cv2.IMREAD_UNCHANGED)
        deep = cv2.imread(f"p_{number}.png", cv2.IMREAD_UNCHANGED)
        assert mask.shape == deep.shape == (60, 90) and set(np.unique(mask)) <= {0, 255}
        assert np.array_equal(mask > 0, deep > 32767) and deep.dtype == np.uint16
    segment("grey.png", "a", "--mask", "only.png")
    assert Path("only.png").is_file() and not Path("only_1.png").exists()


def test_a_grey_picture_in_which_nothing_is_found_stays_as_it_is(place, segment):
    segment("grey.png", "a thing", "-o", "o.png", *NONE)
    overlay, grey = cv2.imread("o.png"), cv2.imread("grey.png")
    large = grey.repeat(5, 0).repeat(5, 1)  # to 384 pixels and more
    assert np.array_equal(overlay[: len(large)], large)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("moving.gif", "the first of 3 pictures"),
        ("print.jpg", "CMYK turned into RGB"),
        ("deep.png", "dark without a window"),
        ("dot.png", ""),
    ],
)
def test_odd_pictures_have_a_result_and_a_note(place, segment, name, note):
    out, err = segment(name, "a thing", "-o", "o.png", *ALL)
    assert "100.0 %" in out and note in err and Path("o.png").is_file()
    assert json.loads(segment(name, "a thing", "--json")[0])["note"].endswith(note)


def test_a_window_shows_what_is_between_its_ends(place, segment):
    segment("deep.png", "a thing", "-o", "o.png", "--window", "2000,100", *NONE)
    values = np.array(Image.open("deep.png"))
    shown = cv2.imread("o.png")[: 60 * 5 : 5, : 90 * 5 : 5, 0]
    assert (shown[values < 1900] == 0).all() and (shown[values > 2100] == 255).all()


def test_millimetres_of_a_dicom_are_told(place, segment):
    pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    scan = FileDataset("scan.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    scan.Rows, scan.Columns, scan.SamplesPerPixel = 20, 30, 1
    scan.PhotometricInterpretation, scan.PixelRepresentation = "MONOCHROME2", 0
    scan.BitsAllocated = scan.BitsStored = 16
    scan.HighBit, scan.PixelSpacing = 15, [0.5, 0.1]
    scan.PixelData = np.arange(600, dtype=np.uint16).tobytes()
    scan.save_as("scan.dcm", enforce_file_format=True)
    told = json.loads(segment("scan.dcm", "a thing", "--json", "--window", "300,600", *ALL)[0])
    assert told["spacing_mm"] == [0.5, 0.1]
    assert told["prompts"][0]["area_mm2"] == pytest.approx(600 * 0.05)
    assert "mm2" in segment("scan.dcm", "a thing", *ALL)[0]


def test_a_prompt_of_too_many_words_is_cut_with_a_note(place, segment):
    long = "tumor " * 100
    out, err = segment("grey.png", long, "short")
    assert err.count("\n") == 1 and "longer than the model reads" in err
    told = json.loads(segment("grey.png", long, "short", "--json")[0])
    assert [one["cut"] for one in told["prompts"]] == [True, False]


def test_a_folder_is_done_whole_and_what_is_corrupt_is_named(place, segment):
    Path("in/sub").mkdir(parents=True)
    for name in ("grey.png", "cut.png", "print.jpg"):
        shutil.copy(name, "in")
    shutil.copy("grey.png", "in/sub/grey.png")
    out, err = segment("in", "a thing", "-o", "in/out", "--mask", "masks", *ALL)
    written = {str(p) for p in Path("in/out").rglob("*") if p.is_file()}
    pictures = {"in/out/grey.png", "in/out/print.png", "in/out/sub/grey.png"}
    assert written == pictures | {
        f"in/out/{n}" for n in (".mcgurk", "segments.jsonl", "failed.jsonl")
    }
    assert {str(p) for p in Path("masks").rglob("*.png")} == {
        *("masks/grey.png", "masks/print.png", "masks/sub/grey.png")
    }
    rows = [json.loads(line) for line in Path("in/out/segments.jsonl").read_text().splitlines()]
    assert [row["picture"] for row in rows] == ["in/grey.png", "in/print.jpg", "in/sub/grey.png"]
    assert "3 of 3" in out and "in/cut.png" in err and "in/print.jpg: CMYK" in err
    # What lies in the output is no input of the next call.
    again = json.loads(segment("in", "a thing", "-o", "in/out", "--json")[0])
    assert len(again["pictures"]) == 3 and list(again["failed"]) == ["in/cut.png"]
    assert len(segment("in", "a thing")[0].splitlines()) == 1 + 3  # also where nothing is written


def test_what_an_earlier_call_drew_below_a_folder_is_no_picture_of_it(place, segment):
    Path("in").mkdir()
    shutil.copy("grey.png", "in")
    segment("in", "a thing", "-o", "in/drawn", "--probability", "in/sure")
    assert Path("in/drawn/grey.png").is_file() and Path("in/sure/grey.png").is_file()
    told = json.loads(segment("in", "a thing", "-o", "out", "--json")[0])
    assert [one["picture"] for one in told["pictures"]] == ["in/grey.png"]
    assert json.loads(segment("in/drawn", "a thing", "--json")[0])["pictures"]  # where it is named


def test_names_of_no_text_are_written_as_json_tells_them(place, segment):
    Path("in").mkdir()
    shutil.copy("grey.png", "in/caf\udce9.png")
    shutil.copy("cut.png", "in/cut\udce9.png")
    _, err = segment("in", "a thing", "-o", "out")
    assert r"in/cut\udce9.png: cannot be read" in err and Path("out/caf\udce9.png").is_file()
    found = Path("out/segments.jsonl").read_text("utf-8")
    assert json.loads(found)["picture"] == "in/caf\udce9.png"
    failed = Path("out/failed.jsonl").read_text("utf-8")
    assert json.loads(failed)["id"] == r"in/cut\udce9.png"


def test_a_folder_in_which_nothing_can_be_read_is_a_mistake(place, segment):
    Path("in").mkdir()
    shutil.copy("cut.png", "in")
    _, err = segment("in", "a thing", "-o", "out", code=2)
    assert err.count("\n") == 1 and "in/cut.png" in err and "out/failed.jsonl" in err
    assert "in/cut.png" in segment("in", "a thing", code=2)[1]


def test_a_video_is_drawn_with_its_sound_and_told_frame_by_frame(place, segment):
    from data_prep.media import probe

    out, err = segment(
        *("clip.mp4", "a face", "-o", "o.mp4", "--per-frame", "o.jsonl", "--json", *ALL)
    )
    told, source, made = json.loads(out), probe("clip.mp4"), probe("o.mp4")
    assert err == "" and made.video is not None and made.audio is not None
    assert source.video is not None and source.duration_s is not None
    assert made.duration_s == pytest.approx(source.duration_s, abs=0.1)
    assert told["frames"] == len(Path("o.jsonl").read_text().splitlines())
    assert told["prompts"][0]["mean_share"] == pytest.approx(1.0)


@pytest.fixture
def clip(place) -> Path:
    """The pictures of the clip in a container that tells their length first."""
    with av.open("clip.mp4") as source, av.open("clip.mkv", "w") as made:
        copy = made.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                made.mux(packet)
    return Path("clip.mkv")


def test_of_a_video_that_is_cut_what_is_there_is_done_and_that_is_told(segment, clip):
    whole = clip.read_bytes()
    Path("part.mkv").write_bytes(whole[: len(whole) // 8])
    out, err = segment("part.mkv", "a face", "-o", "o.mp4")
    assert err.startswith("part.mkv: it ends after ") and err.count("\n") == 1
    told = json.loads(segment("part.mkv", "a face", "--json")[0])
    assert 0 < told["frames"] < 60 and "of 8.8 s, so the rest of it is missing" in told["note"]
    assert "a face" in out and Path("o.mp4").is_file()


def test_a_video_of_which_no_picture_can_be_decoded_is_a_mistake(place, segment, clip):
    content = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for start, size in places:
        content[start + 8 : start + size] = bytes(size - 8)
    Path("grey.mkv").write_bytes(content)
    before = files(place)
    out, err = segment("grey.mkv", "a face", "-o", "o.mp4", "--per-frame", "o.jsonl", code=2)
    assert out == "" and err.count("\n") == 1
    assert err.startswith("mcgurk: grey.mkv: none of its pictures (h264) can be decoded")
    assert files(place) == before


MISTAKES = {
    "no file": (("no.png", "a"), "no.png"),
    "no words": (("grey.png", ""), "is empty"),
    "a file for a prompt": (("grey.png", "a", "deep.png"), "deep.png is a file"),
    "a text": (("text.txt", "a"), "text.txt"),
    "a text called a picture": (("text.png", "a"), "text.png"),
    "a corrupt picture": (("cut.png", "a"), "cut.png"),
    "a folder without pictures": (("none", "a"), "none holds no pictures"),
    "the picture itself": (("grey.png", "a", "-o", "grey.png"), "the input itself"),
    "the folder itself": ((".", "a", "-o", "."), "the input itself"),
    "a picture of a folder": ((".", "a", "-o", "o.png"), "expected a folder"),
    "two outputs in one": (("grey.png", "a", "-o", "o.png", "--mask", "o.png"), "one file"),
    "a lossy mask": (("grey.png", "a", "--mask", "m.jpg"), "is .png"),
    "a video of a picture": (("grey.png", "a", "-o", "o.mp4"), "is .png, .jpg or .jpeg"),
    "a picture of a video": (("clip.mp4", "a", "-o", "o.png"), "is .mp4"),
    "a mask of a video": (("clip.mp4", "a", "--mask", "m.png"), "--mask is for pictures"),
    "frames of a picture": (("grey.png", "a", "--per-frame", "f.jsonl"), "is for videos"),
    "a window of one number": (("deep.png", "a", "--window", "40"), "CENTRE,WIDTH"),
    "a window without numbers": (("deep.png", "a", "--window", "nan,400"), "The window is nan,400"),
    "words that are no text": (
        ("grey.png", "a\udcff"),
        r"a\udcff, has letters that are no Unicode",
    ),
    "a threshold": (("grey.png", "a", "--threshold", "50"), "Threshold is 50"),
}


@pytest.mark.parametrize(("arguments", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_and_leaves_all_as_it_was(place, segment, arguments, told):
    before = files(place)
    out, err = segment(*arguments, code=2)
    assert out == "" and err.startswith("mcgurk: ") and err.count("\n") == 1 and told in err
    assert files(place) == before


def test_sound_alone_is_no_video(place, segment, tmp_path):
    import wave

    with wave.open("tone.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\0\1" * 8000)
    assert "tone.wav has no pictures" in segment("tone.wav", "a", code=2)[1]
