"""CorDA adapters become LoRA adapters that PEFT reads."""

import pytest
import torch
from peft import PeftModel

from fusion.adapters.interface import attach
from fusion.procedures.corda_to_lora import to_lora


def test_corda_becomes_a_lora_adapter_that_peft_reads(disturb, tmp_path, linear, calibrate_linear):
    model = linear()
    options = {"rank": 2, "alpha": 6.0}
    disturb(attach(model, "corda", options, ["0"], calibrate=calibrate_linear), "default")
    inputs = torch.randn(3, 4, 6)
    expected = model(inputs)
    adapters = to_lora(model, "default", "lora")
    assert adapters.active == ["lora"]
    torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-5)
    adapters.save(tmp_path, "lora")
    again = PeftModel.from_pretrained(linear(), str(tmp_path))
    torch.testing.assert_close(again(inputs), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="'lora' is no CorDA adapter"):
        to_lora(model, "lora", "other")
