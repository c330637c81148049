"""Raw data sets as they are published, as clips that can be prepared."""

from pathlib import Path
from typing import Protocol

from data_prep.clips.lhotse_cuts import find_cut_clips
from data_prep.clips.manifest import Clip
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import find_grid_clips


class Find(Protocol):
    """Finds the clips of a data set."""

    def __call__(self, source: str | Path, /, remarks: Remarks | None = None) -> list[Clip]:
        """Find clips; remarks are where it is told which are left out, and why."""
        ...


def _find_cuts(source: str | Path, /, remarks: Remarks | None = None) -> list[Clip]:
    return find_cut_clips(source)


DATASETS: dict[str, Find] = {
    "grid": find_grid_clips,
    "folder": find_folder_clips,  # LRS2, LRS3 and any folder of clips with .txt beside them
    "cuts": _find_cuts,  # a file of lhotse's, which has recipes for most corpora
}
