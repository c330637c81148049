"""Tiny random models and layers, and adapters that are not fresh."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach


def build_whisper() -> nn.Module:
    from transformers import WhisperConfig, WhisperModel

    config = WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        vocab_size=99,
        max_source_positions=20,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    return WhisperModel(config)


def build_ast() -> nn.Module:
    from transformers import ASTConfig, ASTModel

    config = ASTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_length=40,
        num_mel_bins=32,
    )
    return ASTModel(config)


def build_clip() -> nn.Module:
    from transformers import CLIPConfig, CLIPModel

    text = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
    vision = dict(text, image_size=32, patch_size=8)
    text |= dict(vocab_size=99, max_position_embeddings=16)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    return CLIPModel(config)


def build_bart() -> nn.Module:
    from transformers import BartConfig, BartModel

    config = BartConfig(
        vocab_size=99,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=32,
    )
    return BartModel(config)


BUILD = {"whisper": build_whisper, "ast": build_ast, "clip": build_clip, "bart": build_bart}
ROWS = 4


def call(kind: str, model: nn.Module, rows: slice = slice(None)) -> torch.Tensor:
    """Run a model on its own fixed random input, [rows, ...] -> [rows, features]."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(3, 99, (ROWS, 6), generator=generator)[rows]
    dtype = next(model.parameters()).dtype
    if kind == "whisper":
        mel = torch.randn(ROWS, 80, 40, generator=generator)[rows].to(dtype)
        outputs = model(mel, decoder_input_ids=tokens)
        found = (outputs.encoder_last_hidden_state, outputs.last_hidden_state)
    elif kind == "ast":
        found = (model(torch.randn(ROWS, 40, 32, generator=generator)[rows]).last_hidden_state,)
    elif kind == "clip":
        pictures = torch.randn(ROWS, 3, 32, 32, generator=generator)[rows].to(dtype)
        mask = torch.ones_like(tokens)
        mask[:, 4:] = 0
        outputs = model(input_ids=tokens, pixel_values=pictures, attention_mask=mask)
        found = (
            outputs.text_model_output.last_hidden_state,
            outputs.vision_model_output.last_hidden_state,
            outputs.vision_model_output.pooler_output,  # alone goes through the last norm
        )
    else:
        mask = torch.ones_like(tokens)
        mask[:, 4:] = 0
        outputs = model(input_ids=tokens, attention_mask=mask, decoder_input_ids=tokens)
        found = (outputs.encoder_last_hidden_state, outputs.last_hidden_state)
    return torch.cat([values.flatten(1) for values in found], 1)


@pytest.fixture(params=list(BUILD))
def kind(request) -> str:
    """The name of a family."""
    return request.param


@pytest.fixture
def model(kind) -> nn.Module:
    """A tiny random model of that family."""
    torch.manual_seed(0)
    return BUILD[kind]().eval()


@pytest.fixture(scope="session")
def run():
    """Runs a model of a family on its own input: kind, model, rows."""
    return call


@pytest.fixture(scope="session")
def build():
    """Builds a tiny model of a family."""

    def build_one(kind: str) -> nn.Module:
        torch.manual_seed(0)
        return BUILD[kind]().eval()

    return build_one


@pytest.fixture(scope="session")
def disturb():
    """Moves the parameters of an adapter off their start, so that it does something."""

    def move(adapters, name: str, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in adapters.parameters(name):
                noise = torch.randn(parameter.shape, generator=generator)
                parameter += 0.1 * noise.to(parameter.device)

    return move


@pytest.fixture(scope="session")
def attach_disturbed(disturb):
    """Attaches a method whose parameters are off their start: model, name, options, where."""

    def attach_one(model: nn.Module, method: str, options=None, where=None) -> Adapters:
        adapters = attach(model, method, options, where)
        disturb(adapters, "default")
        return adapters

    return attach_one


@pytest.fixture(scope="session")
def output():
    """Runs a model of a family on its own input, without gradients: kind, model."""
    return torch.no_grad()(call)


# Models that decode alone, and layers without a model


@pytest.fixture(scope="session")
def tiny_llama():
    """Builds a tiny LLaMA whose heads of keys serve two heads of queries each."""

    def build_one() -> nn.Module:
        from transformers import LlamaConfig, LlamaModel

        torch.manual_seed(0)
        heads = dict(num_attention_heads=4, num_key_value_heads=2)
        config = LlamaConfig(
            vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2, **heads
        )
        return LlamaModel(config).eval()

    return build_one


@pytest.fixture(scope="session")
def tokens_of():
    """Draws token ids for the tiny models, [rows, count]."""

    def draw(rows: int = 2, count: int = 7) -> torch.Tensor:
        return torch.randint(3, 99, (rows, count), generator=torch.Generator().manual_seed(3))

    return draw


@pytest.fixture(scope="session")
def linear():
    """Builds one frozen linear layer, in a model of its own: features in, features out."""

    def build_one(dim_in: int = 6, dim_out: int = 4) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(dim_in, dim_out)).requires_grad_(False)

    return build_one


@pytest.fixture(scope="session")
def calibrate_linear():
    """Yields the losses of such a layer of 6 features on two batches of three samples."""

    def losses(model: nn.Module) -> Iterator[torch.Tensor]:
        generator = torch.Generator().manual_seed(3)
        for _ in range(2):
            yield model(torch.randn(3, 5, 6, generator=generator)).square().sum()

    return losses


@pytest.fixture(scope="session")
def two_layers():
    """Builds a norm of 12 features and a linear layer behind it."""

    def build_one() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 10))

    return build_one
