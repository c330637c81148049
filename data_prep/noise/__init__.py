"""Noisy speech at exact ratios, from recordings on disk; each scene can be made again."""

from data_prep.noise.levels import RECIPES, measure_power
from data_prep.noise.mixing import Mixture, mix, reverberate
from data_prep.noise.recordings import CATEGORIES, Recordings, find_recordings
from data_prep.noise.scenes import Scene, draw_scene, render_scene

__all__ = [
    "CATEGORIES",
    "RECIPES",
    "Mixture",
    "Recordings",
    "Scene",
    "draw_scene",
    "find_recordings",
    "measure_power",
    "mix",
    "render_scene",
    "reverberate",
]
