"""What every weight format is turned into, and the model that is built from it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperForConditionalGeneration,
        WhisperTokenizer,
    )


@dataclass(frozen=True)
class Checkpoint:
    """A Whisper as read from a file.

    Attributes:
        config: Sizes of the model.
        generation: Complete settings of `generate`.
        tokenizer: Its vocabulary.
        weights: float32, under the names of transformers' WhisperForConditionalGeneration, the
            tied output matrix left out.
    """

    config: "WhisperConfig"
    generation: "GenerationConfig"
    tokenizer: "WhisperTokenizer"
    weights: dict[str, Tensor] = field(repr=False)


def build_model(checkpoint: Checkpoint) -> "WhisperForConditionalGeneration":
    """Build transformers' model around the weights, which are not copied.

    Raises:
        ValueError: A weight is missing, unknown, or of another shape.
    """
    from transformers.models.whisper.modeling_whisper import WhisperForConditionalGeneration

    with torch.device("meta"):  # nothing is allocated or initialised at random
        model = WhisperForConditionalGeneration(checkpoint.config)
    expected = model.state_dict()
    del expected["proj_out.weight"]
    _check(expected, checkpoint.weights)
    model.load_state_dict(checkpoint.weights, assign=True, strict=False)
    model.proj_out.weight = model.model.decoder.embed_tokens.weight
    model.generation_config = checkpoint.generation
    return model


def _check(expected: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    advice = "Convert or download the model again."
    if odd := sorted(expected.keys() ^ weights.keys()):
        what = "lacks" if odd[0] in expected else "has an unknown"
        raise ValueError(f"The checkpoint {what} weight {odd[0]}. {advice}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"Weight {name} has shape {list(tensor.shape)}; expected "
                f"{list(expected[name].shape)}. {advice}"
            )
