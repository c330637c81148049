"""Texts become the mean of a model's states, whatever stands beside them."""

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from modalities.audio_text.sentence_vectors import embed_sentences
from modalities.audio_text.small_audio_text import build_small_audio_text

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bell", "rain", "of", "a", "drum"]


@pytest.fixture
def folder(tmp_path):
    """A tiny BERT with random weights."""
    torch.manual_seed(0)
    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(BertConfig(vocab_size=len(WORDS), **sizes)).save_pretrained(tmp_path)
    BertTokenizer(vocab={word: n for n, word in enumerate(WORDS)}).save_pretrained(tmp_path)
    return tmp_path


def test_a_vector_is_the_mean_of_the_states_of_its_words(folder):
    found = embed_sentences(["bell", "a drum of rain"], folder)
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model(input_ids=torch.tensor([[2, 5, 3]])).last_hidden_state[0].mean(0)
    torch.testing.assert_close(found["bell"], states / states.norm(), atol=1e-5, rtol=0)
    assert list(found) == ["bell", "a drum of rain"]


def test_the_vectors_make_the_table_of_a_small_embedding(folder):
    vectors = embed_sentences(["bell", "rain"], folder)
    small = build_small_audio_text(vectors, widths=(8,), mel_bins=8)
    assert small.dim == 16
    torch.testing.assert_close(small.embed_text(["rain"])[0], vectors["rain"])


def test_no_text_and_no_model_are_told(folder):
    with pytest.raises(ValueError, match="There is no text"):
        embed_sentences([], folder)
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="does not hold"):
        embed_sentences(["bell"], folder)
