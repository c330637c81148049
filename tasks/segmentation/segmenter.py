"""Segmentation by a prompt in three verbs: fit, segment, evaluate."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from modalities.empty_name import refuse_empty_name
from tasks.reports import Evaluated, OpenBar, no_bar
from tasks.segmentation.card import CARD, find_folder
from tasks.segmentation.predictor import Predictor
from tasks.segmentation.segmenter_files import bare_segmenter, load_segmenter

if TYPE_CHECKING:
    from tasks.segmentation.config import SegmentationConfig
    from tasks.segmentation.evaluation.config import SegmentationEvaluationConfig
    from tasks.training.loop import Progress


class Segmenter(Predictor):
    """A CLIPSeg as it is, or what was trained of one: finds what a sentence names in a picture.

    `segment` and `probability` are those of `Predictor`.
    """

    @classmethod
    def load(cls, name: str | Path, device: str = "auto", model: str | None = None) -> Self:
        """Load a segmenter.

        Args:
            name: A folder that `mcgurk train` wrote; else the name of one that comes
                with mcgurk; else a CLIPSeg, see `load_clipseg`.
            device: "auto", "cpu", "cuda" or "mps".
            model: Another name or place of the frozen model that a folder was trained on.

        Raises:
            FileNotFoundError: A folder is not whole.
            ValueError: No such model, damaged, or no such device.
        """
        refuse_empty_name(name, "segmenter")
        folder = find_folder(name)
        trained = (folder / CARD).is_file() or (folder.is_dir() and not _is_clipseg(folder))
        built, card = load_segmenter(folder, model) if trained else bare_segmenter(str(name))
        return cls(built, card, device)

    @classmethod
    def fit(
        cls,
        config: "SegmentationConfig",
        folder: str | Path,
        progress: "Progress | None" = None,
        device: str = "auto",
    ) -> Self:
        """Train, or go on with a training that was interrupted, and return what came of it.

        Args:
            config: What to train, on which images.
            folder: For checkpoints, curves and the segmenter.
            progress: Called with the steps done, and all.
            device: "auto", "cpu", "cuda" or "mps".

        Raises:
            FileNotFoundError: Images or the model are not there.
            ValueError: Images cannot be used, or the method does not fit.
        """
        from tasks.segmentation.training import Segmentation
        from tasks.training.loop import train

        train(Segmentation(config), config.loop, folder, progress, device, asdict(config))
        return cls.load(folder, device)

    def evaluate(
        self,
        config: "SegmentationEvaluationConfig",
        folder: str | Path,
        open_bar: OpenBar = no_bar,
    ) -> Evaluated:
        """Score it on images with masks, and write tables and pictures.

        Args:
            config: Which images and prompts; which segmenter it names is passed over.
            folder: To write to, made where it is not there.
            open_bar: Opens a progress bar.

        Raises:
            OSError: A file is not there, or cannot be written.
            ValueError: Masks or prompts are not what is expected.
        """
        from tasks.segmentation.evaluation.run import run_evaluation

        named = replace(config, segmenter=config.segmenter or self.card.model)
        return run_evaluation(named, Path(folder), open_bar, lambda name, device: self)


def _is_clipseg(folder: Path) -> bool:
    return (folder / "config.json").is_file()
