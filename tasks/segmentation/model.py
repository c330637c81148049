"""What is trained to segment: a frozen CLIPSeg with adapters, or a plain U-Net."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fusion.adapters.interface import Adapters, attach
from modalities.extras import import_extra
from modalities.vision_language.clipseg import ClipSeg, Pictures, TextFeatures
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.losses import mask_losses
from tasks.segmentation.variants import (
    CONDITION_RANK,
    DECODER,
    FULL,
    NOTHING,
    UNET,
    VARIANTS,
)

ADAPTER = "masks"
UNET_ENCODER = "resnet18"


# A batch holds pictures, and what is asked of each:
#   picture    [rows], of each row the number of its picture
#   label      [rows], the number of its class
#   truth      [rows, side, side], 0 or 1
#   pixels     [pictures, 3, side, side]; or states, what `ClipSeg.see` made of them,
#              [pictures, layers, 1 + patches, dim]
#   ids, mask  [rows, tokens]; or condition, [rows, projection_dim], and skips, [rows, layers, dim],
#              what `ClipSeg.read` made of them
Batch = dict[str, Tensor]


class PromptedModel(nn.Module):
    """CLIPSeg with what is trained of it.

    Args:
        clipseg: Frozen; adapters are put on it.
        config: Says which.

    Raises:
        ValueError: No such method, option or role.
    """

    def __init__(self, clipseg: ClipSeg, config: SegmentationConfig):
        super().__init__()
        self.clipseg, self.config = clipseg, config
        self.size = sum(p.numel() for p in clipseg.model.parameters())
        self.adapters = attach_method(clipseg, config)
        if config.method == FULL:
            train_all(clipseg, text=config.options.get("text", True))
        if config.method == DECODER or config.train_decoder:
            clipseg.model.decoder.requires_grad_(True)

    @property
    def pictures(self) -> Pictures:
        """How pictures are made ready."""
        return self.clipseg.pictures

    @property
    def untouched(self) -> bool:
        """Whether the encoders stay what they were, so that what they make can be kept."""
        variant = VARIANTS.get(self.config.method)
        return self.config.method in (DECODER, NOTHING) or (variant is not None and variant.shallow)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of a batch, "loss" among them."""
        return mask_losses(self.logits(batch), batch["truth"], self.config.loss)

    def logits(self, batch: Batch) -> Tensor:
        """Return the logits of each row's mask, [rows, side, side]."""
        return self.clipseg.decode(self._seen(batch), self._read(batch))

    def _seen(self, batch: Batch) -> tuple[Tensor, ...]:
        if "states" in batch:
            states = batch["states"].unbind(1)
        else:
            states = self.clipseg.see(batch["pixels"])
        if len(batch["picture"]) == len(states[0]):  # one row a picture, in order
            return tuple(states)
        return tuple(layer[batch["picture"]] for layer in states)

    def _read(self, batch: Batch) -> TextFeatures:
        if "condition" in batch:
            return TextFeatures(batch["condition"], batch["skips"])
        return self.clipseg.read(batch["ids"], batch["mask"])


class UNetModel(nn.Module):
    """A plain U-Net with one channel a class, blind to prompts: the honest baseline.

    Args:
        classes: How many.
        config: Its encoder and loss.
        pictures: How pictures are made ready.

    Raises:
        ValueError: segmentation-models-pytorch has no such encoder, or is not there.
    """

    untouched = False
    adapters = None

    def __init__(self, classes: int, config: SegmentationConfig, pictures: Pictures):
        super().__init__()
        library = import_extra("segmentation_models_pytorch", "segmentation", "the plain U-Net")
        self.config, self.pictures = config, pictures
        encoder = config.options.get("encoder", UNET_ENCODER)
        try:
            self.network: Any = library.Unet(encoder, encoder_weights=None, classes=classes)
        except KeyError as error:
            raise ValueError(f"No U-Net encoder {encoder!r}; {str(error)[:300]}") from error
        self.size = sum(p.numel() for p in self.network.parameters())

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of a batch, "loss" among them."""
        return mask_losses(self.logits(batch), batch["truth"], self.config.loss)

    def logits(self, batch: Batch) -> Tensor:
        """Return the logits of each row's class, [rows, side, side]."""
        maps = self.network(batch["pixels"])  # [pictures, classes, side, side]
        return maps[batch["picture"], batch["label"]]


Segmentable = PromptedModel | UNetModel


def build_model(config: SegmentationConfig, clipseg: ClipSeg, classes: int) -> Segmentable:
    """Build what an experiment trains.

    Raises:
        ValueError: No such method, option, role or encoder.
    """
    if config.method == UNET:
        return UNetModel(classes, config, clipseg.pictures)
    return PromptedModel(clipseg, config)


def attach_method(clipseg: ClipSeg, config: SegmentationConfig) -> Adapters | None:
    """Put the method of an experiment on a CLIPSeg.

    Raises:
        ValueError: No such method, option or role.
    """
    if config.method in (DECODER, FULL, NOTHING):
        return None
    variant = VARIANTS.get(config.method)
    if variant is None:
        options = dict(config.options)
        return attach(clipseg, config.method, options, config.where or None, name=ADAPTER)
    if "text.tap" in variant.where and not clipseg.bridge.text:
        raise ValueError(
            f"{variant.title} adds states of the text encoder to the condition; {clipseg.name} has "
            "them in another width. Take 'sa_v' or a dense variant, as 'da_vl'."
        )
    below: Sequence[int] = range(max(clipseg.layers))
    for placement in variant.placements:
        width = config.options.get("rank", variant.rank)
        if placement.condition:
            width = config.options.get("condition_rank", CONDITION_RANK)
        attach(
            clipseg,
            "vlsm",
            {"rank": width},
            placement.where,
            name=ADAPTER,
            layers=below if placement.below else None,
        )
    return Adapters(clipseg)


def train_all(clipseg: ClipSeg, text: bool = True) -> None:
    """Let all of a CLIPSeg learn that leads to a mask, or with `text` false what sees and paints.

    While a new model sees nothing yet, prompts are noise to it, and a text encoder that learns
    from the first step on soon says the same of all of them.
    """
    clip = clipseg.model.clip
    clipseg.model.requires_grad_(True)
    for idle in (clip.visual_projection, clip.vision_model.post_layernorm):
        idle.requires_grad_(False)
    clip.logit_scale.requires_grad_(False)
    for part in (clip.text_model, clip.text_projection):
        part.requires_grad_(text)
    last = max(clipseg.layers)
    clip.vision_model.encoder.layers[last + 1 :].requires_grad_(False)


def count_trained(model: nn.Module) -> int:
    """Count the parameters that get a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
