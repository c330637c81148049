"""A picture and a partner, as its edges, are denoised side by side and read each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.branches import first_input, key_of
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.low_rank import Lora
from fusion.conditions.unet import self_attentions
from fusion.contract.options import check_choice
from modalities.diffusion.decoupled import (
    Prompt,
    attend,
    check_plain,
    cross_attentions,
    split_heads,
)

FACES = ("q", "k", "v", "out")
EACH, BOTH = "each", "both"  # how what was found is joined: each by itself, or both together


@dataclass(frozen=True)
class JointOptions:
    """How a picture and its partner read each other.

    Attributes:
        rank: Width between the two matrices that change a layer.
        alpha: A change counts alpha / rank.
        joined: "each" where what both found goes through one layer by itself, "both" where it goes
            through one together, so that places at the same spot meet.
        partner: Whether layers change for the partner alone, which need not look natural.
    """

    rank: int = 64
    alpha: float = 64.0
    joined: str = BOTH
    partner: bool = True

    def __post_init__(self):
        check_counts(self, "rank")
        check_choice("joined", self.joined, (EACH, BOTH))


class JointAttention(nn.Module):
    """Each side attends to the other, with the frozen weights of a self-attention.

    The published code copies those weights; they are the same, so here they are read where they
    are, and neither held nor stored.

    Args:
        attention: diffusers' Attention, for its sizes.
        options: Ranks, and how both are joined.
    """

    def __init__(self, attention: Any, options: JointOptions):
        super().__init__()
        layers = _layers(attention)
        self.strength = options.alpha / options.rank
        # One set for what the picture asks of its partner, one for what the partner asks.
        self.sides = nn.ModuleList(
            nn.ModuleDict({face: Lora(layers[face], options.rank) for face in FACES})
            for _ in range(2)
        )
        self.both = options.joined == BOTH
        dim = layers["out"].out_features * (2 if self.both else 1)
        self.join = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.join.weight)

    def forward(self, attention: Any, states: Tensor) -> Tensor:
        """Return what is to be added to both, [batch, places, dim].

        Args:
            attention: Whose weights are read.
            states: What it reads, all pictures before all partners, [batch, places, dim].
        """
        layers = _layers(attention)
        asks = self._run(layers["q"], states, "q", asked=False)
        keys = self._run(layers["k"], states, "k", asked=True)
        values = self._run(layers["v"], states, "v", asked=True)
        half = len(states) // 2
        other = attend(split_heads(asks, attention.heads), keys.roll(half, 0), values.roll(half, 0))
        joined = other.transpose(1, 2).flatten(2)
        found = self._run(layers["out"], joined, "out", asked=False)
        if not self.both:
            return self.join(found)
        picture, partner = found.chunk(2)
        return torch.cat(self.join(torch.cat([picture, partner], -1)).chunk(2, -1))

    def _run(self, layer: nn.Linear, states: Tensor, face: str, asked: bool) -> Tensor:
        """Apply a frozen layer and its changes; what is asked of a side has the other's set."""
        first, second = reversed(self.sides) if asked else self.sides
        picture, partner = states.chunk(2)
        changes: Any = first, second
        change = torch.cat([changes[0][face](picture), changes[1][face](partner)])
        # By its weights: hooks on the layer, as those for the partner alone, are not for this.
        return functional.linear(states, layer.weight, layer.bias) + self.strength * change


class JointPair(Injector):
    """Denoises a partner beside each picture; self-attentions read the other one as well.

    One injector makes a picture of its partner, a partner of its picture, or both at once: the
    denoiser is called with pictures at their time, and told a partner with its own. Where both are
    painted, `told_of_partner` has what the denoiser said of the partner.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: Ranks, and how both are joined.

    Attributes:
        told_of_partner: What the denoiser told of partners at the last step, as of pictures.

    Raises:
        ValueError: Another denoiser, or one without self-attention of the right form.

    Source:
        UniCon, arXiv 2410.11439.
    """

    Options = JointOptions
    doubles = True

    def __init__(self, model: Any, options: JointOptions):
        super().__init__(model, options)
        self.joints, self.partner = nn.ModuleDict(), nn.ModuleDict()
        for name, attention in self_attentions(model):
            check_plain(name, attention)
            self.joints[key_of(name)] = JointAttention(attention, options)
        if not self.joints:
            raise ValueError("The denoiser has no self-attention; expected Stable Diffusion's.")
        if options.partner:
            for name, attention in (*self_attentions(model), *cross_attentions(model)):
                self.partner[key_of(name)] = nn.ModuleDict(
                    {face: Lora(layer, options.rank) for face, layer in _layers(attention).items()}
                )
        self.told_of_partner: Tensor | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The partner's latents, with their noise."""
        return ("latent",)

    @property
    def may_take(self) -> tuple[str, ...]:
        """The tokens of its text; else those of the picture's."""
        return ("tokens",)

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Return the partner's latents, times and text.

        Raises:
            ValueError: It has another size than the pictures.
        """
        latents, pictures = conditions["latent"], host.step.pictures
        if latents.data.shape[1:] != pictures.shape[1:]:
            given, expected = (list(value.shape[1:]) for value in (latents.data, pictures))
            raise ValueError(
                f"The latent {latents.name!r} is {given}; expected {expected}, as the picture."
            )
        times = latents.times
        made = {"latents": latents.data, "times": latents.data.new_zeros(latents.rows)}
        if times is not None:
            made["times"] = times
        if "tokens" in conditions:
            made["text"] = conditions["tokens"].data
        return made

    def before(self, step: Step) -> None:
        """Let the denoiser run all partners after all pictures.

        Raises:
            ValueError: The partner's text has other sizes than the picture's.
        """
        told, batch = self.told, len(step.pictures)
        assert told is not None and told.values is not None
        times = step.times.expand(batch)
        doubled = step.take(torch.arange(batch).repeat(2))
        for name, value in doubled.items():
            if name.endswith(("residual", "residuals")) and value is not None:
                doubled[name] = _for_pictures(value)
        take = {name: told.spread(value, batch) for name, value in told.values.items()}
        doubled["sample"] = torch.cat([step.pictures, take["latents"].to(step.pictures)])
        doubled["timestep"] = torch.cat([times, take["times"].to(times)])
        if "text" in take:
            _tell_partner(doubled, take["text"], batch)
        step.arguments = doubled

    def after(self, output: Tensor) -> Tensor:
        """Return what is told of the pictures, and keep what is told of the partners."""
        pictures, self.told_of_partner = output.chunk(2)
        return pictures

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each self-attention, and on each layer that changes for the partner."""
        joints: Any = self.joints
        handles = [
            attention.register_forward_hook(
                partial(self._join, joints[key_of(name)]), with_kwargs=True
            )
            for name, attention in self_attentions(model)
        ]
        for name, attention in (*self_attentions(model), *cross_attentions(model)):
            changes: Any = self.partner[key_of(name)] if self.options.partner else {}
            layers = _layers(attention)
            for face in changes:
                change = partial(self._change, changes[face])
                handles.append(layers[face].register_forward_hook(change))
        return handles

    def _join(
        self, joint: JointAttention, attention: Any, args: tuple, kwargs: dict, output: Tensor
    ) -> Tensor:
        if not self.on:
            return output
        assert self.told is not None
        return output + self.told.scale * joint(attention, first_input(args, kwargs))

    def _change(self, change: Lora, layer: Any, args: tuple, output: Tensor) -> Tensor:
        if not self.on:
            return output
        strength = self.options.alpha / self.options.rank
        half = len(output) // 2
        return torch.cat([output[:half], output[half:] + strength * change(args[0][half:])])


def _layers(attention: Any) -> dict[str, nn.Linear]:
    return {
        "q": attention.to_q,
        "k": attention.to_k,
        "v": attention.to_v,
        "out": attention.to_out[0],
    }


def _for_pictures(value: Any) -> Any:
    """Let residuals, which are for pictures, be 0 for partners."""
    if isinstance(value, list | tuple):
        return type(value)(_for_pictures(one) for one in value)
    if not value.ndim:
        return value
    half = len(value) // 2
    return torch.cat([value[:half], torch.zeros_like(value[half:])])


def _tell_partner(arguments: dict[str, Any], text: Tensor, batch: int) -> None:
    """Give partners, the second half of a batch, a text of their own."""
    own = arguments["encoder_hidden_states"]
    if own[batch:].shape != text.shape:
        raise ValueError(
            f"The partner's text is {list(text.shape[1:])}; expected {list(own.shape[1:])}, as the "
            "picture's."
        )
    joined = torch.cat([own[:batch], text.to(own)])
    arguments["encoder_hidden_states"] = joined
    others = arguments.get("cross_attention_kwargs") or {}
    prompt = others.get("ip_hidden_states")
    if isinstance(prompt, Prompt):
        told = Prompt(joined, prompt.audio)
        arguments["cross_attention_kwargs"] = {**others, "ip_hidden_states": told}
