"""Small BARTs and T5s with random weights, and a tokenizer of a few words for each."""

from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from modalities.vision_language.vl_files import random_vision_language
from modalities.vision_language.vl_model import VisionLanguage

WORDS = "what colour is the car ? red blue true false vqa : nlvr caption a an one two".split()
QUESTIONS = ["what colour is the car ?", "the car is red", "a blue car"]
MARKS = {
    "bart": dict(bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"),
    "t5": dict(pad_token="<pad>", eos_token="</s>", unk_token="<unk>"),
}
SIZES: dict[str, dict[str, Any]] = {
    "bart": dict(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=24,
    ),
    "t5": dict(d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2),
}
FEATURE_DIM = 12
FAMILIES = ["bart", "t5"]


def small_tokenizer(family: str) -> PreTrainedTokenizerFast:
    marks = list(MARKS[family].values())
    words = {word: number for number, word in enumerate([*marks, *WORDS])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    begin = "<s> " if family == "bart" else ""
    ends = [(mark, words[mark]) for mark in ("<s>", "</s>") if mark in words]
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[assignment]
        single=f"{begin}$A </s>", special_tokens=ends
    )
    if family == "t5":  # has the first hundred of the added tokens already
        names = [f"<extra_id_{number}>" for number in reversed(range(100))]
        tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **MARKS[family])


def build(family: str, seed: int = 0, **changes: Any) -> VisionLanguage:
    """Build a small model whose weights are large enough for all parts to be seen in its output."""
    config = {**SIZES[family], **changes}
    if family == "bart":
        config.setdefault("init_std", 0.3)
    return random_vision_language(
        family, small_tokenizer(family), config, feature_dim=FEATURE_DIM, seed=seed
    )


def features_of(rows: int, tokens: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(rows, tokens, FEATURE_DIM, generator=torch.Generator().manual_seed(seed))
