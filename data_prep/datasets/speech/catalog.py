"""Raw data sets as they are published, as clips that can be prepared."""

from collections.abc import Callable
from pathlib import Path

from data_prep.clips.lhotse_cuts import find_cut_clips
from data_prep.clips.manifest import Clip
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import find_grid_clips

DATASETS: dict[str, Callable[[str | Path], list[Clip]]] = {
    "grid": find_grid_clips,
    "folder": find_folder_clips,  # LRS2, LRS3 and any folder of clips with .txt beside them
    "cuts": find_cut_clips,  # a file of lhotse's, which has recipes for most corpora
}
