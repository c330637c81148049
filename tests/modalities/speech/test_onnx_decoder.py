"""The decoder of onnxruntime looks where torch's looks, whatever its weights are stored in."""

import numpy as np
import pytest
import torch

from modalities.speech.ctranslate2_file import read_index
from modalities.speech.ctranslate2_tensors import read_model
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.onnx_decoder import OnnxDecoder

HEADS = [(0, 1), (1, 0), (1, 1)]
TOKENS = [50_257, 50_362, 11, 12, 1_000, 13, 50_256]


def test_attention_is_that_of_transformers(small_whisper, write_folder):
    weights = NumpyWeights(read_index(write_folder() / "model.bin"))
    states = torch.randn(1, 1500, 128)
    small_whisper.set_attn_implementation("eager")
    with torch.inference_mode():
        expected = small_whisper.model.decoder(
            torch.tensor([TOKENS]), encoder_hidden_states=states, output_attentions=True
        ).cross_attentions
    expected = np.stack([expected[layer][0, head, :, :700].numpy() for layer, head in HEADS])
    decoder = OnnxDecoder(weights, HEADS, 2)
    found = decoder.attention(decoder.hear(states[0].numpy()), TOKENS, 700)
    assert found.shape == (3, len(TOKENS), 700)
    assert np.abs(found - expected).max() < 1e-4 * expected.max()


def test_scores_are_those_of_transformers(small_whisper, write_folder):
    weights = NumpyWeights(read_index(write_folder() / "model.bin"))
    states = torch.randn(1, 1500, 128)
    with torch.inference_mode():
        hidden = small_whisper.model.decoder(
            torch.tensor([TOKENS]), encoder_hidden_states=states
        ).last_hidden_state
        expected = small_whisper.proj_out(hidden)[0].numpy()
    decoder = OnnxDecoder(weights, HEADS, 2)
    found = decoder.score(decoder.read(decoder.hear(states[0].numpy()), TOKENS))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("to", ["float32", "float16", "int8"])
def test_weights_are_those_that_torch_reads(write_folder, to):
    path = write_folder(to) / "model.bin"
    weights, model = NumpyWeights(read_index(path)), read_model(path)
    for name in ("decoder/layer_1/attention/linear_1/weight", "encoder/conv1/weight"):
        assert (weights.weight(name) == model.weight(name).numpy()).all()
    table = model.weight("decoder/embeddings/weight").numpy()
    assert (
        weights.rows("decoder/embeddings/weight", [3, 50_000, 3]) == table[[3, 50_000, 3]]
    ).all()
    assert weights.number("decoder/num_heads") == 2


def test_a_missing_variable_is_told(write_folder):
    weights = NumpyWeights(read_index(write_folder() / "model.bin"))
    with pytest.raises(ValueError, match="no variable 'decoder/layer_9"):
        weights.weight("decoder/layer_9/ffn/linear_0/weight")
