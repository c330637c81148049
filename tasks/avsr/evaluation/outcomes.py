"""All that was recognised, and the word errors in it."""

from collections.abc import Sequence
from functools import lru_cache

from data_prep.clips.manifest import Clip
from tasks.avsr.evaluation.conditions import Cell
from tasks.avsr.evaluation.results import NO_VIDEO, RIGHT, Key, Result
from tasks.avsr.evaluation.set_groups import SetNames
from tasks.scoring import WordErrors, count_errors
from tasks.scoring.normalisers import Normaliser


class Hearings:
    """The results of a whole evaluation, to look up and to score.

    Args:
        clips: All clips of the evaluation, those without video too.
        cells: Its conditions.
        names: What the recogniser's sets are called, and what for.
        results: What was recognised, by `Result.key`.
        normalise: Applied to what is compared.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        cells: Sequence[Cell],
        names: SetNames,
        results: dict[Key, Result],
        normalise: Normaliser,
    ):
        self.clips = tuple(clip.id for clip in clips)
        self.with_video = frozenset(clip.id for clip in clips if clip.mouth)
        self.cells, self.names, self.results = tuple(cells), names, results
        self._normalise = lru_cache(maxsize=None)(normalise)  # most texts come many times

    def find(self, clip: str, cell: Cell, adapter_set: str | None, video: str = RIGHT) -> Result:
        """Return what was recognised of a clip.

        Args:
            clip: Id; one without video has the same result for each.
            cell: Condition.
            adapter_set: Name, or None for the frozen model.
            video: Which one was shown.
        """
        if adapter_set is None or clip not in self.with_video:
            video = NO_VIDEO
        return self.results[clip, cell.condition, cell.snr_db, adapter_set, video]

    def all_with(self, cell: Cell, adapter_set: str | None) -> list[Result]:
        """Return what one set recognised of all clips, [clips]."""
        return [self.find(clip, cell, adapter_set) for clip in self.clips]

    def selected(self, cell: Cell, group: str, video: str = RIGHT) -> list[Result]:
        """Return what the sets that the selector chose recognised, [clips]."""
        chosen = [plain.chosen.get(group) for plain in self.all_with(cell, None)]
        return [
            self.find(clip, cell, name, video)
            for clip, name in zip(self.clips, chosen, strict=True)
        ]

    def errors(self, results: Sequence[Result]) -> WordErrors:
        """Count the word errors of results."""
        return count_errors(
            [result.reference for result in results],
            [result.hypothesis for result in results],
            self._normalise,
        )
