"""Run AdapterHub's adapters on a small BERT and write what went in and what came out.

Run by the Python of an environment of its own, since it pins an old transformers:
`python adapterhub_reference.py OUT.safetensors`.
"""

import sys

import torch
from safetensors.torch import save_file


def main(path: str) -> None:
    from adapters import (
        BertAdapterModel,
        CompacterConfig,
        DoubleSeqBnConfig,
        ParBnConfig,
        PrefixTuningConfig,
        SeqBnInvConfig,
    )
    from transformers import BertConfig

    configs = {
        "houlsby": DoubleSeqBnConfig(reduction_factor=8),
        "parallel": ParBnConfig(reduction_factor=8),
        "invertible": SeqBnInvConfig(reduction_factor=8, original_ln_before=False),
        "prefix": PrefixTuningConfig(prefix_length=3, flat=True),
        "compacter": CompacterConfig(
            reduction_factor=8, phm_dim=2, factorized_phm_W=False, shared_phm_rule=False
        ),
    }
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    tokens = torch.randint(0, 99, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(tokens)
    mask[0, 5:] = 0
    tensors = {"tokens": tokens, "mask": mask}
    torch.manual_seed(0)
    model = BertAdapterModel(BertConfig(**sizes, vocab_size=99, max_position_embeddings=16)).eval()
    for name, value in model.bert.state_dict().items():
        tensors[f"base.{name}"] = value.clone()
    for name, config in configs.items():
        model.add_adapter(name, config=config)
        model.set_active_adapters(name)
        with torch.no_grad():
            for path_, parameter in model.bert.named_parameters():
                if f".{name}." in f"{path_}.":
                    parameter.normal_(std=0.1)
                    tensors[f"{name}.weights.{path_}"] = parameter.clone()
            output = model.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        tensors[f"{name}.output"] = output
        model.set_active_adapters(None)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)


if __name__ == "__main__":
    main(sys.argv[1])
