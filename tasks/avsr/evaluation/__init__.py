"""Evaluation of audio-visual speech recognition in noise, with what proves that video is used."""

from tasks.avsr.evaluation.clips import ClipSet, find_clips, prepare_clips
from tasks.avsr.evaluation.conditions import Cell, NoiseSource
from tasks.avsr.evaluation.config import ConditionOptions, EvaluationConfig
from tasks.avsr.evaluation.evaluate import Evaluation, evaluate, plan_evaluation
from tasks.avsr.evaluation.recognise import Plan
from tasks.avsr.evaluation.report import Report
from tasks.avsr.evaluation.rows import ROWS, RowScore

__all__ = [
    "ROWS",
    "Cell",
    "ClipSet",
    "ConditionOptions",
    "Evaluation",
    "EvaluationConfig",
    "NoiseSource",
    "Plan",
    "Report",
    "RowScore",
    "evaluate",
    "find_clips",
    "plan_evaluation",
    "prepare_clips",
]
