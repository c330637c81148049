"""Noisy speech at exact ratios, from recordings on disk; each scene can be made again."""

from data_prep.noise.levels import RECIPES, measure_power
from data_prep.noise.mixing import Mixture, mix, mix_sources, reverberate
from data_prep.noise.noisy import (
    NoisyClip,
    load_noisy_sample,
    read_noisy_manifest,
    render_noisy,
)
from data_prep.noise.noisy_manifest import MixOptions, mix_manifest
from data_prep.noise.recordings import CATEGORIES, Recordings, find_recordings
from data_prep.noise.scenes import Scene, draw_scene, render_scene

__all__ = [
    "CATEGORIES",
    "RECIPES",
    "MixOptions",
    "Mixture",
    "NoisyClip",
    "Recordings",
    "Scene",
    "draw_scene",
    "find_recordings",
    "load_noisy_sample",
    "measure_power",
    "mix",
    "mix_manifest",
    "mix_sources",
    "read_noisy_manifest",
    "render_noisy",
    "render_scene",
    "reverberate",
]
