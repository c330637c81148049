"""Sections of what was measured on small MM-DiTs, from measurements that are made up."""

import json

import pytest

pytest.importorskip("diffusers")

from tools import conditions_easycontrol as easycontrol
from tools import conditions_mmdit_pages as pages
from tools import conditions_pka as pka
from tools import conditions_unic as unic

STUDIES = {"easycontrol": easycontrol, "unic": unic, "pka": pka}
COMMON = {"lesson": {"steps": 7, "batch": 3}, "rank": 2, "tested": 5, "judge": [90.0, 80.0]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name, study in STUDIES.items():
        monkeypatch.setattr(study, "RESULTS", tmp_path / f"{name}.json")
        monkeypatch.setattr(study, "SHEET", tmp_path / f"{name}.png")
    monkeypatch.setattr(pages.mmdits, "RESULTS", tmp_path / "mmdits.json")
    monkeypatch.setattr(pages, "PAGE", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    base = {"weights": 1234, "shape": 50.0, "colour": 99.0}
    (tmp_path / "mmdits.json").write_text(json.dumps({"flux": base, "sd3": base}))
    return tmp_path


def write(folder, name, **found) -> str:
    (folder / f"{name}.json").write_text(json.dumps({**COMMON, "seconds": 90, **found}))
    (folder / f"{name}.png").write_bytes(name.encode())
    told = "\n".join(getattr(pages, f"tell_{name}")())
    assert (folder / f"docs/conditions_{name}.png").read_bytes() == name.encode()
    return told


@pytest.mark.parametrize("name", STUDIES)
def test_without_measurements_nothing_is_told(name):
    with pytest.raises(FileNotFoundError, match=f"there is no {name}.json"):
        getattr(pages, f"tell_{name}")()


@pytest.mark.parametrize(("kept", "dense", "expected"), [(1e-6, 50, True), (1e-4, 99, False)])
def test_easycontrol_reaches_its_aims_or_not(folder, kept, dense, expected):
    seed = {
        f"{form}, {told}": {"edges": value, "colour": value, "distance": 1.0}
        for form, value in zip(easycontrol.FORMS, (80, dense), strict=True)
        for told in easycontrol.TOLD
    }
    times = {form: [1.0, 2.0, 3.0, 4.0] for form in easycontrol.FORMS}
    told = write(
        folder,
        "easycontrol",
        seeds=[seed],
        kept={"kept": kept, "absent": 0.0},
        steps={**times, "none": 0.5},
    )
    assert told.count("MISSED") == (0 if expected else 2)
    assert "7 steps of 3 pictures on a frozen FLUX of 1,234 weights" in told
    assert "| all to all | both | " in told and "1 seed, 2 minutes" in told


@pytest.mark.parametrize("lost", [10.0, 1.0])
def test_unic_compares_each_task_with_other_instructions(folder, lost):
    def row(**values: float) -> dict[str, float]:
        return {task: values.get(task.split(" ")[-1], 20.0) for task in unic.TASKS}

    seed = {
        f"{unic.WHOLE}, copy outline": row(outline=90.0),
        f"{unic.WHOLE}, copy colour": row(colour=70.0),
        f"{unic.WHOLE}, mirror": row(mirror=85.0),
        f"{unic.UNTURNED}, copy outline": row(outline=90.0 - lost),
        f"{unic.UNTURNED}, copy colour": row(colour=72.0),
        f"{unic.UNTURNED}, mirror": row(mirror=85.0 - lost),
        f"{unic.UNTOLD}, {unic.NONE}": row(),
    }
    told = write(folder, "unic", seeds=[seed])
    assert told.count("MISSED") == (0 if lost > 5 else 1)
    assert "copy outline 90.0, copy colour 70.0, mirror 85.0" in told


@pytest.mark.parametrize("uniform", [60.0, 80.0])
def test_pka_tells_thresholds_and_times(folder, uniform):
    row = {"edges": 70.0, "shape": 50.0, "colour": 70.0, "distance": 3.0}
    counts = {f"{form}, {n}": row for form in (pka.SPARSE, pka.DENSE) for n in (1, 2, 3, 4)}
    swept = {
        f"{one:g}": {**row, "places": 100 - 90 * one, "colour": 90 - 80 * one}
        for one in pka.THRESHOLDS
    }
    values = dict(zip(pka.TIMES, (70.0, uniform), strict=True))
    times = {
        f"{label}, {name}": {**row, "edges": value, "colour": value}
        for label, value in values.items()
        for name in (pka.EDGES, pka.SUBJECT)
    }
    told = write(
        folder,
        "pka",
        counts=[counts],
        thresholds=[swept],
        times=[times] * 3,
        short={"steps": 2, "batch": 3},
    )
    assert ("above with each seed): MISSED" in told) == (uniform > 70)
    assert "best told at a threshold of 0;" in told
    assert "| logit-normal (0.5, 1.5) | edges | 70.0 ± 0.0 |" in told
    assert "| uniform | subject |" in told and "3 seeds" in told
