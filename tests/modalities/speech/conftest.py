"""Small random Whispers, and a writer of CTranslate2's format that is independent of ours."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import WhisperConfig, WhisperForConditionalGeneration

ENGLISH_VOCABULARY = 51_864
TYPE_IDS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


@pytest.fixture(scope="session")
def small_whisper() -> WhisperForConditionalGeneration:
    """Random weights, in the shape of an English Whisper."""
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=ENGLISH_VOCABULARY,
        d_model=128,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=40,
        decoder_start_token_id=50_257,
    )
    model = WhisperForConditionalGeneration(config).eval()
    for parameter in model.parameters():  # no bias or gain may go unnoticed
        parameter.data.normal_(std=0.1)
    return model


def pack_name(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def pack_variable(name: str, array: np.ndarray, version: int) -> bytes:
    head = pack_name(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    if version >= 4:
        size = struct.pack("<BI", TYPE_IDS[array.dtype.name], array.nbytes)
    else:
        size = struct.pack("<BI", array.itemsize, array.size)
    return head + size + array.tobytes()


def pack_model(
    variables: dict[str, np.ndarray],
    aliases: dict[str, str] | None = None,
    version: int = 6,
    spec: str = "WhisperSpec",
) -> bytes:
    parts = [struct.pack("<I", version), pack_name(spec), struct.pack("<II", 3, len(variables))]
    parts += [pack_variable(name, array, version) for name, array in variables.items()]
    if version >= 3:
        parts.append(struct.pack("<I", len(aliases or {})))
        parts += [pack_name(a) + pack_name(b) for a, b in (aliases or {}).items()]
    return b"".join(parts)


def quantise(array: np.ndarray, to: str) -> dict[str, np.ndarray]:
    """Return "" -> values and, for whole numbers, "_scale" -> one scale a row."""
    if to != "int8":
        return {"": array.astype(to)}
    rows = array.reshape(len(array), -1)
    scale = (127 / np.abs(rows).max(1)).astype(np.float32)
    return {
        "": np.rint(rows * scale[:, None]).astype(np.int8).reshape(array.shape),
        "_scale": scale,
    }


def ctranslate2_variables(model, to: str) -> dict[str, np.ndarray]:
    """Name and fuse a model's weights as CTranslate2 does."""
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found: dict[str, np.ndarray] = {}

    def put(name: str, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
        found.update({f"{name}/weight{k}": v for k, v in quantise(weight, to).items()})
        if bias is not None:
            plain = "float32" if to == "int8" else to
            found[f"{name}/bias"] = bias.astype(plain)

    def norm(ours: str, theirs: str) -> None:
        found[f"{theirs}/gamma"] = state[f"{ours}.weight"]
        found[f"{theirs}/beta"] = state[f"{ours}.bias"]

    def fused(ours: str, theirs: str, roles: str) -> None:
        names = [f"{ours}.{'out' if role == 'o' else role}_proj" for role in roles]
        weights = [state[f"{name}.weight"] for name in names]
        zeros = np.zeros(model.config.d_model, np.float32)
        biases = [state.get(f"{name}.bias", zeros) for name in names]
        put(theirs, np.concatenate(weights), np.concatenate(biases))

    for conv in ("conv1", "conv2"):
        ours = f"model.encoder.{conv}"
        put(f"encoder/{conv}", state[f"{ours}.weight"], state[f"{ours}.bias"])
    put("decoder/embeddings", state["model.decoder.embed_tokens.weight"])
    for side, layers in (("encoder", 1), ("decoder", 2)):
        positions = state[f"model.{side}.embed_positions.weight"]
        found[f"{side}/position_encodings/encodings"] = positions
        found[f"{side}/num_heads"] = np.int16(2).reshape(())
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        for i in range(layers):
            ours, theirs = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
            norm(f"{ours}.self_attn_layer_norm", f"{theirs}/self_attention/layer_norm")
            fused(f"{ours}.self_attn", f"{theirs}/self_attention/linear_0", "qkv")
            fused(f"{ours}.self_attn", f"{theirs}/self_attention/linear_1", "o")
            norm(f"{ours}.final_layer_norm", f"{theirs}/ffn/layer_norm")
            for j, layer in enumerate(("fc1", "fc2")):
                weight, bias = state[f"{ours}.{layer}.weight"], state[f"{ours}.{layer}.bias"]
                put(f"{theirs}/ffn/linear_{j}", weight, bias)
            if side == "decoder":
                norm(f"{ours}.encoder_attn_layer_norm", f"{theirs}/attention/layer_norm")
                fused(f"{ours}.encoder_attn", f"{theirs}/attention/linear_0", "q")
                fused(f"{ours}.encoder_attn", f"{theirs}/attention/linear_1", "kv")
                fused(f"{ours}.encoder_attn", f"{theirs}/attention/linear_2", "o")
    return found


@pytest.fixture
def write_folder(small_whisper, tmp_path):
    """Give a function that writes the small model as a CTranslate2 folder of a type."""

    def write(to: str = "float32") -> Path:
        aliases = {"decoder/projection/weight": "decoder/embeddings/weight"}
        contents = pack_model(ctranslate2_variables(small_whisper, to), aliases)
        (tmp_path / "model.bin").write_bytes(contents)
        return tmp_path

    return write


LANGUAGES = ("en", "zh", "de")


@pytest.fixture(scope="session")
def multilingual_tokenizer(tmp_path_factory) -> Path:
    """A tokenizer.json laid out as the multilingual one, with three languages."""
    tokenizer = Tokenizer(models.BPE({f"t{i}": i for i in range(50_257)}, []))
    tokenizer.decoder = decoders.ByteLevel()
    words = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe"]
    words += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    tokenizer.add_special_tokens([f"<|{word}|>" for word in words])
    path = tmp_path_factory.mktemp("multilingual") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def pack():
    """The writer: variables, aliases, version and specification to bytes."""
    return pack_model
