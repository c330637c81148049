"""Attention that adapters can change, through transformers' attention interface."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fusion.holder import ATTRIBUTE, Holder
from fusion.method import Adapter, Attention

NAME = "mcgurk"


def take_over_attention(model: nn.Module) -> None:
    """Let a model's attention ask the adapters at it; with none on it attends as before.

    Args:
        model: A transformers model, or a module that holds one.

    Raises:
        ValueError: It attends by other functions than scaled_dot_product_attention.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    for module in model.modules():
        config = getattr(module, "config", None)
        used = getattr(config, "_attn_implementation", None)
        if config is None or used is None or used == NAME:
            continue
        if used != "sdpa":
            raise ValueError(
                f"{type(module).__name__} attends by {used!r}; adapters of attention need 'sdpa'. "
                "Load the model with attn_implementation='sdpa'."
            )
        config._attn_implementation = NAME


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers' sdpa function, changed by the adapters that are on."""
    holder = module._modules.get(ATTRIBUTE)
    selection = holder.selection if isinstance(holder, Holder) else None
    if selection is None or selection.merged:
        return _attend([], query, key, value, attention_mask, module, settings), None
    assert isinstance(holder, Holder)
    if selection.rows is None:
        adapters = holder.on(selection.active, "attend")
        outputs = _attend(adapters, query, key, value, attention_mask, module, settings)
        return outputs, None
    outputs = None
    for keys, rows in selection.groups(len(query), query.device):
        mask = _pick(attention_mask, rows, len(query))
        ours = {k: _pick(v, rows, len(query)) for k, v in settings.items()}
        adapters = holder.on(keys, "attend")
        found = _attend(adapters, query[rows], key[rows], value[rows], mask, module, ours)
        if outputs is None:
            outputs = found.new_empty((len(query), *found.shape[1:]))
        outputs = outputs.index_copy(0, rows, found)
    assert outputs is not None
    return outputs, None


def _attend(
    adapters: list[Adapter],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    module: nn.Module,
    settings: dict[str, Any],
) -> Tensor:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    causal = settings.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal

    def run(key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        ours = dict(settings)
        bias = settings.get("position_bias")
        if bias is not None:
            ours["position_bias"] = pad(bias, (key.shape[2] - bias.shape[-1], 0))
        return sdpa_attention_forward(module, query, key, value, mask, **ours)[0]

    call = Attention(query, key, value, mask, bool(causal), run)
    plain = run(key, value, mask) if len(adapters) != 1 else None
    if plain is None:
        return adapters[0].attend(call)
    found = [adapter.attend(call) - plain for adapter in adapters]
    return plain + sum(found) if found else plain


def _pick(value: Any, rows: Tensor, batch: int) -> Any:
    sliced = isinstance(value, Tensor) and value.ndim == 4 and len(value) == batch
    return value[rows] if sliced else value


def with_prefix(call: Attention, keys: Tensor, values: Tensor) -> Tensor:
    """Attend to more keys in front, which every token sees.

    Args:
        call: The attention.
        keys: [heads, prefix, head_dim].
        values: The same.

    Returns:
        [batch, tokens, heads, head_dim].
    """
    batch, count = len(call.key), keys.shape[1]
    key = torch.cat([keys.expand(batch, -1, -1, -1), call.key], 2)
    value = torch.cat([values.expand(batch, -1, -1, -1), call.value], 2)
    mask = call.mask
    if mask is None and call.causal and call.query.shape[2] > 1:
        shape = (call.query.shape[2], call.key.shape[2])
        mask = torch.ones(shape, dtype=torch.bool, device=key.device).tril()[None, None]
    if mask is not None:
        mask = pad(mask, (count, 0), value=True if mask.dtype == torch.bool else 0.0)
    return call.run(key, value, mask)
