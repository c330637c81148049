"""mcgurk evaluate on segmenters, with one that finds colours: red things by a prompt with "red"."""

import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from data_prep.json_lines import write_manifest
from data_prep.masks.images import read_mask
from data_prep.masks.manifest import MaskedImage
from tasks.__main__ import run
from tasks.scoring.masks import EMPTY_RULE, score_mask
from tasks.segmentation.evaluation.config import SegmentationEvaluationConfig
from tasks.segmentation.evaluation.prompts import choose_prompts

PROMPTS = {"red": "a red thing", "blue": "a blue thing", "none": "no thing"}
ZEBRA = "a photo of a zebra"


class Colours:
    """Finds what is red, or blue, and one column of pixels too many; nothing by other prompts."""

    asked: list[tuple[str, ...]] = []

    @classmethod
    def load(cls, folder_or_name: str, device: str = "auto") -> "Colours":
        if folder_or_name == "nowhere":
            raise FileNotFoundError("There is no segmenter nowhere.")
        return cls()

    def probability(
        self, image: np.ndarray, prompts: Sequence[str], labels: Sequence[str]
    ) -> np.ndarray:
        self.asked.append(tuple(prompts))
        channels = [0 if "red" in prompt else 2 if "blue" in prompt else None for prompt in prompts]
        return np.stack([self._find(image, channel) for channel in channels])

    def _find(self, image: np.ndarray, channel: int | None) -> np.ndarray:
        found = np.zeros(image.shape[:2], np.float32)
        if channel is not None:
            found[image[..., channel] > 0.9] = 0.8
            found[:, -1] = 0.6
        return found


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[tuple[str, ...]]:
    """What the segmenter was asked."""
    monkeypatch.setattr(Colours, "asked", [])
    module = SimpleNamespace(Segmenter=Colours)
    monkeypatch.setitem(sys.modules, "tasks.segmentation.segmenter", module)
    return Colours.asked


def draw(folder: Path, name: str, size: tuple[int, int], boxes: dict[str, tuple[int, ...]]) -> None:
    """Write a grey picture of a size with a box of each colour, and a mask of each box."""
    picture = np.full((*size, 3), 90, np.uint8)
    for label, (top, left, height, width) in boxes.items():
        mask = np.zeros(size, np.uint8)
        mask[top : top + height, left : left + width] = 255
        picture[mask > 0] = (0, 0, 255) if label == "red" else (255, 0, 0)  # OpenCV: BGR
        cv2.imwrite(str(folder / f"{name}_{label}.png"), mask)
    cv2.imwrite(str(folder / f"{name}.png"), picture)


def row(name: str, label: str, **entries) -> MaskedImage:
    prompts = {"p0": ("",), "p1": (PROMPTS[label],), "p2": (PROMPTS[label], f"{PROMPTS[label]}!")}
    return MaskedImage(
        **{
            "id": f"{name}_{label}",
            "image": f"{name}.png",
            "mask": f"{name}_{label}.png",
            "label": label,
            "fold": "test",
            "prompts": prompts,
            **entries,
        }
    )


@pytest.fixture
def rows(tmp_path) -> list[MaskedImage]:
    """Two things in one picture, a small one in a second, none in a third, a fourth unmarked."""
    draw(tmp_path, "two", (40, 60), {"red": (5, 5, 20, 20), "blue": (15, 35, 15, 15)})
    draw(tmp_path, "small", (30, 30), {"red": (10, 10, 2, 2)})
    draw(tmp_path, "bare", (24, 24), {"none": (0, 0, 0, 0)})
    draw(tmp_path, "unmarked", (24, 24), {})
    return [
        row("two", "red"),
        row("small", "red"),
        row("two", "blue"),
        row("bare", "none"),
        row("unmarked", "red", mask=""),
        row("two", "red", id="learnt", fold="train"),
    ]


@pytest.fixture
def manifest(rows, tmp_path) -> Path:
    write_manifest(tmp_path / "masks.jsonl", rows)
    return tmp_path / "masks.jsonl"


@pytest.fixture
def config(manifest, tmp_path) -> Path:
    path = tmp_path / "evaluation.yaml"
    path.write_text(f"task: segmentation_evaluation\nsegmenter: colours\nmasks: {manifest}\n")
    return path


@pytest.fixture
def evaluates(capsys, config, tmp_path):
    def evaluate(*arguments: object) -> str:
        code = run(["evaluate", str(config), *map(str, arguments), "-o", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return evaluate


@pytest.fixture
def fails(capsys, config, tmp_path):
    def fail(*arguments: object) -> str:
        code = run(["evaluate", str(config), *map(str, arguments), "-o", str(tmp_path / "out")])
        out, err = capsys.readouterr()
        assert code == 2 and out == ""
        assert err.startswith("mcgurk: ") and err.count("\n") == 1
        return err

    return fail


def read_csv(tmp_path: Path) -> dict[str, dict[str, str]]:
    with (tmp_path / "out/masks.csv").open(newline="") as file:
        return {line["id"]: line for line in csv.DictReader(file)}


def test_each_mask_has_its_scores_and_means_are_over_masks(evaluates, tmp_path):
    found = json.loads(evaluates("--json"))
    assert found == json.loads((tmp_path / "out/scores.json").read_text())
    lines = read_csv(tmp_path)
    assert list(lines) == ["two_red", "two_blue", "small_red", "bare_none"]
    truth = read_mask(tmp_path / "two_red.png")
    said = truth.copy()
    said[:, -1] = True
    expected = score_mask(said, truth)
    line = lines["two_red"]
    assert (line["class"], line["unit"], line["empty"]) == ("red", "px", "")
    for name in ("dice", "iou", "hd95"):
        assert float(line[name]) == pytest.approx(getattr(expected, name), rel=1e-5)
    assert line["prompt"].startswith("a red thing") and float(line["seconds"]) >= 0
    dice = {name: float(line["dice"]) for name, line in lines.items()}
    assert found["overall"]["masks"] == 4
    assert found["overall"]["dice"] == pytest.approx(sum(dice.values()) / 4, rel=1e-5)
    red = (dice["two_red"] + dice["small_red"]) / 2
    assert found["by_class"]["red"]["dice"] == pytest.approx(red, rel=1e-5)
    mean = (red + dice["two_blue"] + 1) / 3
    assert found["class_mean"]["dice"] == pytest.approx(mean, rel=1e-5)


def test_an_image_is_asked_about_once_whatever_the_number_of_its_masks(evaluates, asked):
    evaluates("prompts=p1", f"unrelated={ZEBRA}")
    assert asked == [
        ("a red thing", "a blue thing", ZEBRA),
        ("a red thing", ZEBRA),
        ("no thing", ZEBRA),
    ]


def test_the_rule_for_empty_masks_and_their_numbers_are_told_everywhere(evaluates, tmp_path):
    printed = " ".join(evaluates().split())
    assert EMPTY_RULE in printed and "Without a mask, in no score: 1 (unmarked_red)." in printed
    report = (tmp_path / "out/report.md").read_text()
    assert EMPTY_RULE in report and "- unmarked_red" in report
    head, *lines = [line for line in report.splitlines() if line.startswith("|")]
    assert "both empty | only truth empty | only prediction empty |" in head
    assert next(line for line in lines if "| all " in line).endswith("| 1 | 0 | 0 |")
    found = json.loads((tmp_path / "out/scores.json").read_text())
    assert found["empty_rule"] == EMPTY_RULE and found["overall"]["both_empty"] == 1
    assert found["not_empty"]["masks"] == 3 and found["unlabelled"] == ["unmarked_red"]
    assert read_csv(tmp_path)["bare_none"]["empty"] == "both"


def test_the_right_prompt_is_set_beside_unrelated_ones(evaluates, tmp_path):
    several = f"unrelated=['{ZEBRA}', 'a car']"
    found = json.loads(evaluates(several, "--json"))["by_unrelated"]
    assert set(found) == {"all", "with something to find", "red", "blue", "none"}
    assert found["all"]["dice_unrelated"] == pytest.approx(1 / 4)  # the empty one alone is right
    assert found["with something to find"]["dice_unrelated"] == 0
    gain = 100 * (found["all"]["dice"] - 1 / 4)
    report = (tmp_path / "out/report.md").read_text()
    assert f"| {gain:+.1f} |" in report and f"{ZEBRA}; a car" in report
    assert read_csv(tmp_path)["small_red"]["dice_unrelated"] == "0"
    assert json.loads(evaluates("--json"))["by_unrelated"] == {}


def test_millimetres_stand_in_a_column_of_their_own(evaluates, rows, manifest, tmp_path):
    write_manifest(manifest, [replace(rows[0], spacing_mm=(0.5, 0.25)), *rows[1:]])
    evaluates()
    lines = read_csv(tmp_path)
    assert {name: line["unit"] for name, line in lines.items()} == {
        "two_red": "mm",
        **dict.fromkeys(["two_blue", "small_red", "bare_none"], "px"),
    }
    report = (tmp_path / "out/report.md").read_text()
    assert "| HD95, px | HD95, mm |" in report
    assert "in millimetres for 1 of 4 masks" in report
    found = json.loads((tmp_path / "out/scores.json").read_text())["overall"]
    assert found["hd95_mm"] == pytest.approx(float(lines["two_red"]["hd95"]), rel=1e-5)
    pixels = [float(line["hd95"]) for line in lines.values() if line["unit"] == "px"]
    assert found["hd95_px"] == pytest.approx(sum(pixels) / 3, rel=1e-5)


def test_prompts_are_drawn_by_the_seed_and_a_mask_at_a_time(rows):
    config = SegmentationEvaluationConfig()
    drawn = choose_prompts(rows, config)
    assert drawn == choose_prompts(rows, config)
    assert choose_prompts(rows[2:], config) == {r.id: drawn[r.id] for r in rows[2:]}
    every = [choose_prompts(rows, replace(config, seed=seed))["two_red"] for seed in range(200)]
    shares = {prompt: every.count(prompt) / 200 for prompt in set(every)}
    # Keys first, then wordings: p1's only one, and half of p2's, against the other half.
    assert shares["a red thing"] == pytest.approx(0.75, abs=0.1)
    assert set(shares) == {"a red thing", "a red thing!"}


def test_a_key_or_a_sentence_for_all_is_asked(evaluates, asked, tmp_path):
    evaluates("prompts=p1")
    assert {line["prompt"] for line in read_csv(tmp_path).values()} == set(PROMPTS.values())
    evaluates("text=the {label} one")
    assert read_csv(tmp_path)["two_blue"]["prompt"] == "the blue one"
    evaluates("prompts=p0")
    assert {prompt for prompts in asked[-3:] for prompt in prompts} == {""}


def test_a_part_is_chosen(evaluates, fails):
    assert json.loads(evaluates("part=train", "--json"))["overall"]["masks"] == 1
    assert json.loads(evaluates("--part", "all", "--json"))["overall"]["masks"] == 5
    assert "expected one of test, train, all" in fails("part=validation")


def test_the_threshold_decides(evaluates):
    sure = json.loads(evaluates("threshold=0.7", "--json"))
    assert sure["not_empty"]["dice"] == 1
    assert json.loads(evaluates("threshold=0.9", "--json"))["not_empty"]["dice"] == 0


def test_what_cannot_be_used_stops_or_is_counted_and_named(evaluates, fails, manifest, tmp_path):
    (tmp_path / "small.png").write_bytes(b"\x89PNG\r\n\x1a\nrest is lost")
    told = fails()
    assert str(tmp_path / "small.png") in told and "--skip-bad" in told
    found = json.loads(evaluates("--skip-bad", "--json"))
    assert list(found["left_out"]) == ["small_red"] and found["overall"]["masks"] == 3
    printed = " ".join(evaluates("--skip-bad").split())
    assert "Left out: small_red:" in printed
    assert "small.png" in (tmp_path / "out/report.md").read_text()


def test_a_mask_of_another_size_is_told_with_both_files(evaluates, fails, tmp_path):
    shutil.copy(tmp_path / "small_red.png", tmp_path / "two_blue.png")
    told = fails()
    assert "two_blue.png has 30 x 30 pixels and its picture" in told and "two.png 60 x 40" in told
    found = json.loads(evaluates("--skip-bad", "--json"))
    assert list(found["left_out"]) == ["two_blue"] and "two_red" in read_csv(tmp_path)


def test_what_reading_an_image_decided_is_told(evaluates, tmp_path):
    dark = np.full((24, 24), 900, np.uint16)
    cv2.imwrite(str(tmp_path / "bare.png"), dark)
    printed = " ".join(evaluates().split())
    assert "bare.png: its brightest value is 900 of 65535" in printed
    assert "## Notes on images" in (tmp_path / "out/report.md").read_text()


def test_an_image_that_the_segmenter_refuses_is_named(evaluates, fails, monkeypatch):
    def refuse(self, image, prompts, labels):
        if image.shape[:2] == (30, 30):
            raise ValueError("Too small.")
        return np.zeros((len(prompts), *image.shape[:2]), np.float32)

    monkeypatch.setattr(Colours, "probability", refuse)
    assert "small.png cannot be used: Too small." in fails()
    assert list(json.loads(evaluates("--skip-bad", "--json"))["left_out"]) == ["small_red"]


def test_a_missing_file_is_told(fails, tmp_path):
    (tmp_path / "bare_none.png").unlink()
    assert "bare_none.png" in fails()


def test_a_manifest_without_masks_is_refused(fails, rows, manifest):
    write_manifest(manifest, [replace(r, mask="") for r in rows])
    assert "nothing to score: 5 have no mask" in fails()


def test_masks_without_prompts_are_told_what_to_do(evaluates, fails, rows, manifest):
    write_manifest(manifest, [replace(r, prompts={}) for r in rows])
    told = fails()
    assert "two_red has no prompts" in told and "text='the {label}'" in told
    assert json.loads(evaluates("text=the {label}", "--json"))["overall"]["masks"] == 4


def test_mistakes_are_one_line_before_anything_is_written(fails, tmp_path):
    for arguments, words in (
        (("prompts=p7",), "known: p0, p1, p2, random"),
        (("prompts=randm",), "Did you mean 'random'?"),
        (("threshold=50",), "expected a probability, 0 to 1"),
        (("worst=-1",), "0 for no sheet"),
        (("unrelated=3",), "expected a sentence, or a list"),
        (("part=tests",), "known: train, validation, test, all"),
        (("data.dataset=bsui",), "Did you mean"),
        (("masks=nowhere.jsonl",), "nowhere.jsonl"),
        (("masks=''",), "No masks are named"),
        (("segmenter=''",), "No segmenter is named"),
        (("segmenter=nowhere",), "There is no segmenter nowhere"),
        (("--sounds", tmp_path), "--sounds is no option of segmentation_evaluation"),
    ):
        assert words in fails(*arguments)
    assert not (tmp_path / "out").exists()


def test_a_published_data_set_is_evaluated_by_name(evaluates, shared_data, monkeypatch, tmp_path):
    """Of ultrasound pictures, a sixth of which have no tumor: nothing found is right there."""
    folder = shared_data / "busi"
    found = json.loads(
        evaluates("masks=''", "data.dataset=busi", f"data.folder={folder}", "--json")
    )
    overall = found["overall"]
    assert overall["masks"] == 11 and found["facts"]["masks"].endswith(f"busi in {folder}, test")
    normal = [line for name, line in read_csv(tmp_path).items() if "normal" in name]
    assert {line["empty"] for line in normal} == {"both"} and len(normal) == overall["both_empty"]
    assert overall["dice"] == pytest.approx(len(normal) / 11)
    assert overall["predicted_empty"] == 11 - len(normal) and found["not_empty"]["dice"] == 0


def test_the_sheet_is_written_where_it_is_asked_for(evaluates, tmp_path):
    evaluates("worst=2")
    picture = cv2.imread(str(tmp_path / "out/worst.png"))
    assert picture is not None and picture.shape[1] > 1000
    (tmp_path / "out/worst.png").unlink()
    evaluates("worst=0")
    assert not (tmp_path / "out/worst.png").exists()
