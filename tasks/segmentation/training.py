"""Train a model to segment by prompts."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data_prep.datasets.remarks import Remarks
from data_prep.masks.manifest import MaskedImage
from modalities.vision_language.clipseg_files import load_clipseg
from tasks.scoring.masks import summarise_masks
from tasks.segmentation.card import SegmenterCard
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.data import find_masks
from tasks.segmentation.evaluation.outcomes import Asked, measure_masks
from tasks.segmentation.examples import Examples
from tasks.segmentation.losses import mask_losses
from tasks.segmentation.model import Batch, PromptedModel, build_model, count_trained
from tasks.segmentation.predictor import Predictor
from tasks.segmentation.prompts import Prompt, draw_prompt, settle_text
from tasks.segmentation.request import THRESHOLD
from tasks.segmentation.segmenter_files import save_segmenter
from tasks.training.kept_features import KeptFeatures

MEASURED_AT_ONCE = 16  # pictures


class Segmentation:
    """The task; see `tasks.training.contract.Trainable`.

    Args:
        config: Model, method, images, and how they are trained.

    Raises:
        FileNotFoundError: Images or the model are not there.
        ValueError: Images cannot be used, or the method does not fit.
    """

    def __init__(self, config: SegmentationConfig):
        self.config = config
        masks = find_masks(config.data)
        self.labels = masks.labels
        self.left_out = list(masks.left_out)
        clipseg = load_clipseg(config.model)
        self.weights = clipseg.identity  # before any of it is trained
        torch.manual_seed(config.loop.seed)
        self.model = build_model(config, clipseg, len(self.labels))
        self.module: nn.Module = self.model
        self.trained = count_trained(self.model)
        self.features = None
        if self.model.untouched:
            folder = Path(config.features) if config.features else None
            self.features = KeptFeatures(folder, {"model": self.weights})
        self.parts = {
            name: Examples(rows, clipseg, self.features) for name, rows in masks.parts.items()
        }
        self.size = len(self.parts["train"])
        self.test_scores: dict[str, float] = {}  # once it is exported

    @property
    def notes(self) -> list[str]:
        """What is odd about masks that were read so far, a line each."""
        noted = Remarks()
        for part in self.parts.values():
            for about, names in part.notes.items():
                for name in names:
                    noted.note(about, name)
        return noted.told()

    def load(self, index: int, random: np.random.Generator) -> dict[str, object]:
        """Return an image with some of its masks, and a prompt for each."""
        part = self.parts["train"]
        group = part.groups[index]
        count = min(self.config.prompts.each, len(group))
        rows = [group[int(n)] for n in random.choice(len(group), count, replace=False)]
        prompts = [self._draw(row, random) for row in rows]
        return self._example(part, rows, prompts)

    def _draw(self, row: MaskedImage, random: np.random.Generator) -> Prompt:
        if not isinstance(self.model, PromptedModel):  # unrelated ones would hide what it is taught
            return Prompt(self._text_of(row))
        return draw_prompt(row, self.config.prompts, random)

    def _example(
        self, part: Examples, rows: Sequence[MaskedImage], prompts: Sequence[Prompt]
    ) -> dict[str, object]:
        picture = part.picture(tuple(rows))
        truths = [part.truth(row) for row in rows]
        truth = torch.stack(
            [
                torch.zeros_like(mask) if prompt.unrelated else mask
                for mask, prompt in zip(truths, prompts, strict=True)
            ]
        )
        labels = torch.tensor([self.labels.index(row.label) for row in rows])
        texts = [prompt.text for prompt in prompts]
        kept = [part.text(text) for text in texts] if self.model.untouched else []
        return {**picture, "truth": truth, "label": labels, "texts": texts, "kept": kept}

    def collate(self, examples: Sequence[dict]) -> Batch:
        """Make a batch of what `load` returned."""
        counts = torch.tensor([len(example["texts"]) for example in examples])
        batch = {
            "picture": torch.arange(len(examples)).repeat_interleave(counts),
            "truth": torch.cat([example["truth"] for example in examples]),
            "label": torch.cat([example["label"] for example in examples]),
        }
        name = "states" if "states" in examples[0] else "pixels"
        batch[name] = torch.stack([example[name] for example in examples])
        return batch | self._texts(examples)

    def _texts(self, examples: Sequence[dict]) -> Batch:
        model = self.model
        if not isinstance(model, PromptedModel):
            return {}
        kept = [text for example in examples for text in example["kept"]]
        if kept:
            return {key: torch.cat([text[key] for text in kept]) for key in kept[0]}
        texts = [text for example in examples for text in example["texts"]]
        tokens = model.clipseg.tokenize(texts)
        return {"ids": tokens.ids, "mask": tokens.mask}

    def measure(self) -> dict[str, float]:
        """Dice, IoU (percent, means over masks in the model's size) and loss on validation."""
        part = self.parts["validation"]
        if not len(part):
            return {}
        dices: list[Tensor] = []
        ious: list[Tensor] = []
        losses: list[float] = []
        for start in range(0, len(part), MEASURED_AT_ONCE):
            groups = part.groups[start : start + MEASURED_AT_ONCE]
            batch = self.collate([self._shown(part, group) for group in groups])
            device = next(self.model.parameters()).device
            batch = {name: value.to(device) for name, value in batch.items()}
            logits, truth = self.model.logits(batch), batch["truth"]
            found = mask_losses(logits, truth, self.config.loss)["loss"]
            losses += [float(found)] * len(truth)
            dice, iou = overlap(logits.sigmoid() > THRESHOLD, truth > 0)
            dices.append(dice)
            ious.append(iou)
        return {
            "dice": 100 * float(torch.cat(dices).mean()),
            "iou": 100 * float(torch.cat(ious).mean()),
            "validation_loss": float(np.mean(losses)),
        }

    def _shown(self, part: Examples, group: Sequence[MaskedImage]) -> dict[str, object]:
        """Give every mask of an image a prompt that is the same each time."""
        prompts = [Prompt(self._text_of(row)) for row in group]
        return self._example(part, group, prompts)

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the segmenter, measured on the test images in their own size."""
        card = self._card(measured)
        rows = [row for group in self.parts["test"].groups for row in group]
        if rows:
            device = str(next(self.model.parameters()).device)
            self.test_scores = self._test(Predictor(self.model, card, device), rows)
            card.scores.update({f"test_{name}": v for name, v in self.test_scores.items()})
        if self.features is not None:
            self.features.flush()
        save_segmenter(folder, self.model, card)

    def _test(self, predictor: Predictor, rows: Sequence[MaskedImage]) -> dict[str, float]:
        """Score the test images, each with the same prompt each time."""
        options = self.config.prompts
        prompts = {row.id: self._text_of(row) for row in rows}
        unrelated = options.unrelated_texts if options.unrelated else ()
        found = measure_masks(predictor, rows, Asked(prompts, unrelated))
        outcomes = found.outcomes
        scores = summarise_masks([o.score for o in outcomes], [o.unit for o in outcomes])
        told = {"dice": 100 * scores.dice, "iou": 100 * scores.iou}
        told |= {name: v for name in ("hd95_px", "hd95_mm") if (v := getattr(scores, name))}
        if unrelated:
            others = [score.dice for outcome in outcomes for score in outcome.unrelated]
            told["dice_unrelated"] = 100 * float(np.mean(others))
        return {name: float(value) for name, value in told.items()}

    def _text_of(self, row: MaskedImage) -> str:
        if not isinstance(self.model, PromptedModel):
            return row.label
        return settle_text(row, self.config.prompts)

    def _card(self, measured: dict[str, float]) -> SegmenterCard:
        config = self.config
        return SegmenterCard(
            model=config.model,
            method=config.method,
            options=dict(config.options),
            train_decoder=config.train_decoder,
            labels=self.labels,
            prompts=asdict(config.prompts),
            loss=config.loss,
            data=f"{self.size} images of {config.data.dataset} {config.data.folder}",
            images=asdict(config.data),
            licence=config.licence,
            command=f"mcgurk train, seed {config.loop.seed}",
            trained=self.trained,
            parameters=self.model.size,
            scores={k: v for k, v in measured.items() if k in ("dice", "iou", "seconds")},
            left_out=tuple(self.left_out),
            weights=self.weights,
        )


def overlap(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return Dice and IoU of each mask, [masks]; where both are empty they are 1."""
    both = (predicted & truth).flatten(1).sum(1)
    sizes = predicted.flatten(1).sum(1) + truth.flatten(1).sum(1)
    dice = torch.where(sizes > 0, 2 * both / sizes.clamp_min(1), 1.0)
    return dice, torch.where(sizes > 0, both / (sizes - both).clamp_min(1), 1.0)
