"""Rows are put together from what was recognised; the report says what it could not show."""

import json
from dataclasses import asdict

import av
import pytest

from tasks.avsr.evaluation.conditions import Cell
from tasks.avsr.evaluation.config import EvaluationConfig
from tasks.avsr.evaluation.evaluate import Evaluation, evaluate
from tasks.avsr.evaluation.outcomes import Hearings
from tasks.avsr.evaluation.plots import draw_confusion, draw_heat_map, split_panels
from tasks.avsr.evaluation.recognise import recognise_all
from tasks.avsr.evaluation.report import build_report, rows_to_json, to_markdown
from tasks.avsr.evaluation.rows import ROWS, RowErrors
from tasks.avsr.evaluation.selector_scores import score_agreement, score_selector
from tasks.avsr.evaluation.set_groups import name_sets
from tasks.scoring import NORMALISERS

LOUD = Cell("babble", "babble", -5.0)


def hear(plan, recogniser, results) -> Hearings:
    names = name_sets(recogniser, [source.category for source in plan.sources])
    recognise_all(plan, recogniser, names, results)
    return Hearings(plan.clips, plan.cells, names, results.by_key, NORMALISERS["grid"])


@pytest.fixture
def hearings(plan, fake, results):
    return hear(plan, fake, results)


def test_rows_are_what_their_names_say(hearings):
    errors = RowErrors(hearings)
    assert not errors.left_out
    assert list(errors.by_row) == [name for name, row in ROWS.items() if row.always]
    for cell in hearings.cells:
        rates = {row: by_cell[cell].rate for row, by_cell in errors.by_row.items()}
        sets = {n: hearings.errors(hearings.all_with(cell, n)).rate for n in hearings.names.every}
        assert rates["audio-only adapted"] == sets["audio"]
        assert rates["one AV set"] == sets["all"]
        assert rates["worst set"] == max(sets["babble"], sets["music"])
        best = min(sets["babble"], sets["music"])
        assert rates["oracle set"] == (sets[cell.category] if cell.category else best)
        if cell.snr_db is None:  # abstained
            assert rates["AV category sets + selector"] == rates["plain Whisper"]
            assert rates["wrong video"] == rates["no video"] == rates["plain Whisper"]
        else:  # the fake takes everything for babble
            assert rates["AV category sets + selector"] == sets["babble"]
            level = "high_noise" if cell.snr_db < 3 else "low_noise"
            assert rates["AV level sets + selector"] == sets[level]
    loud = {row: by_cell[LOUD].rate for row, by_cell in errors.by_row.items()}
    assert loud["AV category sets + selector"] < loud["no video"] < loud["wrong video"]


def test_groups_that_are_not_there_leave_their_rows_out(plan, fake, results):
    fake.groups = {"audio": ("audio",), "level": ("high_noise", "low_noise")}
    hearings = hear(plan, fake, results)
    report = build_report(hearings, {"model": "fake"}, 0)
    shown = {score.row for score in report.rows}
    assert shown == {"plain Whisper", "audio-only adapted", "AV level sets + selector"}
    assert report.left_out["one AV set"] == "the recogniser has no sets of the group 'all'"
    assert "- wrong video: the recogniser has no sets of the group 'category'" in to_markdown(
        report
    )
    assert report.gains == {}


def test_the_selector_is_scored(hearings):
    scores = score_selector(hearings)
    assert scores is not None
    assert scores.said == ("babble", "music")
    assert scores.confusion == {"babble": (14, 0), "music": (14, 0), "clean": (7, 0)}
    assert scores.category_right == 50
    # 10 dB is above the border, where the set for low noise is right; so it is in babble and music.
    assert scores.level_right == 100
    loud, faint, clean = scores.by_level
    assert (loud.snr_db, loud.high_noise, loud.level_right) == (-5, 100, 100)
    assert (faint.high_noise, faint.level_right, faint.abstained) == (
        0,
        100,
        {"category": 0, "level": 0},
    )
    assert (clean.snr_db, clean.category_right, clean.level_right) == (None, None, None)
    assert clean.abstained == {"category": 100, "level": 100}
    assert {line.condition for line in scores.by_recording} == {"music"}  # babble is many at once
    assert sum(line.clips for line in scores.by_recording) == 14
    for line in scores.by_recording:
        assert (line.category_right, line.loud_right, line.heard) == (0, 0, "babble")


def test_agreement_tells_the_right_video_from_the_wrong_one(hearings):
    scores = score_agreement(hearings)
    assert [(score.area, score.clips) for score in scores] == [(1.0, 7)] * 5


def test_the_report_is_written_and_rows_have_their_schema(plan, fake, tmp_path):
    evaluation = Evaluation(EvaluationConfig(target="grid", seed=3), plan, "grid")
    report = evaluate(evaluation, fake, tmp_path)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows == json.loads(rows_to_json(report.rows)) == [asdict(row) for row in report.rows]
    assert len(rows) == sum(row.always for row in ROWS.values()) * 5
    for row in rows:
        assert list(row) == ["row", "category", "snr_db", "wer", "wer_low", "wer_high", "clips"]
        assert row["row"] in ROWS and row["category"] in ("clean", "babble", "music")
        assert (row["snr_db"] is None) == (row["category"] == "clean")
        assert 0 <= row["wer_low"] <= row["wer"] <= row["wer_high"] and row["clips"] == 7
    text = (tmp_path / "report.md").read_text()
    for part in (
        "normaliser: grid",
        "seed: 3",
        "model: whisper-tiny.en",
        "7, 7 of them",
        "| babble",
        "| row | clean |\n",
    ):
        assert part in text
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["loud"][1]["row"] == "audio-only adapted"
    assert summary["loud"][1]["ratio"]["value"] == 1
    assert len(summary["gains"]) == len(summary["agreement"]) == 5
    assert summary["selector"]["category_right"] == 50
    for name in ("heat_map.png", "confusion.png"):
        with av.open(str(tmp_path / name)) as picture:
            width = picture.streams.video[0].width
        assert name != "heat_map.png" or width >= 1600
    calls = len(fake.calls)
    assert evaluate(evaluation, fake, tmp_path) == report
    assert len(fake.calls) == calls


def test_the_normaliser_changes_without_recognising_again(plan, fake, tmp_path):
    config = EvaluationConfig(target="grid", seed=3)
    evaluate(Evaluation(config, plan, "grid"), fake, tmp_path)
    calls = len(fake.calls)
    evaluate(Evaluation(config, plan, "lower"), fake, tmp_path)
    assert len(fake.calls) == calls
    assert "normaliser: lower" in (tmp_path / "report.md").read_text()
    with pytest.raises(ValueError, match="model was"):
        other = EvaluationConfig(target="grid", seed=3, model="other")
        evaluate(Evaluation(other, plan, "grid"), fake, tmp_path)


def test_a_frozen_model_alone_has_one_row(plan, fake, tmp_path):
    fake.groups = {}
    report = evaluate(Evaluation(EvaluationConfig(), plan, "grid"), fake, tmp_path)
    assert {score.row for score in report.rows} == {"plain Whisper"}
    assert report.selector is None and not (tmp_path / "confusion.png").exists()
    assert "Right or wrong video" not in to_markdown(report)


def test_pictures_of_a_report_are_drawn(hearings, tmp_path):
    report = build_report(hearings, {"model": "fake"}, 0)
    draw_heat_map(report, tmp_path / "rows.png")
    assert report.selector
    draw_confusion(report.selector, tmp_path / "confusion.png")
    assert {path.name for path in tmp_path.iterdir()} >= {"rows.png", "confusion.png"}


def test_many_conditions_go_below_each_other_uncut():
    names = ("babble", "sidespeaker", "music", "natural", "other")
    noisy = [Cell(name, name, float(level)) for name in names for level in range(5)]
    panels = split_panels([Cell("clean"), *noisy])
    assert [len(panel) for panel in panels] == [16, 10]
    assert sum(panels, []) == [Cell("clean"), *noisy]
    wide = [Cell("babble", "babble", float(level)) for level in range(20)]
    assert [len(panel) for panel in split_panels([Cell("clean"), *wide])] == [1, 20]
