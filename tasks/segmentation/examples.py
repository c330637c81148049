"""Images and masks as a model reads them, each file read once."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from data_prep.masks.images import read_image, read_row_mask
from data_prep.masks.manifest import MaskedImage, Rows, by_image
from data_prep.masks.remarks import remarks_on
from modalities.tensor_hash import hash_tensors
from modalities.vision_language.clipseg import ClipSeg
from tasks.training.kept_features import KeptFeatures


class Examples:
    """Images made ready for a model, and their masks in its size.

    Masks are kept in memory, a byte a pixel; images are read anew, unless what the frozen encoder
    makes of them is kept.

    Args:
        rows: Masks of one part of the data, those of an image in any order.
        clipseg: Makes pictures ready, and sees them where `features` are kept.
        features: Keeps what the frozen encoders make; None where they do not stay as they are.
    """

    def __init__(
        self, rows: Sequence[MaskedImage], clipseg: ClipSeg, features: KeptFeatures | None = None
    ):
        self.groups = by_image(rows)
        self.clipseg, self.features = clipseg, features
        self.truths: dict[str, Tensor] = {}
        self.keys: dict[str, str] = {}  # of kept features, by image
        self.texts: dict[str, dict[str, Tensor]] = {}
        self.notes: dict[str, list[str]] = {}  # ids of masks that are odd, by what is so

    def __len__(self) -> int:
        return len(self.groups)

    def picture(self, group: Rows) -> dict[str, Tensor]:
        """Return "pixels" of an image, or "states" where they are kept.

        Raises:
            ValueError: The image or a mask cannot be read, or they differ in size.
        """
        if self.features is None:
            return {"pixels": self._pixels(group)}
        image = group[0].image
        if image not in self.keys:  # by what is in it: a file may change while features are kept
            pixels = self._pixels(group)
            self.keys[image] = hash_tensors({"pixels": pixels})
            return self.features.of(self.keys[image], lambda: self._see(pixels))
        return self.features.of(self.keys[image], lambda: self._see(self._pixels(group)))

    def truth(self, row: MaskedImage) -> Tensor:
        """Return a mask in the model's size, [side, side], 0 or 1.

        Raises:
            ValueError: It cannot be read, or differs in size from its image.
        """
        if row.id not in self.truths:
            self._pixels((row,))
        return self.truths[row.id].float()

    def text(self, text: str) -> dict[str, Tensor]:
        """Return what the frozen text encoder makes of a prompt, with a batch axis of one."""
        if text not in self.texts:
            tokens = self.clipseg.tokenize([text])
            ids, mask = tokens.ids, tokens.mask
            if self.features is None:
                self.texts[text] = self._read(ids, mask)
            else:
                key = hash_tensors({"ids": ids, "mask": mask})
                self.texts[text] = self.features.of(key, lambda: self._read(ids, mask))
        return self.texts[text]

    def _pixels(self, group: Rows) -> Tensor:
        pictures = self.clipseg.pictures
        read = read_image(group[0].image)
        for row in group:
            if row.id in self.truths:
                continue
            mask = read_row_mask(row, read.values.shape[:2])
            for remark in remarks_on(row, read, mask):
                self.notes.setdefault(remark, []).append(row.id)
            whole = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]
            small = interpolate(whole, (pictures.side, pictures.side), mode="nearest-exact")
            self.truths[row.id] = small[0, 0].bool()
        return pictures.prepare(read.values)

    @torch.no_grad()
    def _see(self, pixels: Tensor) -> dict[str, Tensor]:
        [pixels] = self._here(pixels[None])
        states = torch.cat(self.clipseg.see(pixels))  # [layers, 1 + patches, dim]
        return {"states": states.cpu()}

    @torch.no_grad()
    def _read(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        found = self.clipseg.read(*self._here(ids, mask))
        return {"condition": found.condition.cpu(), "skips": found.skips.cpu()}

    def _here(self, *tensors: Tensor) -> list[Tensor]:
        device = next(self.clipseg.parameters()).device
        return [tensor.to(device) for tensor in tensors]
