import ast
from pathlib import Path

from modalities import rates


def test_the_clock_is_that_of_the_models_and_of_the_shipped_weights():
    assert (rates.RATE_HZ, rates.VIDEO_RATE_HZ, rates.CROP_SIDE) == (16_000, 25, 96)
    assert (rates.SAMPLES_PER_PICTURE, rates.SAMPLES_PER_STATE) == (640, 320)
    assert (rates.MEL_FRAMES_PER_PICTURE, rates.STATES_PER_PICTURE) == (4, 2)
    assert rates.WHISPER_WINDOW_SAMPLES == 480_000
    assert (rates.PIECE_SAMPLES, rates.PIECE_MEL_FRAMES, rates.PIECE_STATES) == (51_200, 320, 160)


def test_units_of_the_clock_fit_into_each_other_without_rest():
    assert rates.SAMPLES_PER_PICTURE * rates.VIDEO_RATE_HZ == rates.RATE_HZ
    assert rates.SAMPLES_PER_STATE * rates.STATES_PER_PICTURE == rates.SAMPLES_PER_PICTURE
    assert rates.MEL_HOP_SAMPLES * rates.MEL_FRAMES_PER_PICTURE == rates.SAMPLES_PER_PICTURE
    assert rates.PIECE_STATES * rates.SAMPLES_PER_STATE == rates.PIECE_SAMPLES


def test_the_clock_imports_nothing():
    tree = ast.parse(Path(rates.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_no_package_defines_the_clock_a_second_time():
    root = Path(rates.__file__).parents[1]
    names = {name for name in vars(rates) if name.isupper()}
    for package in ("modalities", "fusion", "data_prep", "tasks", "bench", "tools"):
        for path in (root / package).rglob("*.py"):
            if path != Path(rates.__file__):
                assert not names & _assigned(path), path


def _assigned(path: Path) -> set[str]:
    body = ast.parse(path.read_text()).body
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return {
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    }
