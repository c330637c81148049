"""Settings for checkpoints that bring none of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modalities.speech.tokenizer import special_token
from modalities.speech.vocabulary import FIRST_MULTILINGUAL_VOCABULARY, LATEST_FIRST_TIMESTAMP

if TYPE_CHECKING:
    from transformers import GenerationConfig, WhisperConfig, WhisperTokenizer

BLANK = 220  # a space alone

Heads = Sequence[tuple[int, int]]


def build_config(sizes: dict[str, int], tokenizer: "WhisperTokenizer") -> "WhisperConfig":
    """Complete a model's sizes with the numbers of the special tokens.

    Args:
        sizes: Under the names of WhisperConfig.
        tokenizer: Knows the special tokens.

    Raises:
        ValueError: The vocabulary lacks one.
    """
    from transformers.models.whisper.configuration_whisper import WhisperConfig

    end = special_token(tokenizer, "<|endoftext|>")
    start = special_token(tokenizer, "<|startoftranscript|>")
    tokens = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    return WhisperConfig.from_dict({**sizes, **tokens, "decoder_start_token_id": start})


def build_generation_config(
    config: "WhisperConfig",
    tokenizer: "WhisperTokenizer",
    alignment_heads: Heads | None = None,
    suppressed: Sequence[int] | None = None,
    suppressed_at_start: Sequence[int] | None = None,
) -> "GenerationConfig":
    """Complete what is known with what the vocabulary and the sizes tell.

    Args:
        config: Sizes; vocabularies of 51865 tokens and more are multilingual.
        tokenizer: Knows the numbers of the special tokens.
        alignment_heads: (layer, head) whose attention follows the sound; None takes all heads
            of the upper half of the decoder.
        suppressed: Tokens that are never said; None takes Whisper's usual list.
        suppressed_at_start: Tokens that never come first; None takes blank and end of text.

    Source:
        generation_config.json of openai/whisper-* on the Hugging Face hub.
    """
    from transformers.generation.configuration_utils import GenerationConfig

    multilingual = config.vocab_size >= FIRST_MULTILINGUAL_VOCABULARY
    end = special_token(tokenizer, "<|endoftext|>")
    suppressed = _unspoken(tokenizer, multilingual) if suppressed is None else suppressed
    languages = _languages(tokenizer) if multilingual else {}
    return GenerationConfig(
        max_length=config.max_target_positions,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=special_token(tokenizer, "<|startoftranscript|>"),
        prev_sot_token_id=special_token(tokenizer, "<|startofprev|>"),
        no_timestamps_token_id=special_token(tokenizer, "<|notimestamps|>"),
        max_initial_timestamp_index=LATEST_FIRST_TIMESTAMP,
        return_timestamps=False,
        is_multilingual=multilingual,
        suppress_tokens=list(suppressed),
        begin_suppress_tokens=list(
            (BLANK, end) if suppressed_at_start is None else suppressed_at_start
        ),
        alignment_heads=[list(pair) for pair in alignment_heads or _upper_heads(config)],
        **languages,
    )


def _unspoken(tokenizer: "WhisperTokenizer", multilingual: bool) -> list[int]:
    """Return the marks that stand for no speech, and the special tokens of the prompt."""
    from transformers.models.whisper.configuration_whisper import (
        NON_SPEECH_TOKENS,
        NON_SPEECH_TOKENS_MULTI,
    )

    names = ("<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|notimestamps|>")
    end, start, translate, last = (special_token(tokenizer, name) for name in names)
    marks = NON_SPEECH_TOKENS_MULTI if multilingual else NON_SPEECH_TOKENS
    return [*(mark for mark in marks if mark < end), start, *range(translate, last)]


def _languages(tokenizer: "WhisperTokenizer") -> dict[str, dict[str, int]]:
    tasks = {task: special_token(tokenizer, f"<|{task}|>") for task in ("translate", "transcribe")}
    first = special_token(tokenizer, "<|startoftranscript|>") + 1
    numbers = range(first, min(tasks.values()))
    tokens = {str(tokenizer.convert_ids_to_tokens(number)): number for number in numbers}
    return {"lang_to_id": tokens, "task_to_id": tasks}


def _upper_heads(config: "WhisperConfig") -> Heads:
    layers = range(config.decoder_layers // 2, config.decoder_layers)
    return [(layer, head) for layer in layers for head in range(config.decoder_attention_heads)]
