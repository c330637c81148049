"""Features of a ControlNet for one denoiser are mapped to those of another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.conditions.backbones import build_control_net
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.unet import add_residuals, skipped_widths
from modalities.diffusion.diffusers_package import import_diffusers

SKIPPED, MIDDLE = "down_block_additional_residuals", "mid_block_additional_residual"


@dataclass(frozen=True)
class MapperOptions:
    """How features are mapped.

    Attributes:
        source: A name of `CONTROL_NETS`, or the folder of a ControlNet that diffusers saved: whose
            features they are.
        places: How many are mapped, from the largest; 0 for all that both have.
        middle: Whether that between encoder and decoder is mapped, too.
        blocks: How many a mapping has, each a residual block and a transformer.
        heads: How many each attention of the transformer has.
        groups: Parts of the channels that each group norm looks at.
        larger: How many times as high and wide the latents are as those of the source.
        pixels: Side of the block of pixels that is one place of the latents.
        source_times: How many times the noise of the source has.
        target_times: How many the denoiser's has.
        skip_latents: Whether the source sees the map alone, and not the noisy picture.
    """

    source: str = "sd15"
    places: int = 9
    middle: bool = False
    blocks: int = 1
    heads: int = 8
    groups: int = 32
    larger: int = 2
    pixels: int = 8
    source_times: int = 1000
    target_times: int = 1000
    skip_latents: bool = False

    def __post_init__(self):
        counts = "blocks", "heads", "groups", "larger", "pixels", "source_times", "target_times"
        check_counts(self, *counts)
        if self.places < 0:
            raise ValueError(f"Option 'places' is {self.places}; expected 0 for all, or more.")


class FeatureMap(nn.Module):
    """Makes a feature of one denoiser of a feature of another.

    Args:
        channels: How many the feature that is read has.
        width: How many channels the feature that is made has.
        time_dim: Width of the time's embedding.
        token_dim: Width of the denoiser's text.
        options: Blocks, heads and groups.
    """

    def __init__(
        self, channels: int, width: int, time_dim: int, token_dim: int, options: MapperOptions
    ):
        super().__init__()
        models: Any = import_diffusers().models
        self.residual, self.attention = nn.ModuleList(), nn.ModuleList()
        for number in range(options.blocks):
            self.residual.append(
                models.resnet.ResnetBlock2D(
                    in_channels=width if number else channels,
                    out_channels=width,
                    temb_channels=time_dim,
                    groups=options.groups,
                )
            )
            self.attention.append(
                models.transformers.Transformer2DModel(
                    num_attention_heads=options.heads,
                    attention_head_dim=width // options.heads,
                    in_channels=width,
                    cross_attention_dim=token_dim,
                    norm_num_groups=options.groups,
                )
            )
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, time: Tensor, text: Tensor, larger: int) -> Tensor:
        """Return [rows, width, larger * height, larger * width].

        Args:
            features: [rows, channels, height, width].
            time: Its embedding, [rows, time_dim].
            text: Tokens, [rows, tokens, token_dim].
            larger: How many times as high and wide the denoiser's features are.
        """
        for residual, attention in zip(self.residual, self.attention, strict=True):
            features = attention(residual(features, time), text, return_dict=False)[0]
        if larger > 1:
            features = functional.interpolate(features, scale_factor=larger, mode="nearest")
        return self.out(features)


class FeatureMapper(Injector):
    """Lets a denoiser use a frozen ControlNet that was trained for another one.

    The ControlNet runs at each step, at the time that is as far into its own noise.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: Sizes.

    Attributes:
        source: The ControlNet, of the folder's weights, or of random ones until `load_source` gives
            it others.

    Raises:
        ValueError: Another denoiser, or features that it does not have.

    Source:
        Ctrl-Adapter, arXiv 2404.09967; the layer of zeros at the end is ours.
    """

    Options = MapperOptions
    elsewhere = ("source.",)
    each_step = True

    def __init__(self, model: Any, options: MapperOptions):
        super().__init__(model, options)
        self.source = build_control_net(options.source)
        given, wanted = skipped_widths(self.source), skipped_widths(model)
        most = min(len(given), len(wanted))
        if options.places > most:
            raise ValueError(f"places is {options.places}; expected up to {most} for both models.")
        self.skipped = len(wanted)
        embeddings = import_diffusers().models.embeddings
        first, token_dim = wanted[0], model.config.cross_attention_dim
        self.frequencies = embeddings.Timesteps(first, True, 0)
        self.time = embeddings.TimestepEmbedding(first, 4 * first)
        pairs = list(zip(given, wanted, strict=False))[: options.places or most]
        if options.middle:
            pairs.append((given[-1], wanted[-1]))
        self.widths = tuple(width for _, width in pairs)
        self.maps = nn.ModuleList(
            FeatureMap(channels, width, 4 * first, token_dim, options) for channels, width in pairs
        )

    @property
    def places(self) -> Mapping[str, int]:
        """Those of the denoiser's decoder that are mapped to, from the largest."""
        return {str(number): width for number, width in enumerate(self.widths)}

    @property
    def needs(self) -> tuple[str, ...]:
        """A map, and the tokens of the text as the source reads it."""
        return ("map", "tokens")

    def load_source(self, control_net: Any) -> None:
        """Take the weights of a trained ControlNet.

        Args:
            control_net: diffusers' ControlNetModel.

        Raises:
            ValueError: It has other sizes than the one that this was built for.
        """
        own, given = self.source.state_dict(), control_net.state_dict()
        odd = [name for name in own if name not in given or given[name].shape != own[name].shape]
        if odd or len(own) != len(given):
            raise ValueError(
                f"The ControlNet has other sizes than {self.options.source!r}, as at "
                f"{(odd or [min(set(given) - set(own))])[0]}; expected those of that name."
            )
        self.source.load_state_dict(given)

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds or widths that the source does not read.
        """
        super().check(conditions)
        expected = {"map": self.source.config.conditioning_channels}
        expected["tokens"] = self.source.config.cross_attention_dim
        for kind, axis in (("map", 1), ("tokens", 2)):
            given = conditions[kind].data.shape[axis]
            if given != expected[kind]:
                raise ValueError(
                    f"The {kind} {conditions[kind].name!r} has {given} channels; expected "
                    f"{expected[kind]}, as the ControlNet {self.options.source!r} reads them."
                )

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Run the source on the map at this step, and map what it tells; a row for each picture.

        Raises:
            ValueError: The map or the latents are not of the right size.
        """
        step, options, told = host.step, self.options, self.told
        assert told is not None
        batch = len(step.pictures)
        picture = told.spread(self._shrink(conditions["map"], step.pictures), batch)
        tokens = told.spread(conditions["tokens"].data, batch)
        times = step.times.expand(batch)
        features, middle = self._run_source(step.pictures, times, tokens, picture)
        time = self.time(self.frequencies(times).to(self.time.linear_1.weight.dtype))
        text = step.text
        assert text is not None
        read = features[: len(self.maps) - int(options.middle)] + [middle] * options.middle
        return {
            str(number): layers(feature, time, text, options.larger)
            for number, (layers, feature) in enumerate(zip(self.maps, read, strict=True))
        }

    def _shrink(self, given: Condition, latents: Tensor) -> Tensor:
        side = self.options.pixels
        height, width = (side * length for length in latents.shape[2:])
        if tuple(given.data.shape[2:]) != (height, width):
            raise ValueError(
                f"The map {given.name!r} is {given.data.shape[2]} x {given.data.shape[3]} pixels; "
                f"expected {height} x {width}, as the picture that is painted."
            )
        halvings = len(self.source.config.block_out_channels) - 1
        multiple = side * self.options.larger * 2**halvings
        if height % multiple or width % multiple:
            raise ValueError(
                f"The map {given.name!r} is {height} x {width} pixels; expected multiples of "
                f"{multiple}, so that features fit."
            )
        return functional.interpolate(given.data, scale_factor=1 / self.options.larger)

    @torch.no_grad()
    def _run_source(
        self, latents: Tensor, times: Tensor, tokens: Tensor, picture: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        options, channels = self.options, self.source.config.in_channels
        seen = functional.interpolate(latents, scale_factor=1 / options.larger)
        handle = None
        if options.skip_latents:
            seen = seen.new_zeros(len(seen), channels, *seen.shape[2:])
            handle = self.source.conv_in.register_forward_hook(lambda *call: 0 * call[2])
        elif latents.shape[1] != channels:
            raise ValueError(
                f"The ControlNet {options.source!r} reads latents of {channels} channels, and the "
                f"denoiser has {latents.shape[1]}; set skip_latents."
            )
        own = (times.double() * options.source_times / options.target_times).round()
        own = own.clamp(max=options.source_times - 1).to(times.dtype)
        try:
            found, middle = self.source(seen, own, tokens, picture, return_dict=False)
        finally:
            if handle is not None:
                handle.remove()
        return list(found), middle

    def before(self, step: Step) -> None:
        """Hand the mapped features to the denoiser's decoder.

        diffusers pairs them with its own until one list ends, and drops the rest of its own, so
        that there is one for each, of 0 where nothing is mapped.
        """
        told, options = self.told, self.options
        assert told is not None and told.values is not None
        nothing = step.pictures.new_zeros(())
        features = [
            told.weight(str(n)) * told.values[str(n)].to(nothing) for n in range(len(self.maps))
        ]
        middle = features.pop() if options.middle else nothing
        features += [nothing] * (self.skipped - len(features))
        add_residuals(step.arguments, SKIPPED, features)
        there = step.arguments.get(MIDDLE)
        step.arguments[MIDDLE] = middle if there is None else there + middle
