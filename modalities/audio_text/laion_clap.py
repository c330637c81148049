"""A CLAP from a checkpoint as LAION publishes it (.pt), converted key by key."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modalities.audio.clap_log_mel import ClapLogMel
from modalities.audio_text.clap_audio_text import ClapAudioText, find_tokenizer
from modalities.hub import reason_of

if TYPE_CHECKING:
    from transformers import ClapConfig

RENAMED = (
    (r"^audio_branch\.", "audio_model.audio_encoder."),
    (r"^text_branch\.", "text_model."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.bn0\.", ".batch_norm."),
    (r"_projection\.0\.", "_projection.linear1."),
    (r"_projection\.2\.", "_projection.linear2."),
)
# The front end, heads of classes, and what is computed from sizes alone.
LEFT_OUT = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\.|(audio|text)_transform"
    r"|.*\.(attn_mask|relative_position_index|position_ids|token_type_ids)$"
)
COMPUTED = ("relative_position_index", "position_ids", "token_type_ids")
FUSION = re.compile(r".*(fusion_model|mel_conv[12]d)\.")
MEL = "audio_branch.logmel_extractor.melW"
PATCH = "audio_branch.patch_embed.proj.weight"
WORDS = "text_branch.embeddings.word_embeddings.weight"
HEAD_DIM = 64  # of RoBERTa's attention
SPEC_SIDE = 256  # of the picture that HTSAT makes of a spectrogram


def load_laion_clap(path: str | Path) -> ClapAudioText:
    """Load a checkpoint of LAION's; no code in it is run.

    The tokenizer is the one that lies beside it, else that of the published model, at the first
    text.

    Args:
        path: A .pt file, such as 630k-audioset-best.pt or music_audioset_epoch_15_esc_90.14.pt.

    Raises:
        ValueError: It is damaged, holds another model, or one that fuses views of long clips.
    """
    from transformers import ClapModel

    path = Path(path).expanduser()
    state = read_laion_file(path)
    _check(state, path)
    try:
        with torch.random.fork_rng(devices=[]):
            model = ClapModel(config_of(state))
        missing, unknown = model.load_state_dict(convert(state), strict=False)
    except KeyError as error:
        raise _no_clap(path, f"it lacks {error.args[0]}") from error
    except (RuntimeError, ValueError) as error:
        raise _no_clap(path, str(error).strip().splitlines()[-1].strip()) from error
    lacking = [name for name in missing if not name.endswith(COMPUTED)]
    if lacking or unknown:
        raise _no_clap(path, f"it lacks {lacking[0]}" if lacking else f"it has {unknown[0]}")
    return ClapAudioText(model, find_tokenizer(path.parent), str(path))


def read_laion_file(path: Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint by LAION's names.

    Raises:
        ValueError: There is no such file, or it cannot be read without running code in it.
    """
    if not path.is_file():
        raise ValueError(f"There is no {path}; expected a checkpoint of LAION's CLAP (.pt).")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            held: Any = torch.load(path, map_location="cpu", weights_only=True)
        held = held.get("state_dict", held)
        return {str(n).removeprefix("module."): v for n, v in held.items() if torch.is_tensor(v)}
    except Exception as error:  # torch.load has no one class for a damaged file
        _, refused, told = str(error).partition("WeightsUnpickler error: ")
        if not refused:
            raise _no_clap(path, reason_of(error)) from error
        raise ValueError(
            f"{path} holds more than weights ({told.strip().splitlines()[0][:120]}); expected a "
            "checkpoint of LAION's CLAP that no code has to be run for. Where you trust it: "
            'torch.save(torch.load(path, weights_only=False)["state_dict"], other).'
        ) from error


def _numpy_scalars() -> list[Any]:
    """Return what LAION's training left in its checkpoints beside weights: losses, by numpy."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    names = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return [*names, np.dtype, *kinds]


def config_of(state: dict[str, Tensor]) -> "ClapConfig":
    """Read the sizes of a CLAP off the shapes of LAION's weights."""
    from transformers import ClapConfig

    stages = 1 + _last(state, r"audio_branch\.layers\.(\d+)\.")
    blocks = [
        1 + _last(state, rf"audio_branch\.layers\.{n}\.blocks\.(\d+)\.") for n in range(stages)
    ]
    tables = [
        state[f"audio_branch.layers.{n}.blocks.0.attn.relative_position_bias_table"]
        for n in range(stages)
    ]
    width = state[PATCH].shape[0]
    audio = dict(
        patch_embeds_hidden_size=width,
        hidden_size=width * 2 ** (stages - 1),
        depths=blocks,
        num_attention_heads=[table.shape[1] for table in tables],
        num_hidden_layers=stages,
        window_size=(math.isqrt(tables[0].shape[0]) + 1) // 2,
        num_mel_bins=state["audio_branch.bn0.weight"].shape[0],
        mlp_ratio=state["audio_branch.layers.0.blocks.0.mlp.fc1.weight"].shape[0] / width,
        spec_size=SPEC_SIDE,
    )
    words, dim = state[WORDS].shape
    text = dict(
        vocab_size=words,
        hidden_size=dim,
        num_hidden_layers=1 + _last(state, r"text_branch\.encoder\.layer\.(\d+)\."),
        num_attention_heads=max(1, dim // HEAD_DIM),
        intermediate_size=state["text_branch.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=state["text_branch.embeddings.position_embeddings.weight"].shape[0],
        layer_norm_eps=1e-5,  # RoBERTa's, with which LAION trained; transformers' CLAP has 1e-12
    )
    joint = state["audio_projection.2.weight"].shape[0]
    return ClapConfig(text_config=text, audio_config=audio, projection_dim=joint)


def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename LAION's weights to transformers' names; the joint queries, keys and values part."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if LEFT_OUT.match(name):
            continue
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        if ".self.qkv." in name:
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[name.replace("qkv", part)] = rows
        else:
            found[name] = value
    return found


def _check(state: dict[str, Tensor], path: Path) -> None:
    """Refuse a checkpoint that is no HTSAT with RoBERTa, or hears other bands."""
    for name in (PATCH, WORDS, "audio_projection.2.weight", "text_projection.2.weight"):
        if name not in state:
            raise _no_clap(path, f"it lacks {name}")
    if any(FUSION.match(name) for name in state):
        raise ValueError(
            f"{path} fuses several views of clips over 10 s; expected a CLAP without fusion. Take "
            "one such as 630k-audioset-best.pt."
        )
    told = state.get(MEL)
    ours = ClapLogMel(state["audio_branch.bn0.weight"].shape[0]).filters.float()
    if told is not None and (
        told.shape != ours.shape or not torch.allclose(told.float(), ours, atol=1e-5)
    ):
        raise _no_clap(path, "its mel bands are not those of 50 Hz to 14 kHz at 48 kHz")


def _no_clap(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is no checkpoint of LAION's CLAP that can be read ({reason}); expected a .pt with "
        "HTSAT and RoBERTa, unfused. Download it again, or take clap-htsat-unfused."
    )


def _last(state: dict[str, Tensor], pattern: str) -> int:
    return max(int(found[1]) for name in state if (found := re.match(pattern, name)))
