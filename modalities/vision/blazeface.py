"""The BlazeFace networks: short range (128 px, faces within 2 m) and full range (192 px, 5 m)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.vision.blazeface_shapes import SHAPES

SHORT_CHANNELS = (24, 24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88, 96, 96, 96, 96, 96)
FULL_CHANNELS = (32, 32, 32, 48, 48, 64, 96, 128, 128, 144, 192, 256, 384, 384, 384, 384)
FULL_BOTTLENECKS = (8, 8, 12, 12, 16, 24, 32, 32, 36, 48, 64, 96, 96, 96, 96)
ENTRY_BLOCKS = 3  # of both networks: up to the first one that halves
CACHED_PICTURES = 8  # tried 1 to 32


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding, which at stride 2 lies below and to the right.

    Heights and widths must be even where the stride is 2.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        excess = kernel - stride
        even = excess % 2 == 0
        super().__init__(inputs, outputs, kernel, stride, excess // 2 if even else 0, groups=groups)
        self.border = None if even else (excess // 2, excess - excess // 2) * 2

    def forward(self, input: Tensor) -> Tensor:
        """Convolve [batch, channels, height, width]; height and width are divided by stride."""
        if self.border is None:
            return super().forward(input)
        if self.groups > 1:
            # A border of zeros in the kernel costs less than a copy of the maps with a border.
            kernel = functional.pad(self.weight, (1, 0, 1, 0))
            return functional.conv2d(input, kernel, self.bias, 2, 1, 1, self.groups)
        return super().forward(functional.pad(input, self.border))


class Separable(nn.Sequential):
    """A depthwise 3x3 convolution, then a pointwise one, with nothing between them."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__(
            SameConv(inputs, inputs, 3, stride, groups=inputs), SameConv(inputs, outputs, 1)
        )


class Block(nn.Module):
    """A residual block; the shortcut is max-pooled and padded with zero channels as needed."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, bottleneck: int | None = None):
        super().__init__()
        self.stride = stride
        self.inputs = inputs
        if bottleneck is None:
            self.branch = nn.Sequential(Separable(inputs, outputs, stride))
        else:
            self.branch = nn.Sequential(
                Separable(inputs, bottleneck, stride),
                nn.ReLU(inplace=True),
                Separable(bottleneck, outputs),
            )

    def forward(self, images: Tensor) -> Tensor:
        """[batch, inputs, height, width] -> [batch, outputs, height / stride, width / stride]."""
        shortcut = halve(images) if self.stride == 2 else images
        outputs = self.branch(images)
        outputs[:, : self.inputs] += shortcut
        return outputs.relu_()


def halve(images: Tensor) -> Tensor:
    """Max-pool by 2: [batch, channels, height, width] -> [batch, channels, height/2, width/2].

    It returns what max_pool2d does, which takes thrice the time on a CPU with channels last.
    """
    rows = torch.maximum(images[:, :, ::2], images[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


class Merge(nn.Module):
    """One step up a feature pyramid: the coarse map, doubled in size, plus the fine map."""

    def __init__(self, coarse: int, fine: int, outputs: int):
        super().__init__()
        self.coarse = SameConv(coarse, outputs, 1)
        self.fine = SameConv(fine, outputs, 1)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """[batch, coarse, h, w] and [batch, fine, 2 h, 2 w] -> [batch, outputs, 2 h, 2 w]."""
        raised = functional.interpolate(
            self.coarse(coarse).relu_(), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return self.fine(fine).relu_().add_(raised)


class Head(nn.Module):
    """Scores and regressors of the anchors of one feature map."""

    def __init__(self, inputs: int, anchors_per_cell: int):
        super().__init__()
        self.scores = SameConv(inputs, anchors_per_cell, 1)
        self.regressors = SameConv(inputs, 16 * anchors_per_cell, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, inputs, h, w] -> [batch, anchors, 16] and [batch, anchors]."""
        regressors = self.regressors(features).permute(0, 2, 3, 1)
        scores = self.scores(features).permute(0, 2, 3, 1)
        return regressors.reshape(len(features), -1, 16), scores.reshape(len(features), -1)


class BlazeFace(nn.Module):
    """What both networks share: a stem, residual blocks, and how a batch enters them."""

    def __init__(self, stem: SameConv, blocks: Iterable[Block]):
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)

    def enter(self, images: Tensor) -> Tensor:
        """Run the stem and the blocks of the first resolution, where the feature maps are large.

        On a CPU a few pictures at a time, whose feature maps stay in its cache.

        Args:
            images: [batch, 3, height, width].

        Returns:
            Features, [batch, channels, height / 4, width / 4].
        """
        at_once = CACHED_PICTURES if images.device.type == "cpu" else len(images)
        entered = []
        for features in images.split(at_once):
            features = self.stem(features).relu_()
            for block in self.blocks[:ENTRY_BLOCKS]:
                features = block(features)
            entered.append(features)
        return torch.cat(entered)


class BlazeFaceShort(BlazeFace):
    """BlazeFace for faces that fill a good part of the picture, as in a video call.

    Source:
        Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs,
        arXiv 1907.05047; the graph is that of MediaPipe's face_detection_short_range.tflite.
    """

    def __init__(self):
        widths = zip(SHORT_CHANNELS[:-1], SHORT_CHANNELS[1:], strict=True)
        super().__init__(
            SameConv(3, SHORT_CHANNELS[0], 5, 2),
            (
                Block(inputs, outputs, 2 if index in SHAPES["short"].strided else 1)
                for index, (inputs, outputs) in enumerate(widths)
            ),
        )
        self.fine_head = Head(88, 2)
        self.coarse_head = Head(96, 6)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score every anchor.

        Args:
            images: [batch, 3, 128, 128] or another multiple of the grid, red, green, blue, from
                -1 to 1; channels last is faster.

        Returns:
            Raw regressors, [batch, anchors, 16] (896 anchors at 128 x 128), in pixels of the
            input relative to the anchor: centre x, y, width, height, six keypoints x, y. Score
            logits, [batch, anchors].
        """
        fine = self.enter(images)
        for block in self.blocks[ENTRY_BLOCKS : SHAPES["short"].strided[-1]]:
            fine = block(fine)  # [batch, 88, 16, 16] in the end
        coarse = fine
        for block in self.blocks[SHAPES["short"].strided[-1] :]:
            coarse = block(coarse)  # [batch, 96, 8, 8]
        fine_regressors, fine_scores = self.fine_head(fine)
        coarse_regressors, coarse_scores = self.coarse_head(coarse)
        return (
            torch.cat((fine_regressors, coarse_regressors), 1),
            torch.cat((fine_scores, coarse_scores), 1),
        )


class BlazeFaceFull(BlazeFace):
    """BlazeFace with a feature pyramid, for faces up to some five metres away.

    Source:
        The graph is that of MediaPipe's face_detection_full_range.tflite (the dense one).
    """

    def __init__(self):
        widths = zip(FULL_CHANNELS[:-1], FULL_CHANNELS[1:], FULL_BOTTLENECKS, strict=True)
        super().__init__(
            SameConv(3, FULL_CHANNELS[0], 3, 2),
            (
                Block(inputs, outputs, 2 if index in SHAPES["full"].strided else 1, bottleneck)
                for index, (inputs, outputs, bottleneck) in enumerate(widths)
            ),
        )
        self.merges = nn.ModuleList((Merge(384, 256, 96), Merge(96, 128, 64), Merge(64, 64, 48)))
        self.refinements = nn.ModuleList(
            (
                nn.Sequential(Block(96, 96, bottleneck=48), Block(96, 96, bottleneck=48)),
                nn.Sequential(Block(64, 64, bottleneck=32), Block(64, 64, bottleneck=32)),
                nn.Sequential(Block(48, 48, bottleneck=24)),
            )
        )
        self.head = Head(48, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score every anchor.

        Args:
            images: [batch, 3, 192, 192] or another multiple of the grid, red, green, blue, from
                -1 to 1; channels last is faster.

        Returns:
            Raw regressors, [batch, anchors, 16] (2304 anchors at 192 x 192), in pixels of the
            input relative to the anchor: centre x, y, width, height, six keypoints x, y. Score
            logits, [batch, anchors].
        """
        features = self.enter(images)
        pyramid: list[Tensor] = []
        for index, block in enumerate(self.blocks[ENTRY_BLOCKS:], ENTRY_BLOCKS):
            if index in SHAPES["full"].strided:
                pyramid.append(features)
            features = block(features)
        for merge, refinement, fine in zip(
            self.merges, self.refinements, reversed(pyramid), strict=True
        ):
            features = refinement(merge(features, fine))
        return self.head(features)


NETWORKS = {"short": BlazeFaceShort, "full": BlazeFaceFull}
