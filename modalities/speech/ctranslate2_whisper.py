"""A Whisper from a CTranslate2 folder, the format of faster-whisper."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from modalities.speech.checkpoint import Checkpoint
from modalities.speech.ctranslate2_file import HEAD_DIM
from modalities.speech.ctranslate2_settings import read_settings
from modalities.speech.ctranslate2_tensors import CTranslate2Model, read_model
from modalities.speech.generation import build_config, build_generation_config
from modalities.speech.tokenizer import find_tokenizer


def read_ctranslate2_folder(folder: Path) -> Checkpoint:
    """Read model.bin, config.json and tokenizer.json.

    Args:
        folder: A missing config.json means Whisper's usual settings.

    Raises:
        ValueError: Not a Whisper, damaged, or without a tokenizer.
    """
    model = read_model(folder / "model.bin")
    if model.name != "WhisperSpec":
        raise ValueError(f"{folder} holds a {model.name}; expected a WhisperSpec. Name a Whisper.")
    weights = dict(_weights(model))
    sizes = _sizes(model, weights)
    tokenizer = find_tokenizer(folder, sizes["vocab_size"])
    config = build_config(sizes, tokenizer)
    settings = read_settings(folder / "config.json")
    generation = build_generation_config(
        config,
        tokenizer,
        alignment_heads=settings.alignment_heads,
        suppressed=settings.suppressed,
        suppressed_at_start=settings.suppressed_at_start,
    )
    return Checkpoint(config, generation, tokenizer, weights)


def _sizes(model: CTranslate2Model, weights: dict[str, Tensor]) -> dict[str, int]:
    dim, mel_bins, _ = weights["model.encoder.conv1.weight"].shape
    sizes = {
        "vocab_size": len(weights["model.decoder.embed_tokens.weight"]),
        "num_mel_bins": mel_bins,
        "d_model": dim,
        "max_source_positions": len(weights["model.encoder.embed_positions.weight"]),
        "max_target_positions": len(weights["model.decoder.embed_positions.weight"]),
    }
    for side in ("encoder", "decoder"):
        heads = model.variables.get(f"{side}/num_heads")
        sizes[f"{side}_layers"] = _layers(model, side)
        sizes[f"{side}_ffn_dim"] = len(weights[f"model.{side}.layers.0.fc1.bias"])
        sizes[f"{side}_attention_heads"] = dim // HEAD_DIM if heads is None else int(heads)
    return sizes


def _layers(model: CTranslate2Model, side: str) -> int:
    prefix = f"{side}/layer_"
    names = (name.removeprefix(prefix) for name in model.variables if name.startswith(prefix))
    numbers = {name.split("/")[0] for name in names}
    return sum(number.isdigit() for number in numbers)  # layer_norm is not a layer


def _weights(model: CTranslate2Model) -> Iterator[tuple[str, Tensor]]:
    for layer in ("conv1", "conv2"):
        for part in ("weight", "bias"):
            yield f"model.encoder.{layer}.{part}", model.weight(f"encoder/{layer}/{part}")
    yield "model.decoder.embed_tokens.weight", model.weight("decoder/embeddings/weight")
    for side in ("encoder", "decoder"):
        positions = model.weight(f"{side}/position_encodings/encodings")
        yield f"model.{side}.embed_positions.weight", positions
        yield from _norm(model, f"model.{side}.layer_norm", f"{side}/layer_norm")
        if not _layers(model, side):
            raise ValueError(f"model.bin has no {side} layers; expected a Whisper. Name another.")
        for index in range(_layers(model, side)):
            yield from _block(model, f"model.{side}.layers.{index}", f"{side}/layer_{index}")


def _block(model: CTranslate2Model, ours: str, theirs: str) -> Iterator[tuple[str, Tensor]]:
    attention = f"{theirs}/self_attention"
    yield from _norm(model, f"{ours}.self_attn_layer_norm", f"{attention}/layer_norm")
    yield from _linear(model, f"{ours}.self_attn", f"{attention}/linear_0", "qkv")
    yield from _linear(model, f"{ours}.self_attn", f"{attention}/linear_1", "o")
    if theirs.startswith("decoder"):
        attention = f"{theirs}/attention"
        yield from _norm(model, f"{ours}.encoder_attn_layer_norm", f"{attention}/layer_norm")
        yield from _linear(model, f"{ours}.encoder_attn", f"{attention}/linear_0", "q")
        yield from _linear(model, f"{ours}.encoder_attn", f"{attention}/linear_1", "kv")
        yield from _linear(model, f"{ours}.encoder_attn", f"{attention}/linear_2", "o")
    yield from _norm(model, f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
    yield from _linear(model, ours, f"{theirs}/ffn/linear_0", "1")
    yield from _linear(model, ours, f"{theirs}/ffn/linear_1", "2")


def _norm(model: CTranslate2Model, ours: str, theirs: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.weight", model.weight(f"{theirs}/gamma")
    yield f"{ours}.bias", model.weight(f"{theirs}/beta")


MODULES = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj", "1": "fc1", "2": "fc2"}


def _linear(
    model: CTranslate2Model, ours: str, theirs: str, roles: str
) -> Iterator[tuple[str, Tensor]]:
    """Cut the rows of a fused layer into its roles, in their order."""
    weights = model.weight(f"{theirs}/weight").chunk(len(roles))
    biases = model.weight(f"{theirs}/bias").chunk(len(roles))
    for role, weight, bias in zip(roles, weights, biases, strict=True):
        yield f"{ours}.{MODULES[role]}.weight", weight
        if role != "k":  # Whisper's keys have no bias; the file pads it with zeros
            yield f"{ours}.{MODULES[role]}.bias", bias
