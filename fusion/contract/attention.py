"""Attention that adapters can change, through transformers' attention interface."""

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fusion.contract.holder import ATTRIBUTE, Holder
from fusion.contract.method import Adapter, Attention

NAMES = {"sdpa": "mcgurk", "eager": "mcgurk_eager"}


def take_over_attention(model: nn.Module) -> None:
    """Let a model's attention ask the adapters at it; with none on it attends as before.

    Args:
        model: A transformers model, or a module that holds one.

    Raises:
        ValueError: It attends by other functions than transformers' "sdpa" and "eager".
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask, sdpa_mask

    for used, mask in (("sdpa", sdpa_mask), ("eager", eager_mask)):
        AttentionInterface.register(NAMES[used], attend)
        AttentionMaskInterface.register(NAMES[used], mask)
    for module in model.modules():
        config = getattr(module, "config", None)
        used = getattr(config, "_attn_implementation", None)
        if config is None or used is None or used in NAMES.values():
            continue
        if used not in NAMES:
            raise ValueError(
                f"{type(module).__name__} attends by {used!r}; adapters of attention need 'sdpa' "
                "or 'eager'. Load the model with attn_implementation='sdpa'."
            )
        config._attn_implementation = NAMES[used]


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Attend as the model did before, changed by the adapters that are on."""
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
        with selection.narrowed(len(query), rows):
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
    function = _function_of(module)
    causal = settings.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    if mask is None and _is_eager(module):
        causal = False  # there all is seen

    def run(key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        ours = dict(settings)
        bias = settings.get("position_bias")
        if bias is not None:
            ours["position_bias"] = pad(bias, (key.shape[2] - bias.shape[-1], 0))
        return function(module, query, key, value, mask, **ours)[0]

    call = Attention(query, key, value, mask, bool(causal), run)
    plain = run(key, value, mask) if len(adapters) != 1 else None
    if plain is None:
        return adapters[0].attend(call).to(query.dtype)
    found = [adapter.attend(call) - plain for adapter in adapters]
    return (plain + sum(found)).to(query.dtype) if found else plain


def _is_eager(module: Any) -> bool:
    return module.config._attn_implementation == NAMES["eager"]


def _function_of(module: nn.Module) -> Any:
    """Return what the model would attend by itself; each family has its own eager function."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if not _is_eager(module):
        return sdpa_attention_forward
    return sys.modules[type(module).__module__].eager_attention_forward  # type: ignore[attr-defined]


def _pick(value: Any, rows: Tensor, batch: int) -> Any:
    sliced = isinstance(value, Tensor) and value.ndim == 4 and len(value) == batch
    return value[rows] if sliced else value


def with_prefix(call: Attention, keys: Tensor, values: Tensor) -> Tensor:
    """Attend to more keys in front, which every token sees.

    Args:
        call: The attention.
        keys: [heads, prefix, head_dim].
        values: [heads, prefix, head_dim], one for each of these keys.

    Returns:
        [batch, tokens, heads, head_dim].
    """
    batch, count = len(call.key), keys.shape[1]
    keys, values = keys.to(call.key.dtype), values.to(call.value.dtype)
    key = torch.cat([keys.expand(batch, -1, -1, -1), call.key], 2)
    value = torch.cat([values.expand(batch, -1, -1, -1), call.value], 2)
    mask = call.mask
    if mask is None and call.causal and call.query.shape[2] > 1:
        shape = (call.query.shape[2], call.key.shape[2])
        mask = torch.ones(shape, dtype=torch.bool, device=key.device).tril()[None, None]
    if mask is not None:
        mask = pad(mask, (count, 0), value=True if mask.dtype == torch.bool else 0.0)
    return call.run(key, value, mask)
