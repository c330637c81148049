"""Our token rules forbid what transformers' logits processors forbid."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from modalities.speech.constraints import TokenConstraints

VOCABULARY, END, NO_TIMESTAMPS = 80, 50, 59
CONFIG = GenerationConfig(
    suppress_tokens=[1, 2, 7, 52],
    begin_suppress_tokens=[3, 50],
    no_timestamps_token_id=NO_TIMESTAMPS,
    eos_token_id=END,
    bos_token_id=END,
    max_initial_timestamp_index=5,
)
text = st.lists(st.integers(8, 49), min_size=1, max_size=4)
time = st.integers(NO_TIMESTAMPS + 1, VOCABULARY - 1)


@st.composite
def said_tokens(draw) -> list[int]:
    """Give what Whisper may have said: timestamps that do not fall, in pairs around text."""
    times = sorted(draw(st.lists(time, max_size=5)))
    tokens: list[int] = []
    for index, stamp in enumerate(times):
        tokens += [stamp] if index == 0 else [stamp, stamp][: draw(st.integers(1, 2))]
        tokens += draw(text)
    return tokens[: draw(st.integers(0, len(tokens)))]


@settings(max_examples=200, deadline=None)
@given(said_tokens(), st.integers(0, 2**31), st.floats(0.1, 8))
def test_same_as_transformers(said, seed, spread):
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)) * spread
    prompt = torch.tensor([[51, *said]])
    expected = logits[None].clone()
    for processor in (
        SuppressTokensAtBeginLogitsProcessor(CONFIG.begin_suppress_tokens, begin_index=1),
        SuppressTokensLogitsProcessor(CONFIG.suppress_tokens),
        WhisperTimeStampLogitsProcessor(CONFIG, begin_index=1),
    ):
        expected = processor(prompt, expected)
    ours = TokenConstraints(CONFIG, torch.device("cpu")).apply(logits.clone(), said)
    assert torch.equal(ours, expected[0])
