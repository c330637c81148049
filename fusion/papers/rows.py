"""Compute the table of methods and that of published counts."""

from dataclasses import fields

import torch
from torch import nn

from fusion.methods.catalog import METHODS
from fusion.papers.counts import PUBLISHED
from fusion.papers.models import Published
from fusion.papers.table import CountRow, MethodRow
from fusion.procedures.sharing import count_together


def method_rows() -> list[MethodRow]:
    """Describe every method, in the order of the table of methods."""
    model = _whisper_small()
    return [_row(name, model) for name in METHODS]


def count_rows() -> list[CountRow]:
    """Attach what the published rows say, and count it."""
    return [_count_row(row) for row in PUBLISHED]


def _count_row(row: Published) -> CountRow:
    adapters = row.attach()
    methods = tuple(dict.fromkeys(part.method for part in row.parts))
    count = count_together(adapters, adapters.names)
    return CountRow(row.model, row.row, methods, count, row.printed)


def _row(name: str, model: nn.Module) -> MethodRow:
    method = METHODS[name]
    return MethodRow(
        method=name,
        paper=method.title,
        formula=method.formula,
        sites=", ".join(method.where_of(method.Options())),
        parameters=_count(name, model),
        merges=method.merges,
        per_row=method.per_sample,
        code=method.code,
        options=tuple(option.name for option in fields(method.Options)),
    )


def _count(name: str, model: nn.Module) -> int:
    """Count by the closed form; nothing is attached."""
    method = METHODS[name]
    options = method.Options()
    sites = method.sites_in(model, name, options)
    return method.count_shared(sites, options) + sum(method.count(s, options) for s in sites)


def _whisper_small() -> nn.Module:
    from transformers import WhisperConfig, WhisperModel

    config = WhisperConfig(
        d_model=768,
        encoder_layers=12,
        decoder_layers=12,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
    )
    with torch.device("meta"):
        return WhisperModel(config)
