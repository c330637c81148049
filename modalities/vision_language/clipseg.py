"""CLIPSeg in three steps: see a picture, read prompts, decode a mask for each."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from modalities.encoder import FrozenEncoder
from modalities.tap import Skip, Tap
from modalities.tensor_hash import hash_frozen
from modalities.vision_language.tokens import Tokens, tokenize, words_of

if TYPE_CHECKING:
    from transformers import CLIPSegForImageSegmentation, PreTrainedTokenizerBase

LEGACY_END = 2  # a wrong id in old configs, for which transformers takes the highest one instead


@dataclass(frozen=True)
class Pictures:
    """How pictures are made ready.

    Attributes:
        side: Height and width that all are brought to, whatever their shape, in pixels.
        mean: What is subtracted from red, green and blue, where white is 1.
        deviation: What the rest is divided by, each above 0.
    """

    side: int = 352
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self):
        for name in ("mean", "deviation"):
            values = getattr(self, name)
            numbers = len(values) == 3 and all(isinstance(v, int | float) for v in values)
            if not numbers or not all(map(math.isfinite, values)):
                raise ValueError(f"{name} {values}, where three numbers are expected")
        if min(self.deviation) <= 0 or self.side < 1:
            raise ValueError(
                f"deviation {self.deviation} and side {self.side}, where more than 0 is expected"
            )

    def prepare(self, image: np.ndarray | Tensor) -> Tensor:
        """Make a picture ready, [height, width, 3] from 0 to 1 -> [3, side, side]."""
        if isinstance(image, np.ndarray):  # torch takes no turned, foreign or read-only ones
            image = torch.from_numpy(np.array(image, np.float32, order="C"))
        values = image.float().movedim(-1, 0)
        size = (self.side, self.side)
        values = interpolate(values[None], size, mode="bilinear", antialias=True)[0]
        mean, deviation = (torch.tensor(of)[:, None, None] for of in (self.mean, self.deviation))
        return (values - mean) / deviation


class TextFeatures(NamedTuple):
    """What the frozen text encoder makes of prompts.

    Attributes:
        condition: The projected end of each prompt, [prompts, projection_dim].
        skips: What it was after each extracted layer, [prompts, layers, dim], as it left it.
    """

    condition: Tensor
    skips: Tensor


class Bridge(nn.Module):
    """The places between the frozen encoders and the decoder, where shallow adapters are put.

    Args:
        layers: How many hidden states the decoder reads.
        vision_dim: Features of each of them.
        text_dim: Features of the text encoder's hidden states.
        condition_dim: Length of the vector that modulates the decoder.
    """

    def __init__(self, layers: int, vision_dim: int, text_dim: int, condition_dim: int):
        super().__init__()
        self.vision = nn.ModuleList(Tap(vision_dim) for _ in range(layers))
        # What passes the projection by has to be as wide as what that returns.
        skips = layers if text_dim == condition_dim else 0
        self.text = nn.ModuleList(Skip(text_dim) for _ in range(skips))
        self.condition = Tap(condition_dim)

    def forward(
        self, activations: Sequence[Tensor], text: TextFeatures
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Pass on what the decoder reads: activations, and [prompts, condition_dim]."""
        seen = tuple(tap(states) for tap, states in zip(self.vision, activations, strict=True))
        condition = self.condition(text.condition)
        for skip, states in zip(self.text, text.skips.unbind(1), strict=False):
            condition = condition + skip(states)
        return seen, condition


class ClipSeg(FrozenEncoder):
    """Frozen CLIPSeg; its sub-layers and the taps between its parts take adapters.

    transformers' own forward runs the encoders without gradients, so that nothing in them could
    learn; here they are called one by one, each as transformers has it.

    Args:
        model: Used as it is, not copied.
        tokenizer: That belongs to it; without one `tokenize` has nothing to go by.
        pictures: How pictures are made ready.
        name: What was asked for; error messages say it.

    Source:
        Lüddecke and Ecker (2022, arXiv 2112.10003); transformers' CLIPSegForImageSegmentation.
    """

    def __init__(
        self,
        model: "CLIPSegForImageSegmentation",
        tokenizer: "PreTrainedTokenizerBase | None" = None,
        pictures: Pictures | None = None,
        name: str = "clipseg",
    ):
        super().__init__()
        config: Any = model.config
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self._config: Any = config  # "config" would make PEFT take this for a transformers model
        self.pictures = pictures or Pictures()
        self.layers = tuple(config.extract_layers)
        self.bridge = Bridge(
            len(self.layers),
            config.vision_config.hidden_size,
            config.text_config.hidden_size,
            config.projection_dim,
        )
        patch = config.vision_config.patch_size
        if self.pictures.side % patch:
            raise ValueError(
                f"Pictures of {self.pictures.side} pixels do not part into patches of {patch}; "
                f"expected a multiple of {patch}."
            )
        self.freeze()

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt that is read whole, its two ends among them."""
        return self._config.text_config.max_position_embeddings

    @cached_property
    def identity(self) -> str:
        """A hash of the frozen weights, the tokenizer's words and what pictures are brought to."""
        frozen = hash_frozen(self.model.state_dict())
        told = repr((self.pictures, self.layers, frozen, words_of(self.tokenizer)))
        return hashlib.sha256(told.encode()).hexdigest()

    def tokenize(self, prompts: Sequence[str]) -> Tokens:
        """Turn prompts into numbers; what is too long is cut at its end."""
        assert self.tokenizer is not None
        return tokenize(self.tokenizer, prompts, self.longest)

    def see(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Encode pictures.

        Args:
            pixels: From `Pictures.prepare`, [batch, 3, side, side].

        Returns:
            The hidden states that the decoder reads, each [batch, 1 + patches, dim].
        """
        outputs = self.model.clip.vision_model(
            pixel_values=pixels,
            interpolate_pos_encoding=True,
            output_hidden_states=True,
            return_dict=True,
        )
        # The first of them is the embedding of the patches: layer n leaves number n + 1.
        return tuple(outputs.hidden_states[layer + 1] for layer in self.layers)

    def read(self, ids: Tensor, mask: Tensor) -> TextFeatures:
        """Encode prompts, as `tokenize` returns them."""
        outputs = self.model.clip.text_model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True, return_dict=True
        )
        condition = self.model.clip.text_projection(outputs.pooler_output)
        rows = torch.arange(len(ids), device=ids.device)
        ends = self._ends(ids)
        count = len(outputs.hidden_states)
        skips = [outputs.hidden_states[layer + 1][rows, ends] for layer in self._text_layers(count)]
        return TextFeatures(condition, torch.stack(skips, 1))

    def decode(self, activations: Sequence[Tensor], text: TextFeatures) -> Tensor:
        """Decode one mask for each picture and the prompt of the same row.

        Args:
            activations: From `see`; of one picture for several prompts as well.
            text: From `read`, as many rows, or for one picture any number.

        Returns:
            Logits, [batch, side, side].
        """
        seen, condition = self.bridge(activations, text)
        rows = len(condition)
        if len(seen[0]) == 1 < rows:
            seen = tuple(states.expand(rows, -1, -1) for states in seen)
        return self.model.decoder(seen, condition, return_dict=True).logits

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """See, read and decode: logits, [batch, side, side]."""
        return self.decode(self.see(pixels), self.read(ids, mask))

    def _ends(self, ids: Tensor) -> Tensor:
        """Return where each prompt ends, as transformers finds it."""
        end = self._config.text_config.eos_token_id
        if end == LEGACY_END:
            return ids.argmax(-1)
        return (ids == end).int().argmax(-1)

    def _text_layers(self, states: int) -> tuple[int, ...]:
        """Return the same layers of the text encoder, or its last where it has fewer."""
        return tuple(min(layer, states - 2) for layer in self.layers)
