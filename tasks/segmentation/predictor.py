"""Masks of what sentences name, from a model in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from modalities.vision_language.clipseg import ClipSeg, TextFeatures
from tasks.devices import find_device
from tasks.segmentation.card import SegmenterCard
from tasks.segmentation.model import PromptedModel, Segmentable
from tasks.segmentation.request import THRESHOLD

PROMPTS_AT_ONCE = 16  # that are decoded together
TEXTS_KEPT = 10_000


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels from the upper left corner; the last row and column are outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, eq=False)
class Segmented:
    """What was found for one prompt.

    Attributes:
        prompt: As it was given.
        probability: float32 [height, width], 0 to 1, in the picture's own size.
        mask: Bool [height, width], where that is above the threshold.
        cut: Whether the prompt was longer than the model reads, and its end was left out.
    """

    prompt: str
    probability: np.ndarray
    mask: np.ndarray
    cut: bool = False

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(self.mask.sum())

    @property
    def centre(self) -> tuple[float, float] | None:
        """Mean column and row of the mask's pixels, or None where it is empty."""
        area = self.area
        if not area:
            return None
        columns, rows = self.mask.sum(0), self.mask.sum(1)  # the places of all pixels take 1 GB
        x, y = (float(np.arange(len(counts)) @ counts) / area for counts in (columns, rows))
        return x, y

    @property
    def box(self) -> Box | None:
        """The smallest rectangle around the mask, or None where it is empty."""
        columns, rows = (np.flatnonzero(self.mask.any(axis)) for axis in (0, 1))
        if not len(rows):
            return None
        return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


class Predictor:
    """A CLIPSeg as it is, or what was trained of one.

    Args:
        model: Trained, or bare.
        card: What is known about it.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: There is no such device.
    """

    def __init__(self, model: Segmentable, card: SegmenterCard, device: str = "auto"):
        self.device = find_device(device)
        self.model, self.card = model.to(self.device).eval(), card
        self._texts: dict[str, tuple[TextFeatures, bool]] = {}  # and whether it was cut

    def probability(
        self, image: np.ndarray, prompts: Sequence[str], labels: Sequence[str] | None = None
    ) -> np.ndarray:
        """Say how likely each pixel belongs to what each prompt names.

        Args:
            image: float [height, width, 3], red, green and blue from 0 to 1.
            prompts: One or more; the picture is looked at once for all of them.
            labels: The class of each prompt, which a plain U-Net of several classes goes by, as it
                reads no prompts; without them it takes prompts for names of classes. All others
                pass it over.

        Returns:
            float32 [prompts, height, width], 0 to 1, in the picture's own size.

        Raises:
            ValueError: The image has another shape or other values; no prompts; a U-Net does not
                know a class.
        """
        check_image(image)
        if isinstance(prompts, str) or not prompts:
            raise ValueError(f"Prompts are {prompts!r}; expected a list of one or more.")
        pixels = self.model.pictures.prepare(image)[None].to(self.device)
        with torch.no_grad():
            if isinstance(self.model, PromptedModel):
                logits = self._ask(self.model.clipseg, pixels, prompts)
            else:
                logits = self.model.network(pixels)[0][self._channels(labels, prompts)]
            found = np.empty((len(prompts), *image.shape[:2]), np.float32)
            for number, small in enumerate(logits[:, None, None].float()):
                # One after the other: of a picture of 8,000 x 8,000 each takes 256 MB.
                large = interpolate(small, found.shape[1:], mode="bilinear")[0, 0]
                found[number] = large.sigmoid_().cpu().numpy()
        return found

    def segment(
        self, image: np.ndarray, prompts: Sequence[str], threshold: float = THRESHOLD
    ) -> list[Segmented]:
        """Find what each prompt names.

        Args:
            image: float [height, width, 3], red, green and blue from 0 to 1.
            prompts: One or more.
            threshold: Probability above which a pixel belongs to it, 0 to 1.

        Raises:
            ValueError: The image has another shape or other values; no prompts; no such threshold.
        """
        if not 0 <= threshold <= 1:
            raise ValueError(f"Threshold is {threshold}; expected 0 to 1.")
        found = self.probability(image, prompts)
        return [
            Segmented(prompt, probability, probability > threshold, self._is_cut(prompt))
            for prompt, probability in zip(prompts, found, strict=True)
        ]

    def _ask(self, clipseg: ClipSeg, pixels: Tensor, prompts: Sequence[str]) -> Tensor:
        """Decode the masks of one picture for prompts, each of which is read once in a lifetime."""
        states = clipseg.see(pixels)
        texts = [self._read(clipseg, prompt) for prompt in prompts]
        condition = torch.cat([text.condition for text, _ in texts])
        skips = torch.cat([text.skips for text, _ in texts])
        parts = zip(condition.split(PROMPTS_AT_ONCE), skips.split(PROMPTS_AT_ONCE), strict=True)
        return torch.cat([clipseg.decode(states, TextFeatures(*part)) for part in parts])

    def _is_cut(self, prompt: str) -> bool:
        return prompt in self._texts and self._texts[prompt][1]

    def _read(self, clipseg: ClipSeg, prompt: str) -> tuple[TextFeatures, bool]:
        if prompt not in self._texts:
            tokens = clipseg.tokenize([prompt])
            text = clipseg.read(tokens.ids.to(self.device), tokens.mask.to(self.device))
            if len(self._texts) >= TEXTS_KEPT:
                self._texts.clear()
            self._texts[prompt] = text, bool(tokens.cut)
        return self._texts[prompt]

    def _channels(self, labels: Sequence[str] | None, prompts: Sequence[str]) -> list[int]:
        known = self.card.labels
        if labels is None and len(known) == 1:
            return [0] * len(prompts)
        asked = prompts if labels is None else labels
        unknown = [label for label in asked if label not in known]
        if unknown:
            raise ValueError(
                f"A plain U-Net reads no prompts, and knows no class {unknown[0]!r}; known: "
                f"{', '.join(known)}."
            )
        return [known.index(label) for label in asked]


def check_image(image: np.ndarray) -> None:
    """Check what is to be segmented.

    Raises:
        ValueError: It is no [height, width, 3] of numbers from 0 to 1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f"The image has shape {image.shape}; expected [height, width, 3], red, green and blue. "
            "Read files with data_prep.masks.images.read_image."
        )
    low, high = float(image.min()), float(image.max())
    if not (image.dtype.kind == "f" and low >= 0 and high <= 1):
        raise ValueError(
            f"The image has {image.dtype} from {low:g} to {high:g}; expected floats from 0 to 1. "
            "Divide bytes by 255."
        )
