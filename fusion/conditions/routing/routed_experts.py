"""Experts beside a frozen FLUX, each by one condition, that a router mixes for each token."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.flux_stream import flux_blocks
from fusion.conditions.routing.edit_mask import GROW, NONE, SIGNED
from fusion.conditions.routing.experts import (
    BASE,
    EXPERTS,
    MASK,
    REFERENCE,
    Seen,
    Sizes,
)
from fusion.conditions.routing.losses import Watched
from fusion.conditions.routing.routed_layer import SAMPLE, STATIC, TOKEN, Flow, RoutedLayer
from fusion.conditions.token_branch import picture_grid
from fusion.contract.options import check_choice
from fusion.routing.subsets import check_count
from fusion.routing.weight_rules import SoftmaxTopK
from modalities.diffusion.networks import FLUX

# What tells each expert; the text is the denoiser's own.
TOLD = {BASE: "latent", REFERENCE: "tokens", MASK: "map"}


@dataclass(frozen=True)
class RoutedOptions:
    """How experts are built and mixed.

    Attributes:
        experts: Names of `EXPERTS`.
        every: They stand behind each block whose number, from 1, is a multiple of this.
        heads: How many heads, as wide as the denoiser's, an expert reckons with.
        routing: "token" where each token is weighed by itself, "sample" where all of a picture are
            weighed alike, "static" where each layer has learned weights that read nothing.
        k: How many experts are kept of all.
        temperature: What scores are divided by, above 0; training may begin with another, see
            `RoutedExperts.anneal`.
        first_temperature: That of the beginning of a training.
        smoothing: What the scores of the layer before count beside a layer's own, 0 to below 1.
        shared: An expert that all tokens have, beside their own; "" for none.
        shared_weight: Its part of all weight.
        key_dim: Width of what a router reads of a token.
        hidden: Width of a router's layer for each expert.
        task_dim: Width of the vector that tells the task; 0 for none.
        repaint: "grow" or "signed" for how masks change from layer to layer, or "none".
        mixture: Whether the last layer mixes experts as maps, with a gate, in place of a router.
        patch: Side of the blocks of latents that are one token.
        reference_dim: Width of a reference's tokens; 0 for that of packed latents.
    """

    experts: tuple[str, ...] = EXPERTS
    every: int = 3
    heads: int = 1
    routing: str = TOKEN
    k: int = 3
    temperature: float = 1.0
    first_temperature: float = 2.0
    smoothing: float = 0.5
    shared: str = BASE
    shared_weight: float = 0.1
    key_dim: int = 64
    hidden: int = 64
    task_dim: int = 0
    repaint: str = GROW
    mixture: bool = True
    patch: int = 2
    reference_dim: int = 0

    def __post_init__(self):
        check_counts(self, "every", "heads", "k", "key_dim", "hidden", "patch")
        check_choice("repaint", self.repaint, (GROW, SIGNED, NONE))
        check_choice("routing", self.routing, (TOKEN, SAMPLE, STATIC))
        for name in self.experts:
            check_choice("experts", name, EXPERTS)
        if len(set(self.experts)) < len(self.experts) or BASE not in self.experts:
            raise ValueError(
                f"experts are {', '.join(self.experts) or 'none'}; expected {BASE!r} and others, "
                "each once."
            )
        if self.shared:
            check_choice("shared", self.shared, self.experts)
        check_count(self.k, len(self.experts))
        SoftmaxTopK(self.k, min(self.temperature, self.first_temperature))  # both above 0
        for name in ("smoothing", "shared_weight"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 to below 1.")
        if min(self.task_dim, self.reference_dim) < 0:
            raise ValueError("task_dim and reference_dim are 0 or more.")


class RoutedExperts(Injector):
    """Lets experts change the tokens of the picture in FLUX, as a router weighs them.

    Each adds what it makes of one condition: text (the denoiser's own), mask (told as a map, 0 to
    1, of any size), reference (told as tokens) and base, the picture that is edited (told as
    latents). One that is told at scale 0 is dropped: the router mixes the others.

    Args:
        model: diffusers' FluxTransformer2DModel.
        options: Experts, router and sizes.

    Attributes:
        temperature: What routers divide scores by now.

    Raises:
        ValueError: Another denoiser, or sizes that do not fit it.

    Source:
        CARE-Edit, arXiv 2603.08589. Where a block "before the projection" is, is not said: experts
        change what a block returns.
    """

    Options = RoutedOptions
    backbones = (FLUX,)

    def __init__(self, model: Any, options: RoutedOptions):
        super().__init__(model, options)
        config = model.config
        self.width = config.in_channels
        if self.width % options.patch**2:
            raise ValueError(f"patch is {options.patch}; this denoiser's tokens are {self.width}.")
        names = [name for name, _ in flux_blocks(model)][options.every - 1 :: options.every]
        if len(names) < (least := 1 + options.mixture):
            raise ValueError(
                f"every is {options.every}, so that experts stand behind {len(names)} blocks; "
                f"expected {least} or more."
            )
        self.sizes = Sizes(
            dim=model.inner_dim,
            heads=options.heads,
            head_dim=config.attention_head_dim,
            base_dim=self.width,
            reference_dim=options.reference_dim or self.width,
        )
        self.blocks = tuple(names)
        self.layers = nn.ModuleList(
            RoutedLayer(self.sizes, options, mixes=options.mixture and name == names[-1])
            for name in names
        )
        self.temperature = options.temperature
        self._flow = Flow()
        self._watched: Watched | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """What tells its experts, and a vector where it knows tasks."""
        told = tuple(TOLD[name] for name in self.options.experts if name in TOLD)
        return (*told, "vector") if self.options.task_dim else told

    def anneal(self, progress: float) -> None:
        """Set the temperature of a training: geometrically from the first to that of use.

        Args:
            progress: The part of the training that is over, 0 to 1.

        Raises:
            ValueError: Another number.
        """
        if not 0 <= progress <= 1:
            raise ValueError(f"progress is {progress}; expected 0 to 1.")
        first, last = self.options.first_temperature, self.options.temperature
        self.temperature = first ** (1 - progress) * last**progress

    @contextmanager
    def watch(self) -> Iterator[Watched]:
        """Watch what routers decide, how masks change and what is mixed, until this ends."""
        before, self._watched = self._watched, Watched()
        try:
            yield self._watched
        finally:
            self._watched = before

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds, sizes or numbers that it cannot read.
        """
        super().check(conditions)
        patch, given = self.options.patch, conditions["latent"]
        channels, height, width = given.data.shape[1:]
        if channels * patch**2 != self.width or height % patch or width % patch:
            raise ValueError(
                f"The latent {given.name!r} is {[channels, height, width]}; expected "
                f"{self.width // patch**2} channels, height and width multiples of {patch}."
            )
        for kind, expected in (
            ("tokens", self.sizes.reference_dim),
            ("vector", self.options.task_dim),
        ):
            if kind in conditions and conditions[kind].data.shape[-1] != expected:
                raise ValueError(
                    f"The {kind} {given.name!r} is {conditions[kind].data.shape[-1]} wide; "
                    f"expected {expected}."
                )
        if "map" in conditions:
            _check_mask(conditions["map"])

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Bring conditions to the grid of the picture, a row for each.

        Raises:
            ValueError: The picture that is edited is of another size.
        """
        grid, given = picture_grid(host.step), conditions["latent"]
        packed = functional.pixel_unshuffle(given.data, self.options.patch)
        if tuple(packed.shape[2:]) != grid:
            side = self.options.patch
            raise ValueError(
                f"The latent {given.name!r} is {given.data.shape[2]} x {given.data.shape[3]}; "
                f"expected {side * grid[0]} x {side * grid[1]}, as the picture that is painted."
            )
        found = {BASE: packed.flatten(2).mT}
        if "tokens" in conditions:
            found[REFERENCE] = conditions["tokens"].data
            if (real := conditions["tokens"].mask) is not None:
                found["real"] = real
        if "map" in conditions:
            found[MASK] = functional.adaptive_avg_pool2d(conditions["map"].data, grid)
        if "vector" in conditions:
            found["task"] = conditions["vector"].data
        return found

    def scales(self) -> list[float]:
        """Return what each expert counts, 0 for one that is dropped, in their order."""
        assert self.told is not None
        given = self.told.conditions
        return [given[TOLD[n]].scale if n in TOLD else 1.0 for n in self.options.experts]

    def before(self, step: Step) -> None:
        """Begin a forward: no layer has scored or changed the mask yet."""
        self._flow = Flow(grid=picture_grid(step))

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each block that has experts behind it."""
        blocks = dict(flux_blocks(model))
        return [
            blocks[name].register_forward_hook(partial(self._change, number), with_kwargs=True)
            for number, name in enumerate(self.blocks)
        ]

    def _change(
        self, number: int, block: Any, args: tuple, kwargs: dict[str, Any], output: Any
    ) -> Any:
        if not self.on:
            return output
        text, picture = output
        layer: Any = self.layers[number]
        seen = self._seen(text, kwargs)
        added = layer(picture, seen, kwargs["temb"], self._flow, self.scales(), self.temperature)
        if self._watched is not None:
            self._note(self.blocks[number])
        return text, picture + added.to(picture.dtype)

    def _seen(self, text: Tensor, kwargs: Mapping[str, Any]) -> Seen:
        told, flow, batch = self.told, self._flow, len(text)
        assert told is not None and told.values is not None
        taken = {name: told.take(name, batch) for name in told.values}
        flow.task = taken.pop("task", None)
        if flow.mask is not None:
            taken[MASK] = flow.mask
        cosines, sines = kwargs["image_rotary_emb"]
        angles = cosines[text.shape[1] :], sines[text.shape[1] :]
        return Seen(flow.grid, text, angles, **taken)

    def _note(self, name: str) -> None:
        flow, watched = self._flow, self._watched
        assert watched is not None
        if flow.routing is not None:
            watched.trace.taken.append((name, flow.routing))
        if flow.mask is not None:
            watched.masks.append(flow.mask)
        if flow.mixture is not None:
            watched.mixtures.append(flow.mixture)
        flow.routing = flow.mixture = None


def _check_mask(given: Condition) -> None:
    if given.data.shape[1] != 1 or given.data.min() < 0 or given.data.max() > 1:
        raise ValueError(
            f"The map {given.name!r} has {given.data.shape[1]} channels from {given.data.min():g} "
            f"to {given.data.max():g}; expected a mask: 1 channel, 0 to 1."
        )
