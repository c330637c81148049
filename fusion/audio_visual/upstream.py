"""Audio-visual fusion in front of the encoder: noisy log-mel and lips in, cleaner log-mel out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.audio_visual.masked_convolutions import Residual, run_masked
from modalities.rates import MEL_FRAMES_PER_PICTURE

MIDDLE_SIDE = 88  # pixels, of the 96 that mouth crops have
MEAN, STD = 0.421, 0.165  # of grey mouth crops from 0 to 1, as in AV-HuBERT


@dataclass(frozen=True)
class UpstreamFusionOptions:
    """Options of the fusion module; the defaults are the paper's, 13,190,880 parameters.

    Attributes:
        mel_bins: Bands of the log-mel that comes in and goes out.
        layers: How many cross-attentions follow each other.
        heads: Heads of each cross-attention, each as wide as the log-mel.
        block: Frames that see each other; blocks overlap by half.
        audio_channels: Inside the audio front end.
        audio_blocks: Residual blocks of it.
        stages: Channels and residual blocks of each stage of the video front end.
        narrow: Channels inside its blocks over time.
    """

    mel_bins: int = 80
    layers: int = 12
    heads: int = 12
    block: int = 160
    audio_channels: int = 128
    audio_blocks: int = 7
    stages: tuple[tuple[int, int], ...] = ((64, 2), (128, 2), (256, 2), (256, 3))
    narrow: int = 64

    def __post_init__(self):
        if self.block < 4 or self.block % 4:
            raise ValueError(f"Option 'block' is {self.block}; expected a multiple of 4.")
        if len(self.stages) != 4 or self.audio_blocks < 2:
            raise ValueError(
                f"Options 'stages' and 'audio_blocks' are {self.stages} and {self.audio_blocks}; "
                "expected four stages and two blocks or more."
            )


class AudioFront(nn.Module):
    """Residual convolutions over the picture of the log-mel.

    Args:
        options: Its `audio_channels`, `audio_blocks` and `mel_bins` count here.
    """

    def __init__(self, options: UpstreamFusionOptions):
        super().__init__()
        widths = [1, *[options.audio_channels] * (options.audio_blocks - 1), 1]
        self.blocks = nn.Sequential(
            *(_mel_block(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        )
        self.out = nn.Linear(options.mel_bins, options.mel_bins)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """[batch, frames, mel_bins] and [batch, frames] -> [batch, frames, mel_bins]."""
        return self.out(run_masked(self.blocks, mel[:, None], mask)[:, 0])


class VideoFront(nn.Module):
    """From mouth crops to features at the rate of the log-mel.

    Args:
        options: Its `stages`, `narrow` and `mel_bins` count here.
    """

    def __init__(self, options: UpstreamFusionOptions):
        super().__init__()
        width = options.stages[0][0]
        self.stem = nn.Sequential(
            nn.Conv3d(1, width, (1, 7, 7), (1, 2, 2), (0, 3, 3)),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        stages: list[nn.Module] = []
        for number, (channels, blocks) in enumerate(options.stages):
            strides = [1 if number == 0 else 2, *[1] * (blocks - 1)]
            for stride in strides:
                stages.append(_picture_block(width, channels, stride))
                width = channels
            stages.append(_time_block(channels, options.narrow))
            if number in (1, 2):  # twice the rate
                stages.append(
                    nn.ConvTranspose3d(channels, channels, (6, 1, 1), (2, 1, 1), (2, 0, 0))
                )
        self.stages = nn.Sequential(*stages)
        self.out = nn.Conv3d(width, options.mel_bins, 1)

    def forward(self, crops: Tensor, mask: Tensor) -> Tensor:
        """Read mouths.

        Args:
            crops: Normalised, [batch, video_frames, 88, 88].
            mask: [batch, video_frames], bool, True where the clip has not ended.

        Returns:
            [batch, 4 * video_frames, mel_bins].
        """
        maps = run_masked(self.stem, crops[:, None], mask)
        for stage in self.stages:
            maps = run_masked(stage, maps, mask)
            if maps.shape[2] != mask.shape[1]:
                mask = mask.repeat_interleave(2, 1)
        return self.out(maps).mean((3, 4)).mT


class LocalCrossAttention(nn.Module):
    """Video asks, audio answers, within overlapping blocks; added to the audio.

    The authors' code mixes heads and time by a reshape without a transpose and lets padding be
    seen; here heads are heads, and padding is not.

    Args:
        options: Its `mel_bins`, `heads` and `block` count here.
    """

    def __init__(self, options: UpstreamFusionOptions):
        super().__init__()
        dim = options.mel_bins
        self.heads, self.block = options.heads, options.block
        self.query, self.key, self.value = (nn.Linear(dim, dim * self.heads) for _ in range(3))
        self.output = nn.Linear(dim * self.heads, dim)
        self.norm, self.last_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = nn.Linear(dim, dim)

    def forward(self, audio: Tensor, video: Tensor, mask: Tensor) -> Tensor:
        """Attend.

        Args:
            audio: [batch, frames, dim], whole blocks with a half between.
            video: [batch, frames, dim], a feature for each frame of the audio.
            mask: [batch, frames], bool, True where real.

        Returns:
            [batch, frames, dim].
        """
        audio, video, mask = (cut_blocks(part, self.block) for part in (audio, video, mask))
        query, key, value = (
            layer(part).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for layer, part in ((self.query, video), (self.key, audio), (self.value, audio))
        )  # [batch, blocks, heads, frames, dim]
        # A block of nothing but padding sees all of itself, so that nothing is divided by zero.
        seen = (mask | ~mask.any(-1, keepdim=True))[:, :, None, None]
        attended = functional.scaled_dot_product_attention(query, key, value, seen)
        audio = self.norm(audio + self.output(attended.transpose(-3, -2).flatten(-2)))
        audio = self.last_norm(audio + self.feed_forward(audio))
        return join_blocks(audio)


class UpstreamFusion(nn.Module):
    """Fuses log-mel and mouth into a log-mel, for any encoder of log-mel behind it.

    Args:
        options: Widths and depths of all parts; None takes the paper's.

    Source:
        Simic, Riedhammer, Bocklet, Adapter-Based Multi-Agent AVSR Extension for Pre-Trained ASR
        Models (2025, arXiv 2502.01709).
    """

    def __init__(self, options: UpstreamFusionOptions | None = None):
        super().__init__()
        self.options = options or UpstreamFusionOptions()
        self.audio_front = AudioFront(self.options)
        self.video_front = VideoFront(self.options)
        dim = self.options.mel_bins
        self.audio_in, self.video_in = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.layers = nn.ModuleList(
            LocalCrossAttention(self.options) for _ in range(self.options.layers)
        )
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        mel: Tensor,
        crops: Tensor | None = None,
        seen: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Fuse.

        Args:
            mel: [batch, mel_bins, frames].
            crops: uint8 grey, [batch, frames / 4, 96, 96]; None without video.
            seen: [batch, frames / 4], bool, True where a crop shows a mouth; None where all do.
            mask: [batch, frames], bool, True where the sound is real; None where all is.

        Returns:
            [batch, mel_bins, frames]; a row without any mouth is its own log-mel, to the bit.

        Raises:
            ValueError: Video and sound are of different lengths.
        """
        if crops is None:
            return mel
        if mel.shape[2] != MEL_FRAMES_PER_PICTURE * crops.shape[1]:
            raise ValueError(
                f"{crops.shape[1]} mouth crops came with {mel.shape[2]} frames of log-mel; "
                f"expected {MEL_FRAMES_PER_PICTURE} frames for each. Cut or pad the crops."
            )
        seen = torch.ones(crops.shape[:2], dtype=torch.bool) if seen is None else seen
        seen = seen.to(mel.device)
        rows = seen.any(1)
        if not rows.any():
            return mel
        mask = torch.ones_like(mel[:, 0], dtype=torch.bool) if mask is None else mask
        pictures = normalise_crops(crops[rows]) * seen[rows, :, None, None]
        fused = self._fuse(mel[rows].mT, pictures.to(mel), mask[rows])
        return mel.index_copy(0, rows.nonzero()[:, 0], fused.mT.to(mel.dtype))

    def _fuse(self, mel: Tensor, pictures: Tensor, mask: Tensor) -> Tensor:
        frames = mel.shape[1]
        audio = self.audio_front(mel, mask)
        video = self.video_front(pictures, mask[:, ::MEL_FRAMES_PER_PICTURE])
        extra = frames_in_blocks(frames, self.options.block) - frames
        audio, video = (functional.pad(part, (0, 0, 0, extra)) for part in (audio, video))
        mask = functional.pad(mask, (0, extra))
        audio, video = self.audio_in(audio), self.video_in(video)
        for layer in self.layers:
            audio = layer(audio, video, mask)
        return self.out(audio[:, :frames])


def frames_in_blocks(frames: int, block: int) -> int:
    """Return the length that blocks need.

    A quarter of the last block is left empty, so that each frame comes from the same block however
    long the padding behind it is.
    """
    half, quarter = block // 2, block // 4
    steps = -(-max(0, frames + quarter - block) // half)
    return block + steps * half


def normalise_crops(crops: Tensor) -> Tensor:
    """Cut the middle 88 pixels out and normalise, uint8 [..., 96, 96] -> float [..., 88, 88]."""
    margin = (crops.shape[-1] - MIDDLE_SIDE) // 2
    middle = crops[..., margin : margin + MIDDLE_SIDE, margin : margin + MIDDLE_SIDE]
    return (middle.float() / 255 - MEAN) / STD


def cut_blocks(sequence: Tensor, block: int) -> Tensor:
    """Cut a sequence into blocks that overlap by half.

    Args:
        sequence: [batch, frames, ...], one block or more, in steps of half a block.
        block: Frames of each.

    Returns:
        [batch, blocks, block, ...].
    """
    return sequence.unfold(1, block, block // 2).movedim(-1, 2)


def join_blocks(blocks: Tensor) -> Tensor:
    """Put blocks together again: of each its middle half, of the outer ones their edges too.

    Args:
        blocks: [batch, blocks, block, dim].

    Returns:
        [batch, frames, dim].
    """
    quarter = blocks.shape[2] // 4
    first, middle, last = (
        blocks[:, 0, :quarter],
        blocks[:, :, quarter : 3 * quarter].flatten(1, 2),
        blocks[:, -1, 3 * quarter :],
    )
    return torch.cat([first, middle, last], 1)


def _mel_block(inputs: int, outputs: int) -> Residual:
    convolutions = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
    )
    return Residual(convolutions, None if inputs == outputs else nn.Conv2d(inputs, outputs, 1))


def _picture_block(inputs: int, outputs: int, stride: int) -> Residual:
    steps = (1, stride, stride)
    convolutions = nn.Sequential(
        nn.Conv3d(inputs, outputs, (1, 3, 3), steps, (0, 1, 1)),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
        nn.Conv3d(outputs, outputs, (1, 3, 3), padding=(0, 1, 1)),
        nn.BatchNorm3d(outputs),
    )
    if stride == 1 and inputs == outputs:
        return Residual(convolutions)
    shortcut = nn.Sequential(nn.Conv3d(inputs, outputs, 1, steps), nn.BatchNorm3d(outputs))
    return Residual(convolutions, shortcut)


def _time_block(channels: int, narrow: int) -> Residual:
    layers: list[nn.Module] = []
    shapes: Sequence[tuple[int, int, tuple[int, int, int]]] = (
        (channels, narrow, (1, 1, 1)),
        (narrow, narrow, (5, 3, 3)),
        (narrow, channels, (1, 1, 1)),
    )
    for inputs, outputs, kernel in shapes:
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        layers += [nn.Conv3d(inputs, outputs, kernel, padding=padding), nn.BatchNorm3d(outputs)]
        layers.append(nn.ReLU())
    return Residual(nn.Sequential(*layers[:-1]))
