"""Attention that reads two sets of tokens side by side: those of a text, and those of sounds."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CROSS = ".attn2"  # what diffusers calls the cross-attention of a transformer block


class Prompt:
    """What a denoiser is told about each row; its keys and values are made once a sampling.

    The two sets are apart from the beginning, and never one tensor that is cut by a count: where
    there are only tokens of sounds, these are not taken for the text.

    Args:
        text: [rows, tokens, dim].
        audio: [rows, sources, dim], or None for no sounds at all.
        vector: The whole text as one vector, for MM-DiTs, [rows, vector_dim]; None for that of the
            empty text.

    Raises:
        ValueError: They differ in rows, or tokens in width.
    """

    def __init__(self, text: Tensor, audio: Tensor | None = None, vector: Tensor | None = None):
        if audio is not None and (audio.shape[0], audio.shape[-1]) != (
            text.shape[0],
            text.shape[-1],
        ):
            raise ValueError(
                f"Audio tokens are {list(audio.shape)} and text tokens {list(text.shape)}; "
                "expected as many rows, and one width."
            )
        if vector is not None and (vector.ndim != 2 or len(vector) != len(text)):
            raise ValueError(
                f"The text's vector is {list(vector.shape)} and its tokens {list(text.shape)}; "
                "expected [rows, vector_dim], and as many rows."
            )
        self.text, self.audio, self.vector = text, audio, vector
        self._kept: dict[nn.Module, Tensor] = {}
        self._taken: dict[tuple[int, ...], Prompt] = {}

    def take(self, rows: Tensor) -> "Prompt":
        """Return what some rows are told, by their numbers, [rows].

        Without gradients it is one object for the same rows, so that its keys and values are kept.
        """
        key = tuple(rows.tolist())
        if key in self._taken and not torch.is_grad_enabled():
            return self._taken[key]
        text, audio, vector = (
            one if one is None else one[rows.to(one.device)]
            for one in (self.text, self.audio, self.vector)
        )
        assert text is not None
        taken = Prompt(text, audio, vector)
        if not torch.is_grad_enabled():
            self._taken[key] = taken
        return taken

    def project(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        """Return what a layer makes of tokens; without gradients, of the first call.

        Args:
            layer: Makes keys or values.
            tokens: The text's or the sounds', always the same for one layer.
        """
        if torch.is_grad_enabled():
            return layer(tokens)
        if layer not in self._kept:
            self._kept[layer] = layer(tokens)
        return self._kept[layer]


class DecoupledAttention:
    """Takes the place of a cross-attention's arithmetic: the old attention plus one to sounds.

    It belongs to no module, so that the denoiser's own parameters stay what they were.

    Args:
        keys: Makes keys of the tokens of sounds.
        values: Makes their values.
        scale: What the attention to sounds counts, beside 1 for the old one.

    Source:
        IP-Adapter, section 3.2.2, arXiv 2308.06721; MACS, section 3.3, arXiv 2503.10287.
    """

    def __init__(self, keys: nn.Module, values: nn.Module, scale: float = 1.0):
        self.keys, self.values, self.scale = keys, values, scale

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        ip_hidden_states: Prompt | None = None,
    ) -> Tensor:
        """Attend; the names of arguments are diffusers'.

        Args:
            attn: The cross-attention, for its layers.
            hidden_states: Places of the picture, [rows, places, dim].
            encoder_hidden_states: Text tokens, read where there is no prompt.
            attention_mask: Which tokens of the text are read, as diffusers makes it; None for all.
            temb: Not read; the time is in the picture already.
            ip_hidden_states: All that is told.

        Returns:
            [rows, places, dim].
        """
        prompt = ip_hidden_states
        if prompt is None:
            text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
            prompt = Prompt(text)
        query = split_heads(attn.to_q(hidden_states), attn.heads)
        text = prompt.text
        found = attend(
            query,
            prompt.project(attn.to_k, text),
            prompt.project(attn.to_v, text),
            attention_mask,
        )
        if prompt.audio is not None and self.scale:
            audio = prompt.audio
            found = found + self.scale * attend(
                query, prompt.project(self.keys, audio), prompt.project(self.values, audio)
            )
        joined = found.transpose(1, 2).flatten(2)  # [rows, places, heads * dim]
        return attn.to_out[1](attn.to_out[0](joined))


def split_heads(values: Tensor, heads: int) -> Tensor:
    """Return [rows, heads, tokens, dim] of [rows, tokens, heads * dim]."""
    return values.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend with several heads.

    Args:
        query: [rows, heads, places, head_dim].
        keys: [rows, tokens, heads * head_dim].
        values: [rows, tokens, heads * head_dim].
        mask: As diffusers prepares it; None for all tokens.

    Returns:
        [rows, heads, places, head_dim].
    """
    heads = query.shape[1]
    if mask is not None:
        mask = mask.view(len(query), -1, mask.shape[-2], mask.shape[-1])
    return functional.scaled_dot_product_attention(
        query, split_heads(keys, heads), split_heads(values, heads), attn_mask=mask
    )


def cross_attentions(unet: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield each cross-attention of a denoiser by its name, in the denoiser's order."""
    for name, module in unet.named_modules():
        if name.endswith(CROSS):
            yield name, module


def add_audio(unet: nn.Module, scale: float = 1.0) -> tuple[nn.ModuleDict, nn.ModuleDict]:
    """Let each cross-attention of a denoiser read tokens of sounds as well.

    The new layers begin as copies of those that make the text's keys and values.

    Args:
        unet: diffusers' UNet2DConditionModel; its own weights stay as they are.
        scale: What the attention to sounds counts.

    Returns:
        The new layers for keys, and those for values, by the attention's name with "-" for dots.

    Raises:
        ValueError: It has no cross-attention, or one of another form.
    """
    keys, values = nn.ModuleDict(), nn.ModuleDict()
    for name, attention in cross_attentions(unet):
        check_plain(name, attention)
        key, value = (copy_linear(layer) for layer in (attention.to_k, attention.to_v))
        keys[name.replace(".", "-")], values[name.replace(".", "-")] = key, value
        attention.set_processor(DecoupledAttention(key, value, scale))
    if not keys:
        raise ValueError(
            f"A {type(unet).__name__} without cross-attention cannot be told sounds; expected one "
            "as Stable Diffusion 1.x has it."
        )
    return keys, values


def copy_linear(layer: nn.Linear) -> nn.Linear:
    """Return a new layer with the same weights, without bias, where the layer lies."""
    device, dtype = layer.weight.device, layer.weight.dtype
    new = nn.Linear(layer.in_features, layer.out_features, bias=False, device=device, dtype=dtype)
    with torch.no_grad():
        new.weight.copy_(layer.weight)
    return new


def check_plain(name: str, attention: Any) -> None:
    """Check that an attention is of the form that Stable Diffusion has.

    Raises:
        ValueError: It has norms of its own, or adds to what it read.
    """
    norms = ("norm_cross", "norm_q", "norm_k", "group_norm", "spatial_norm")
    odd = [norm for norm in norms if getattr(attention, norm, None) is not None]
    if attention.residual_connection or attention.rescale_output_factor != 1:
        odd.append("residual_connection")
    if odd:
        raise ValueError(
            f"The attention {name} has {', '.join(odd)}; expected the plain one of Stable "
            "Diffusion 1.x."
        )
