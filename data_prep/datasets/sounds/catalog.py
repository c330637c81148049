"""Data sets of labelled sounds by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from data_prep.datasets.sounds.classes import find_class_sounds
from data_prep.datasets.sounds.csv_sounds import find_csv_sounds
from data_prep.datasets.sounds.esc50 import find_esc50_sounds
from data_prep.datasets.sounds.fluent_speech_commands import find_fluent_speech_commands_sounds
from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.datasets.sounds.iemocap import find_iemocap_sounds
from data_prep.datasets.sounds.speech_commands import find_speech_commands_sounds
from data_prep.datasets.sounds.urbansound8k import find_urbansound8k_sounds
from data_prep.sounds.labelled import Sound

SOUND_DATASETS: dict[str, Callable[[str | Path], list[Sound]]] = {
    "esc50": find_esc50_sounds,
    "urbansound8k": find_urbansound8k_sounds,
    "speech_commands": find_speech_commands_sounds,
    "fluent_speech_commands": find_fluent_speech_commands_sounds,
    "iemocap": find_iemocap_sounds,
    "fsdd_digit": partial(find_fsdd_sounds, label="digit"),
    "fsdd_speaker": partial(find_fsdd_sounds, label="speaker"),
    "classes": find_class_sounds,  # any folder with a folder for each class
    "csv": find_csv_sounds,  # any table with the columns path and label
}
