"""A lip encoder: from mouth crops to features at 25 per second, small enough for two cores."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.encoder import Features, FrozenEncoder
from modalities.network_file import load_network
from modalities.rates import CROP_SIDE, VIDEO_RATE_HZ
from modalities.vision.lip_options import LipOptions

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
SHIPPED = {"lips-grid": WEIGHTS_FOLDER / "lips_grid.safetensors"}
PICTURES = 5  # that the first convolution sees at once


class LipNetwork(nn.Module):
    """Convolutions over space and, first, time; then a recurrent network in both directions.

    Args:
        options: Sizes, words and the part of the crop looked at; None takes the defaults.

    Source:
        The plan of LipNet (Assael et al. 2016, arXiv 1611.01599), with less of everything.
    """

    def __init__(self, options: LipOptions | None = None):
        super().__init__()
        self.options = options or LipOptions()
        first, *rest = self.options.channels
        # A convolution over five pictures, as channels: faster than one in three dimensions.
        self.stem = nn.Sequential(nn.Conv2d(PICTURES, first, 5, 2, 2), nn.ReLU())
        layers: list[nn.Module] = []
        width = first
        for channels in rest:
            layers += [
                nn.Conv2d(width, channels, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
            width = channels
        self.pictures = nn.Sequential(*layers)
        self.to(memory_format=torch.channels_last)
        halvings = 2 ** len(self.options.channels)
        rows, columns = -(-self.options.height // halvings), -(-self.options.width // halvings)
        dim = self.options.dim
        self.flat = nn.Sequential(nn.Linear(width * rows * columns, dim), nn.LayerNorm(dim))
        self.dropout = nn.Dropout(0.3)
        between = 0.3 if self.options.layers > 1 else 0.0
        self.over_time = nn.GRU(
            dim,
            dim // 2,
            self.options.layers,
            batch_first=True,
            bidirectional=True,
            dropout=between,
        )
        self.head = nn.Linear(dim, len(self.options.words) + 1)

    def forward(self, pictures: Tensor, mask: Tensor) -> Tensor:
        """Read lips.

        Args:
            pictures: Mean 0 and spread 1 a clip, from `normalise`, [batch, frames, height, width].
            mask: [batch, frames], bool, True where a mouth is seen.

        Returns:
            [batch, frames, dim].
        """
        features = self.dropout(self.see(pictures, mask))
        return self.over_time(features * mask[..., None])[0]

    def see(self, pictures: Tensor, mask: Tensor) -> Tensor:
        """Describe each picture by itself and its neighbours, before anything is read over time.

        It tells a face from others better than what is read does.

        Args:
            pictures: Mean 0 and spread 1 a clip, from `normalise`, [batch, frames, height, width].
            mask: [batch, frames], bool, True where a mouth is seen.

        Returns:
            [batch, frames, dim].
        """
        batch, frames = mask.shape
        stacked = stack(pictures * mask[..., None, None]).flatten(0, 1)
        maps = stacked.contiguous(memory_format=torch.channels_last)
        maps = self.pictures(self.stem(maps))  # [batch * frames, channels, height, width]
        return self.flat(maps.flatten(1)).relu().view(batch, frames, -1)

    def classify(self, features: Tensor) -> Tensor:
        """Say which word is being spoken, [batch, frames, dim] -> logits [.., words + 1]."""
        return self.head(self.dropout(features))


class LipEncoder(FrozenEncoder):
    """The network behind the common contract.

    Args:
        network: Trained.
        name: What was asked for: a name of `SHIPPED`, or a file's path.
    """

    rate_hz = float(VIDEO_RATE_HZ)

    def __init__(self, network: LipNetwork, name: str = "lips"):
        super().__init__()
        self.network = network
        self.name = name
        self.dim = network.options.dim
        self.freeze()

    def forward(self, crops: Tensor, mask: Tensor | None = None) -> Features:
        """Read mouths.

        Args:
            crops: uint8 grey, [batch, video_frames, 96, 96], 25 per second.
            mask: [batch, video_frames], bool, True where a mouth is seen; None where all are.

        Returns:
            [batch, video_frames, dim] and the mask.

        Raises:
            ValueError: Crops of another shape.
        """
        if mask is None:
            mask = torch.ones(crops.shape[:2], dtype=torch.bool, device=crops.device)
        pictures = normalise(crops, mask, self.network.options)
        return Features(self.network(pictures, mask), mask, self.rate_hz)


def normalise(crops: Tensor, mask: Tensor, options: LipOptions) -> Tensor:
    """Cut out what is looked at, and bring each clip to mean 0 and spread 1.

    Args:
        crops: uint8 grey, [batch, frames, 96, 96].
        mask: [batch, frames], bool; where it is False, pictures do not count.
        options: Its `top`, `left`, `height` and `width` say which part of a crop is kept, in
            pixels, and `mean_removed` how much of the clip's mean picture is not.

    Returns:
        [batch, frames, height, width], float32.

    Raises:
        ValueError: Crops of another shape.
    """
    if crops.ndim != 4 or crops.shape != (*mask.shape, CROP_SIDE, CROP_SIDE):
        raise ValueError(
            f"Mouth crops have the shape {tuple(crops.shape)} and the mask {tuple(mask.shape)}; "
            f"expected [batch, frames, {CROP_SIDE}, {CROP_SIDE}] and [batch, frames]."
        )
    rows = slice(options.top, options.top + options.height)
    columns = slice(options.left, options.left + options.width)
    return standardise(crops[:, :, rows, columns].float(), mask, options.mean_removed)


def stack(pictures: Tensor) -> Tensor:
    """Put each picture between its neighbours, black beyond the ends.

    Args:
        pictures: [batch, frames, height, width].

    Returns:
        [batch, frames, PICTURES, height, width].
    """
    side = PICTURES // 2
    padded = functional.pad(pictures, (0, 0, 0, 0, side, side))
    return padded.unfold(1, PICTURES, 1).movedim(-1, 2)


def standardise(pictures: Tensor, mask: Tensor, mean_removed: float = 0.0) -> Tensor:
    """Bring clips to mean 0 and spread 1 over the pictures that count, shapes as they are.

    Args:
        pictures: [batch, frames, height, width].
        mask: [batch, frames], bool; where it is False, pictures do not count, and become 0.
        mean_removed: Share of a clip's mean picture that is taken away first.
    """
    weights = mask[..., None, None].to(pictures.dtype)
    if mean_removed:
        seen = weights.sum(1, keepdim=True).clamp_min(1)
        pictures = pictures - mean_removed * (pictures * weights).sum(1, keepdim=True) / seen
    count = (weights.sum((1, 2, 3), keepdim=True) * pictures[0, 0].numel()).clamp_min(1)
    mean = (pictures * weights).sum((1, 2, 3), keepdim=True) / count
    spread = ((pictures - mean).square() * weights).sum((1, 2, 3), keepdim=True) / count
    return (pictures - mean) * weights / (spread + 1).sqrt()


def load_lip_encoder(name: str | Path) -> LipEncoder:
    """Load a lip encoder.

    Args:
        name: A name of `SHIPPED`, or a .safetensors file that training wrote.

    Raises:
        ValueError: A file of another kind.
        FileNotFoundError: No such name or file.
    """
    path = SHIPPED.get(str(name), Path(name))
    if not path.is_file():
        known = ", ".join(SHIPPED)
        raise FileNotFoundError(f"No lip encoder {str(name)!r}; known: {known}, or a file.")
    return LipEncoder(load_network(LipNetwork, LipOptions, path), str(name))


def frame_loss(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of frames that show a mouth.

    Args:
        logits: [batch, frames, classes].
        labels: [batch, frames].
        mask: [batch, frames], bool.
    """
    losses = functional.cross_entropy(logits.mT, labels, reduction="none", label_smoothing=0.05)
    return (losses * mask).sum() / mask.sum().clamp_min(1)
