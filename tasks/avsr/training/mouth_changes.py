"""Change mouth crops at random, so that a network learns speech and not the pictures."""

import cv2
import numpy as np
import torch
from torch import Tensor

from modalities.vision.lip_options import LipOptions
from modalities.vision.lips import standardise
from tasks.avsr.training.config import AugmentOptions

CODEC_QUALITY = 8, 40  # of JPEG, as of video over a poor line
NO_CHANGE = AugmentOptions(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)


def change_pictures(
    crops: np.ndarray,
    mask: np.ndarray,
    options: LipOptions,
    augment: AugmentOptions,
    random: np.random.Generator,
) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Change a clip.

    Args:
        crops: uint8 grey, [frames, 96, 96].
        mask: [frames], bool, True where a mouth is seen.
        options: Which part of a crop the network looks at, in pixels: top, left, height and width.
        augment: How far.
        random: Draws.

    Returns:
        Pictures for the network, [new frames, height, width]; which frame each was, [new frames];
        the new mask, in which blanks are not seen.
    """
    kept = _change_pace(len(crops), augment.pace, random)
    mask = mask[kept].copy()
    pictures = np.empty((len(kept), options.height, options.width), np.float32)
    place = _draw_place(options, augment, random)
    wobble = random.normal(0, augment.jitter / 2, (len(kept), 2)) if augment.jitter else None
    for number, frame in enumerate(kept):
        moved = place.copy()
        if wobble is not None:
            moved[:, 2] += wobble[number]
        pictures[number] = cv2.warpAffine(
            crops[frame],
            moved,
            (options.width, options.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    _change_light(pictures, augment, random)
    _make_worse(pictures, augment, random)
    for _ in range(int(random.integers(augment.blanks + 1))):
        length = int(random.integers(1, augment.blank_frames + 1))
        first = int(random.integers(max(1, len(kept) - length)))
        mask[first : first + length] = False
    seen = torch.from_numpy(mask)[None]
    result = standardise(torch.from_numpy(pictures)[None], seen, options.mean_removed)[0]
    return result, kept, mask


def _change_pace(frames: int, pace: float, random: np.random.Generator) -> np.ndarray:
    """Return which frame is shown at each time."""
    if not pace:
        return np.arange(frames)
    speed = float(random.uniform(1 - pace, 1 + pace))
    count = max(1, round(frames / speed))
    return np.minimum(np.round(np.arange(count) * speed).astype(int), frames - 1)


def _draw_place(
    options: LipOptions, augment: AugmentOptions, random: np.random.Generator
) -> np.ndarray:
    """Return the affine map from the network's picture to the crop, [2, 3]."""
    angle = np.deg2rad(random.uniform(-augment.turn, augment.turn))
    scale = float(random.uniform(1 - augment.zoom, 1 + augment.zoom))
    mirror = -1.0 if random.random() < augment.flip else 1.0
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= mirror
    middle = np.array([options.width - 1, options.height - 1]) / 2
    target = middle + [options.left, options.top]
    # The crop's own middle column is what a mirror turns about.
    if mirror < 0:
        target[0] = 95 - target[0]
    target = target + random.uniform(-augment.shift, augment.shift, 2)
    return np.concatenate([turn, (target - turn @ middle)[:, None]], 1)


def _make_worse(pictures: np.ndarray, augment: AugmentOptions, random: np.random.Generator) -> None:
    """Blur pictures, and compress them hard, in place."""
    if augment.blur:
        strength = random.uniform(0, augment.blur)
        for picture in pictures:
            cv2.GaussianBlur(picture, (0, 0), max(strength, 0.01), dst=picture)
    if augment.codec and random.random() < augment.codec:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(*CODEC_QUALITY))]
        for picture in pictures:
            coded = cv2.imencode(".jpg", picture.clip(0, 255).astype(np.uint8), quality)[1]
            picture[:] = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def _change_light(
    pictures: np.ndarray, augment: AugmentOptions, random: np.random.Generator
) -> None:
    """Change brightness in space and noise, in place; a clip's mean and spread are undone later."""
    frames, height, width = pictures.shape
    slope = random.uniform(-augment.contrast, augment.contrast, 2)
    ramp = 1 + slope[0] * np.linspace(-1, 1, width) + slope[1] * np.linspace(-1, 1, height)[:, None]
    pictures *= ramp.astype(np.float32)
    if augment.noise:
        strength = random.uniform(0, augment.noise)
        pictures += random.standard_normal(pictures.shape, np.float32) * np.float32(strength)
    if random.random() < augment.erase:
        high, wide = random.integers(6, height // 2), random.integers(6, width // 2)
        top, left = random.integers(height - high), random.integers(width - wide)
        pictures[:, top : top + high, left : left + wide] = pictures.mean()
