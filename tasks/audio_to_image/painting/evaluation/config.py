"""Which painter to evaluate on which pictures, as a YAML file says it."""

from dataclasses import dataclass

from fusion.contract.options import check_choice

ALL = "all"
PARTS = ("train", "validation", "test", ALL)
FEWEST = 3  # clips, as z-scores are measured against the pictures of others
MOST = 24  # pictures on a sheet


@dataclass(frozen=True)
class PaintingEvaluationConfig:
    """An evaluation.

    Attributes:
        task: "painting_evaluation".
        painter: Folder that training wrote, or the name of one that comes with the package.
        mixtures: Manifest of mixtures with pictures, or its folder; empty takes those that it was
            trained with.
        part: "train", "validation", "test" or "all"; empty is "test" where some rows are of it,
            else "validation".
        clips: How many are painted, drawn by the seed; 0 for all.
        seed: Fixes which clips are drawn, and the noise of the first picture; each next picture
            has the next one.
        steps: How often the denoiser looks; None as in training.
        guidance: How far it goes beyond what is painted without sounds; None as in training.
        image_text: Name or folder of a CLIP, ViT-B/32 in published numbers: gives CLIP-FID, IIS and
            its z-score. Empty leaves them out.
        inception: Inception as a file, `inception-2015-12-05.pt`: gives FID and KID. Empty leaves
            them out.
        sounds: File (.safetensors) that holds a vector for each row, by its id: its sound in the
            space of `image_text`, as Wav2CLIP makes it. Gives AIS and its z-score; empty leaves
            them out.
        embeddings: Folder where what is heard is kept; empty takes that of the training.
        shown: How many pictures the sheet shows; 0 for no sheet.
        device: auto, cpu, cuda or mps.
    """

    task: str = "painting_evaluation"
    painter: str = ""
    mixtures: str = ""
    part: str = ""
    clips: int = 0
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    image_text: str = ""
    inception: str = ""
    sounds: str = ""
    embeddings: str = ""
    shown: int = 8
    device: str = "auto"

    def __post_init__(self):
        if self.part:
            check_choice("part", self.part, PARTS)
        if self.clips and self.clips < FEWEST:
            raise ValueError(f"clips is {self.clips}; expected {FEWEST} or more, or 0 for all.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")
        if self.sounds and not self.image_text:
            raise ValueError(
                "sounds are given without image_text, the CLIP that pictures are compared by; "
                "expected both. Name it."
            )
        if not 0 <= self.shown <= MOST:
            raise ValueError(
                f"shown is {self.shown}; expected 0 to {MOST} pictures, 0 for no sheet."
            )
