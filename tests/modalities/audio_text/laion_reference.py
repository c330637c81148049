"""LAION's own CLAP of any size with weights that are the same everywhere, for our conversion."""

import importlib.util
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import RobertaConfig, RobertaModel

ANSWERS = Path(__file__).with_name("laion_answers.json")
SMALL_TEXT = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=1, intermediate_size=24, vocab_size=300
)
FULL_TEXT = dict(vocab_size=50265)
ROBERTA = dict(max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
SMALL_AUDIO: dict[str, Any] = dict(embed_dim=8, depths=[2, 1, 2, 1], num_heads=[1, 2, 2, 4])
FULL_AUDIO: dict[str, Any] = dict(embed_dim=96, depths=[2, 2, 6, 2], num_heads=[4, 8, 16, 32])
SOUND = dict(mel_bins=64, sample_rate=48000, window_size=1024, hop_size=480, fmin=50, fmax=14000)


def fill(name: str, shape: list[int]) -> Tensor:
    """Draw a weight by its name, so that a list of names and shapes stands for a checkpoint."""
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    if name.endswith(("_index", "position_ids", "num_batches_tracked")):
        return torch.zeros(shape, dtype=torch.int64)
    drawn = torch.randn(shape, generator=random)
    if name.endswith("running_var"):
        return 100 * (0.5 + drawn.abs())
    if name.endswith("running_mean"):
        return 10 * drawn - 30  # decibels
    if "norm" in name.lower() and name.endswith("weight"):
        return 1 + 0.2 * drawn
    return drawn * (0.3 if len(shape) < 2 else shape[-1] ** -0.5)


def clips() -> Tensor:
    """Two sounds of 10 s at 48 kHz."""
    random = torch.Generator().manual_seed(0)
    time = torch.arange(480_000) / 48_000
    tone = 0.3 * torch.sin(2 * torch.pi * (300 + 200 * time) * time)
    return torch.stack([tone, 0.1 * torch.randn(480_000, generator=random)])


def find_laion() -> Path | None:
    """Return where laion_clap is installed; it is not imported: that asks the hub three times."""
    found = importlib.util.find_spec("laion_clap")
    return Path(found.origin).parent if found and found.origin else None


def build_laion(audio: dict[str, Any], text: dict[str, Any]) -> Any:
    """Build LAION's CLAP with HTSAT and RoBERTa of these sizes."""
    sys.path.insert(0, str(find_laion()))
    try:
        from clap_module import model as laion  # type: ignore[import-not-found]
        from clap_module.htsat import HTSAT_Swin_Transformer  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    roberta = RobertaModel(RobertaConfig(**ROBERTA, **text))
    sizes = dict(spec_size=256, patch_size=4, patch_stride=(4, 4), window_size=8, num_classes=527)
    branch = HTSAT_Swin_Transformer(**sizes, **audio, config=SimpleNamespace(**SOUND))
    laion.create_htsat_model = lambda *_, **__: branch
    laion.RobertaModel = SimpleNamespace(from_pretrained=lambda _: roberta)
    words = dict(context_length=77, vocab_size=0, width=0, heads=0, layers=0)
    told = dict(audio_cfg=dict(model_type="HTSAT"), text_cfg=dict(words, model_type="roberta"))
    built = laion.CLAP(embed_dim=branch.num_features, **told)
    width = roberta.config.hidden_size
    built.text_projection[0] = torch.nn.Linear(width, 512)  # there always 768 wide
    return built.eval()


def shapes_of(model: Any) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def refill(model: Any) -> Any:
    """Give a model of LAION's the weights that `fill` draws; its front end stays as it is."""
    state = model.state_dict()
    for name, shape in shapes_of(model).items():
        if "_extractor." not in name and not name.endswith(("_index", "attn_mask")):
            state[name] = fill(name, shape)
    model.load_state_dict(state)
    return model
