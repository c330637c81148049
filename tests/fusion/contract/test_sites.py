"""Sites that decode are known, and layers are counted from both ends."""

import pytest
import torch

from fusion.adapters.interface import attach
from fusion.papers.models import MODELS


@pytest.mark.parametrize("method", ["convpass", "conformer"])
def test_convolutions_stay_out_of_decoders(build, disturb, method):
    model = build("bart")
    adapters = attach(model, method)
    disturb(adapters, "default")
    assert {name.split(".")[0] for name in adapters.named_parameters("default")} == {"encoder"}
    words = torch.arange(3, 9).expand(1, -1)
    later = words.clone()
    later[:, -1] = 50
    first, second = (
        model(input_ids=words, decoder_input_ids=tokens).last_hidden_state
        for tokens in (words, later)
    )
    torch.testing.assert_close(first[:, :-1], second[:, :-1])
    assert not torch.allclose(first[:, -1], second[:, -1])


@pytest.mark.parametrize("method", ["convpass", "conformer"])
def test_a_model_that_only_decodes_has_no_place_for_convolutions(method):
    from transformers import LlamaConfig, LlamaModel

    sizes = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
    with pytest.raises(ValueError, match=f"Method '{method}' fits none of the"):
        attach(LlamaModel(LlamaConfig(**sizes, vocab_size=99)), method)


def test_layers_are_counted_from_both_ends():
    with torch.device("meta"):
        model = MODELS["AST"]()
    adapters = attach(model, "lora", {"rank": 6}, ("q",), layers=[0, -1])
    assert adapters.count("default") == 110_592 // 6
    with pytest.raises(ValueError, match="No layer 12; there are 12"):
        attach(model, "lora", layers=[12], name="other")
