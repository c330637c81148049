"""How well the selector knows the noise, and how well lips and sound are told apart."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.avsr.evaluation.conditions import CLEAN, Cell
from tasks.avsr.evaluation.outcomes import Hearings
from tasks.avsr.evaluation.results import RIGHT, WRONG, Result
from tasks.avsr.evaluation.set_groups import BORDER_DB
from tasks.avsr.sets.collection import CATEGORY, LEVEL
from tasks.scoring import measure_separation

FEW = 12  # recordings of a kind of noise that are told one by one


@dataclass(frozen=True)
class LevelLine:
    """The selector at one level, over all kinds of noise; shares are in percent.

    Attributes:
        snr_db: Signal-to-noise ratio; None for clean speech.
        clips: How many were heard.
        category_right: Share whose category was told right; None for clean speech, which has none.
        high_noise: Share for which the set for high noise was chosen; None without such sets.
        level_right: Share of right ones among those for which any of the two was chosen; None at
            the border itself, on clean speech, and without such sets.
        abstained: Share left to the frozen model, by group of sets.
    """

    snr_db: float | None
    clips: int
    category_right: float | None
    high_noise: float | None
    level_right: float | None
    abstained: dict[str, float]


@dataclass(frozen=True)
class RecordingLine:
    """The selector on one recording of noise, over all levels.

    Attributes:
        condition: Name of the noise.
        recording: Its file, without ending.
        clips: In which it was heard.
        category_right: Share whose category was told right, percent.
        loud_right: Share at 0 dB and below whose category was told right, percent; None where there
            is no such clip.
        heard: The category that was told most often.
    """

    condition: str
    recording: str
    clips: int
    category_right: float | None
    loud_right: float | None
    heard: str


@dataclass(frozen=True)
class SelectorScores:
    """How well the selector knows the noise.

    Attributes:
        said: Categories that it tells apart.
        confusion: By true category, or "clean": how often each was said, [said].
        category_right: Share of noisy clips whose category was told right, percent.
        level_right: Share of right ones among those for which any set by level was chosen, over all
            levels but the border, percent; None without sets by level.
        by_level: From loud noise to clean speech.
        by_recording: One line for each recording, where a clip hears one at a time and few there
            are.
    """

    said: tuple[str, ...]
    confusion: dict[str, tuple[int, ...]]
    category_right: float | None
    level_right: float | None
    by_level: tuple[LevelLine, ...]
    by_recording: tuple[RecordingLine, ...] = ()


@dataclass(frozen=True)
class AgreementScore:
    """How well the agreement of lips and sound tells the right video from another clip's.

    Attributes:
        condition: Name of the noise, or "clean".
        snr_db: Signal-to-noise ratio; None for clean speech.
        area: Under the ROC curve; 1 is perfect, 0.5 is chance; None where no agreement is known.
        clips: With an agreement for both videos.
    """

    condition: str
    snr_db: float | None
    area: float | None
    clips: int


def score_selector(hearings: Hearings) -> SelectorScores | None:
    """Compare what the selector said with what was mixed.

    Args:
        hearings: All results.

    Returns:
        None for a recogniser without sets to choose among.
    """
    heard = [r for cell in hearings.cells for r in hearings.all_with(cell, None) if r.scenario]
    if not heard:
        return None
    high = hearings.names.high_noise
    true = dict.fromkeys(result.category or CLEAN for result in heard)
    said = dict.fromkeys([*hearings.names.of_category, *sorted(map(_said, heard))])
    confusion = {
        category: tuple(
            sum((r.category or CLEAN) == category and _said(r) == name for r in heard)
            for name in said
        )
        for category in sorted(true, key=lambda category: category == CLEAN)
    }
    levels = dict.fromkeys(result.snr_db for result in heard)
    ordered = sorted(levels, key=lambda level: float("inf") if level is None else level)
    return SelectorScores(
        tuple(said),
        confusion,
        _category_right(heard),
        _level_right(heard, high),
        tuple(_line(level, [r for r in heard if r.snr_db == level], high) for level in ordered),
        tuple(_list_recordings(heard)),
    )


def score_agreement(hearings: Hearings) -> list[AgreementScore]:
    """Measure in each condition how well agreement tells the right video from a wrong one.

    Args:
        hearings: All results.
    """
    return [_score_agreement(hearings, cell) for cell in hearings.cells]


def _score_agreement(hearings: Hearings, cell: Cell) -> AgreementScore:
    right, wrong = [], []
    for plain in hearings.all_with(cell, None):
        name = plain.chosen.get(CATEGORY) or hearings.names.watching
        place = plain.clip, cell.condition, cell.snr_db, name
        found = [hearings.results.get((*place, video)) for video in (RIGHT, WRONG)]
        scores = [result.agreement for result in found if result]
        if len(scores) == 2 and scores[0] is not None and scores[1] is not None:
            right.append(scores[0])
            wrong.append(scores[1])
    area = measure_separation(right, wrong)
    return AgreementScore(cell.condition, cell.snr_db, area, len(right))


def _said(result: Result) -> str:
    assert result.scenario is not None
    return result.scenario.category


def _share(right: Sequence[bool]) -> float | None:
    return 100 * sum(right) / len(right) if right else None


def _category_right(heard: Sequence[Result]) -> float | None:
    return _share([_said(r) == r.category for r in heard if r.category])


def _line(snr_db: float | None, heard: list[Result], high: str | None) -> LevelLine:
    groups = dict.fromkeys(group for result in heard for group in result.chosen)
    abstained = {g: 100 * sum(r.chosen[g] is None for r in heard) / len(heard) for g in groups}
    return LevelLine(
        snr_db,
        len(heard),
        _category_right(heard),
        _share([r.chosen[LEVEL] == high for r in heard]) if high else None,
        _level_right(heard, high),
        abstained,
    )


def _list_recordings(heard: Sequence[Result]) -> list[RecordingLine]:
    """Score each recording, where a kind of noise is one at a time, of `FEW` or fewer."""
    found: dict[str, dict[str, list[Result]]] = {}
    for result in heard:
        if result.scene and len(result.scene.files) == 1:
            name = Path(result.scene.files[0]).stem
            found.setdefault(result.condition, {}).setdefault(name, []).append(result)
    lines = []
    for condition, recordings in found.items():
        for name, results in sorted(recordings.items()) if len(recordings) <= FEW else ():
            loud = [r for r in results if r.snr_db is not None and r.snr_db <= 0]
            [(most, _)] = Counter(map(_said, results)).most_common(1)
            shares = _category_right(results), _category_right(loud)
            lines.append(RecordingLine(condition, name, len(results), *shares, most))
    return lines


def _level_right(heard: list[Result], high: str | None) -> float | None:
    if high is None:
        return None
    decided = [
        (result.snr_db, result.chosen[LEVEL])
        for result in heard
        if result.snr_db not in (None, BORDER_DB) and result.chosen[LEVEL] is not None
    ]
    return _share(
        [(name == high) == (level < BORDER_DB) for level, name in decided if level is not None]
    )
