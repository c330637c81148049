"""The table of methods: what each is, and what it costs on one well-known model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from fusion.methods.catalog import METHODS
from fusion.papers.counts import PUBLISHED, Published
from fusion.procedures.sharing import count_together

MODEL = "whisper-small"
COLUMNS: tuple[str, ...] = (
    "method",
    "paper",
    "formula",
    "sites",
    f"trained parameters on {MODEL}",
    "mergeable",
    "per sample",
    "source",
)


@dataclass(frozen=True)
class MethodRow:
    """One method.

    Attributes:
        method: Its name.
        paper: Titles, years, arXiv numbers.
        formula: In one line.
        sites: The roles that it is put at by default.
        parameters: Trained on whisper-small with the default options.
        merges: Whether it can be added to the weights.
        per_row: Whether the rows of a batch can differ.
        code: "PEFT" or "ours".
    """

    method: str
    paper: str
    formula: str
    sites: str
    parameters: int
    merges: bool
    per_row: bool
    code: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table, as text."""
        marks = ("yes" if mark else "no" for mark in (self.merges, self.per_row))
        count = f"{self.parameters:,}"
        return (self.method, self.paper, self.formula, self.sites, count, *marks, self.code)


def method_rows() -> list[MethodRow]:
    """Describe every method, in the order of the table of methods."""
    model = _whisper_small()
    return [_row(name, model) for name in METHODS]


def to_markdown(rows: list[MethodRow]) -> str:
    """Write the rows as a table of Markdown."""
    lines = [COLUMNS]
    for row in rows:
        name, paper, formula, *rest = row.cells()
        lines.append((f"`{name}`", paper, f"`{formula}`", *rest))
    return _markdown(lines)


def counts_to_markdown(rows: Sequence[Published] = PUBLISHED) -> str:
    """Count the adapters of published rows, and write a table of Markdown."""
    lines: list[tuple[str, ...]] = [
        ("model", "row of the paper", "methods", "trained parameters", "printed there")
    ]
    for row in rows:
        methods = " + ".join(dict.fromkeys(f"`{part.method}`" for part in row.parts))
        adapters = row.attach()
        count = f"{count_together(adapters, adapters.names):,}"
        lines.append((row.model, row.row, methods, count, row.printed or "its formula"))
    return _markdown(lines)


def _markdown(lines: list[tuple[str, ...]]) -> str:
    head, *rest = lines
    safe = [tuple(cell.replace("|", "\\|") for cell in line) for line in rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ("---",) * len(head), *safe])


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
