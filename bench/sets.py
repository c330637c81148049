"""What adapter sets cost: the selector, the fusion and the adapters, against plain Whisper."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from bench.compare import Row, compare
from data_prep.datasets.speech.grid import find_grid_clips
from tasks.avsr import AVSRPipeline
from tasks.avsr.sets.set_recogniser import SetRecogniser

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "tests/assets/white_house_address.mp4"
MODEL, SETS = "whisper-tiny.en", "grid"
CLIPS, SWITCHES = 8, 100


def rows(given: Namespace) -> list[Row]:
    """Time whole files with video, and switching by itself."""
    plain = AVSRPipeline(MODEL, device="cpu")
    adapted = AVSRPipeline(MODEL, SETS, device="cpu")

    def against(what: str, files: list[str], target: str) -> Row:
        return compare(
            what,
            "plain Whisper, video looked at too",
            lambda: [adapted.transcribe(file) for file in files],
            lambda: [plain.transcribe(file) for file in files],
            target,
        )

    found = [against("the demo clip, which adapter sets do not know", [str(DEMO)], "<= 1.3")]
    grid = given.data / "grid"
    if grid.is_dir():
        clips = [clip.media for clip in find_grid_clips(grid)]
        chosen = clips[:: len(clips) // CLIPS][:CLIPS]
        found.append(against(f"{CLIPS} clips of GRID of 3 s, with adapter sets", chosen, "<= 0.75"))
    return [*found, _switching(adapted)]


def _switching(adapted: AVSRPipeline) -> Row:
    assert isinstance(adapted.sets, SetRecogniser)
    adapters = adapted.sets.adapted.adapters
    names = adapters.names

    def switch() -> None:
        for number in range(SWITCHES):
            adapters.use(names[number % len(names)])
        adapters.use(None)

    row = compare(
        f"a switch between {len(names)} adapter sets",
        "the demo clip",
        switch,
        lambda: adapted.transcribe(str(DEMO)),
        "< 0.01",
    )
    return replace(row, ours=row.ours / SWITCHES, ratio=row.ratio / SWITCHES)
