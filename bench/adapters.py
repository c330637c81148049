"""Adapters: switching, mixing, merging, and PEFT's ways of doing the same."""

import copy
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.compare import Row, compare
from fusion.adapters.interface import Adapters, attach

FEW, MANY, MERGED_RUNS, MIXED = 2, 40, 200, 8


def rows(given: Namespace) -> list[Row]:
    """Time adapters of a random Whisper; weights do not matter for time."""
    with torch.inference_mode():
        return [*_switching(), *_sparse(), *_mixing(), *_merged(), *_saved()]


def build_whisper(dim: int, layers: int) -> nn.Module:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(0)
    heads = dim // 64
    config = WhisperConfig(
        d_model=dim, encoder_layers=layers, encoder_attention_heads=heads, encoder_ffn_dim=4 * dim
    )
    return WhisperEncoder(config).eval()


def with_adapters(
    model: nn.Module, method: str, count: int, where: list[str] | None = None
) -> Adapters:
    adapters = Adapters(model)
    for index in range(count):
        attach(model, method, where=where, name=f"set{index}")
        with torch.no_grad():
            for parameter in adapters.parameters(f"set{index}"):
                parameter.normal_(std=0.01)
    return adapters


def _switching() -> list[Row]:
    from peft import LoraConfig, get_peft_model

    few = with_adapters(build_whisper(384, 4), "lora", FEW)
    many = with_adapters(build_whisper(384, 4), "lora", MANY)
    config = LoraConfig(r=8, target_modules=["q_proj", "v_proj"])
    peft = get_peft_model(build_whisper(384, 4), config, "set0")  # type: ignore[arg-type]
    for index in range(1, MANY):
        peft.add_adapter(f"set{index}", config)

    def switch(use: Any, times: int) -> Any:
        def both() -> None:
            for _ in range(times // 2):
                use("set0")
                use("set1")

        return both

    def what(times: int) -> str:
        return f"{times} switches between LoRA adapters, {MANY} loaded"

    often, seldom = 20_000, 100
    return [
        compare(
            what(often), f"{FEW} loaded", switch(many.use, often), switch(few.use, often), "< 1.5"
        ),
        compare(
            what(seldom),
            "PEFT's set_adapter",
            switch(many.use, seldom),
            switch(peft.set_adapter, seldom),
            "",
        ),
    ]


def _sparse() -> list[Row]:
    from peft import LoraConfig, get_peft_model

    found = []
    config = LoraConfig(r=8, target_modules=["q_proj", "v_proj"])
    for dim in (1024, 2048):
        dense = get_peft_model(build_whisper(dim, 1), config)  # type: ignore[arg-type]
        for method in ("shira", "paca"):
            sparse = with_adapters(build_whisper(dim, 1), method, 1, ["q", "v"])
            found.append(
                compare(
                    f"q and v of a layer merged and unmerged, {method}, d {dim}",
                    "LoRA of rank 8, by PEFT",
                    lambda sparse=sparse: _in_and_out(sparse.merge, sparse.unmerge),
                    lambda dense=dense: _in_and_out(dense.merge_adapter, dense.unmerge_adapter),
                    "<= 0.2",
                )
            )
    return found


def _in_and_out(merge: Callable[[], None], unmerge: Callable[[], None]) -> None:
    for _ in range(5):
        merge()
        unmerge()


def _mixing() -> list[Row]:
    """One linear layer of 768, eight rows of one token each, as when eight users decode."""
    model = nn.Sequential(nn.Linear(768, 768))
    adapters = with_adapters(model, "lora", MIXED, where=["0"])
    hidden = torch.randn(MIXED, 1, 768)
    names = [f"set{index}" for index in range(MIXED)]

    def mixed() -> None:
        with adapters.rows(names):
            for _ in range(MERGED_RUNS):
                model(hidden)

    def alone() -> None:
        adapters.use("set0")
        for _ in range(MERGED_RUNS):
            model(hidden)

    return [
        compare(
            f"LoRA, d 768, {MIXED} rows of one token, each its own adapter",
            "one adapter for all",
            mixed,
            alone,
            "<= 1.5",
        )
    ]


def _merged() -> list[Row]:
    base = build_whisper(384, 4)
    merged = with_adapters(copy.deepcopy(base), "lora", 1)
    merged.merge()
    mel = torch.randn(1, 80, 3000)
    return [
        compare(
            "Whisper tiny's encoder with a merged LoRA, 30 s",
            "without adapters",
            lambda: merged.model(mel),
            lambda: base(mel),
            "<= 1.05",
            runs=15,
        )
    ]


def _saved() -> list[Row]:
    sizes = {}
    for method in ("paca", "lora"):
        model = nn.Sequential(nn.Linear(1024, 1024))
        with torch.inference_mode(mode=False):
            attach(model, method, {"rank": 8}, where=["0"])
            sizes[method] = saved_bytes(model, torch.randn(16, 100, 1024))
    return [
        Row(
            "saved for the backward pass, PaCA of rank 8, d 1024, 1600 tokens",
            "LoRA of rank 8",
            sizes["paca"] / 2**20,
            sizes["lora"] / 2**20,
            "MB",
            sizes["paca"] / sizes["lora"],
            "about r / d = 0.008",
        )
    ]


def saved_bytes(model: nn.Module, inputs: torch.Tensor) -> int:
    """Count what autograd keeps of a forward pass, parameters and buffers aside."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(inputs).sum().backward()
    return sum(kept.values())
