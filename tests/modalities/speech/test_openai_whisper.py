"""OpenAI's .pt files give the model that OpenAI's own code builds from them."""

import pytest
import torch
from transformers import WhisperConfig

from modalities.speech.alignment_heads import ALIGNMENT_HEADS, find_heads
from modalities.speech.whisper import load_whisper

DIMS = {
    "n_mels": 80,
    "n_audio_ctx": 1500,
    "n_audio_state": 64,
    "n_audio_head": 2,
    "n_audio_layer": 1,
    "n_vocab": 51_864,
    "n_text_ctx": 448,
    "n_text_state": 64,
    "n_text_head": 2,
    "n_text_layer": 2,
}


def block(prefix: str, decoder: bool) -> dict[str, list[int]]:
    shapes = {}
    for attention in ("attn", "cross_attn") if decoder else ("attn",):
        for part in ("query", "key", "value", "out"):
            shapes[f"{attention}.{part}.weight"] = [64, 64]
            if part != "key":
                shapes[f"{attention}.{part}.bias"] = [64]
        shapes |= {f"{attention}_ln.weight": [64], f"{attention}_ln.bias": [64]}
    shapes |= {"mlp.0.weight": [256, 64], "mlp.0.bias": [256]}
    shapes |= {"mlp.2.weight": [64, 256], "mlp.2.bias": [64]}
    shapes |= {"mlp_ln.weight": [64], "mlp_ln.bias": [64]}
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights under OpenAI's names, written out by hand."""
    shapes = {
        "encoder.positional_embedding": [1500, 64],
        "encoder.conv1.weight": [64, 80, 3],
        "encoder.conv1.bias": [64],
        "encoder.conv2.weight": [64, 64, 3],
        "encoder.conv2.bias": [64],
        **block("encoder.blocks.0", decoder=False),
        "encoder.ln_post.weight": [64],
        "encoder.ln_post.bias": [64],
        "decoder.positional_embedding": [448, 64],
        "decoder.token_embedding.weight": [51_864, 64],
        **block("decoder.blocks.0", decoder=True),
        **block("decoder.blocks.1", decoder=True),
        "decoder.ln.weight": [64],
        "decoder.ln.bias": [64],
    }
    torch.manual_seed(0)
    return {name: torch.randn(shape).mul(0.1).half() for name, shape in shapes.items()}


@pytest.fixture
def file(weights, tmp_path):
    path = tmp_path / "tiny.en.pt"
    torch.save({"dims": DIMS, "model_state_dict": weights}, path)
    return path


def test_weights_and_settings(weights, file):
    whisper = load_whisper(file)
    model = whisper.model
    assert model.dtype == torch.float32 and model.config.decoder_ffn_dim == 256
    layer = model.model.decoder.layers[1]
    for name, role in {"query": "q", "key": "k", "value": "v", "out": "out"}.items():
        for theirs, ours in {"attn": layer.self_attn, "cross_attn": layer.encoder_attn}.items():
            expected = weights[f"decoder.blocks.1.{theirs}.{name}.weight"].float()
            assert torch.equal(ours.get_submodule(f"{role}_proj").weight, expected), name
    found = list(model.model.state_dict().values())
    assert len(found) == len(weights)
    for name, weight in weights.items():
        assert sum(torch.equal(f, weight.float()) for f in found) == 1, name
    assert model.generation_config.alignment_heads == [[1, 0], [1, 1]]  # no official size
    assert whisper.tokenizer.decode([15496]) == "Hello"


def test_same_logits_as_openai(weights, file):
    openai = pytest.importorskip("whisper.model")
    theirs = openai.Whisper(openai.ModelDimensions(**DIMS)).eval()
    theirs.load_state_dict({k: v.float() for k, v in weights.items()})
    torch.manual_seed(1)
    mel, tokens = torch.randn(1, 80, 3000), torch.randint(50_000, (1, 5))
    with torch.inference_mode():
        ours = load_whisper(file).model(mel, decoder_input_ids=tokens).logits
        assert torch.allclose(ours, theirs(mel, tokens), atol=1e-4)


def test_alignment_heads_are_those_of_openai():
    openai = pytest.importorskip("whisper")
    for name in ALIGNMENT_HEADS:
        layers, heads = {"tiny": (4, 6), "base": (6, 8), "small": (12, 12), "medium": (24, 16)}.get(
            name.split(".")[0], (4, 20) if "turbo" in name else (32, 20)
        )
        dims = {**DIMS, "n_text_layer": layers, "n_text_head": heads, "n_text_state": heads}
        model = openai.model.Whisper(openai.model.ModelDimensions(**{**dims, "n_vocab": 10}))
        model.set_alignment_heads(openai._ALIGNMENT_HEADS[name])
        expected = [tuple(pair) for pair in model.alignment_heads.indices().T.tolist()]
        encoder_layers = 32 if "turbo" in name else layers
        dim = {4: 384, 6: 512, 12: 768, 24: 1024, 32: 1280}[encoder_layers]
        vocabulary = 51_864 if ".en" in name else 51_866 if "v3" in name else 51_865
        config = WhisperConfig(
            encoder_layers=encoder_layers,
            decoder_layers=layers,
            d_model=dim,
            vocab_size=vocabulary,
        )
        assert list(find_heads(name, config) or ()) == expected, name


def test_alignment_heads_fit_their_decoders():
    shapes = {"tiny": (4, 4, 384, 6), "base": (6, 6, 512, 8), "small": (12, 12, 768, 12)}
    shapes |= {"medium": (24, 24, 1024, 16), "large-v2": (32, 32, 1280, 20)}
    for name, (encoder, decoder, dim, count) in shapes.items():
        config = WhisperConfig(
            encoder_layers=encoder, decoder_layers=decoder, d_model=dim, vocab_size=51_865
        )
        heads = find_heads(name, config)
        assert heads and all(layer < decoder and head < count for layer, head in heads)
    small = WhisperConfig(encoder_layers=2, decoder_layers=2, d_model=32, vocab_size=51_864)
    assert find_heads("mine", small) is None


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    path = tmp_path / "evil.pt"
    torch.save({"dims": Evil(), "model_state_dict": {}}, path)
    with pytest.raises(ValueError, match="evil.pt is no checkpoint") as error:
        load_whisper(path)
    assert "\n" not in str(error.value)


def test_damaged_files(file, tmp_path):
    whole = file.read_bytes()
    for contents in (whole[: len(whole) // 2], b"", b"garbage" * 100):
        file.write_bytes(contents)
        with pytest.raises(ValueError, match=r"tiny.en.pt is no checkpoint") as error:
            load_whisper(file)
        assert "\n" not in str(error.value)
    torch.save({"dims": {}}, file)
    with pytest.raises(ValueError, match="n_vocab|model_state_dict"):
        load_whisper(file)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"no.pt"):
        load_whisper("no.pt")


def test_multilingual_file_wants_a_tokenizer(file, weights):
    more = weights | {"decoder.token_embedding.weight": torch.zeros(51_865, 64).half()}
    torch.save({"dims": DIMS | {"n_vocab": 51_865}, "model_state_dict": more}, file)
    with pytest.raises(ValueError, match="no tokenizer.json.*51865"):
        load_whisper(file)
