"""Contact sheets of a study on masks: what each of some segmenters finds, beside the truth."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.masks.manifest import MANIFEST, MaskedImage, read_masks
from tasks.pictures.sheets import save_sheet
from tasks.segmentation.config import PromptOptions, SegmentationConfig
from tasks.segmentation.data import find_masks
from tasks.segmentation.evaluation.comparison import draw_comparison
from tasks.segmentation.evaluation.outcomes import Asked, Case, Segments, measure_masks
from tasks.segmentation.prompts import settle_text
from tools.render_scenes import RenderOptions, render_folder

# Another seed than those that models are trained on: no picture in common.
SCENES = RenderOptions(count=6, seed=2405, size=160, prompts=1, wordings=1)


def compare_on_data(
    segmenters: Mapping[str, Segments], config: SegmentationConfig, path: Path
) -> None:
    """Draw all test images of an experiment, with the prompts that it is tested with.

    Raises:
        ValueError: Images cannot be used.
        OSError: They are not there, or the sheet cannot be written.
    """
    _compare(segmenters, find_masks(config.data).parts["test"], config.prompts, path)


def compare_on_scenes(
    segmenters: Mapping[str, Segments], path: Path, options: RenderOptions = SCENES
) -> None:
    """Draw rendered scenes, which may be shown anywhere, each with one of its prompts.

    Raises:
        OSError: The sheet cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        render_folder(Path(folder), options, workers=1)
        first: dict[str, MaskedImage] = {}
        for row in read_masks(Path(folder) / MANIFEST):
            first.setdefault(row.image, row)
        _compare(segmenters, list(first.values()), PromptOptions(), path)


def _compare(
    segmenters: Mapping[str, Segments],
    rows: Sequence[MaskedImage],
    options: PromptOptions,
    path: Path,
) -> None:
    asked = Asked({row.id: settle_text(row, options) for row in rows})
    columns: list[list[Case]] = []
    for segmenter in segmenters.values():
        columns.append([])
        measure_masks(segmenter, rows, asked, columns[-1].append)
    lines = list(zip(*columns, strict=True))
    save_sheet(draw_comparison(lines, tuple(segmenters)), path)
