"""The contract of an adapter method."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.contract.selection import Part, Selection, selection_of
from fusion.contract.sites import Site, find_sites

OURS = "MCGURK"  # the type of all methods of ours in PEFT's files


class Attached(Protocol):
    """A model with adapters on it, as far as a method needs to know.

    Attributes:
        model: The frozen model with the adapters in it.
    """

    model: nn.Module

    def parts(self, name: str) -> list[Part]:
        """Return the parts of an adapter, in a list that can be changed in place.

        Raises:
            ValueError: No such adapter.
        """
        ...


@dataclass(frozen=True)
class Delta:
    """What merging adds to the parameters of one module.

    Attributes:
        weight: What is added to the weight, in its shape; None where the weight stays as it is.
        bias: What is added to the bias, in its shape; None where the bias stays as it is.
        index: Where `weight` is sparse: flat positions in the weight, [entries]; `weight` then
            holds as many values.
    """

    weight: Tensor | None = None
    bias: Tensor | None = None
    index: Tensor | None = None


@dataclass(frozen=True)
class Attention:
    """One call of attention.

    Attributes:
        query: [batch, heads, tokens, head_dim].
        key: [batch, heads, keys, head_dim].
        value: [batch, heads, keys, head_dim], one for each key.
        mask: Added to the scores, or True where seen, [batch or 1, heads or 1, tokens, keys]; or
            None.
        causal: Whether tokens see only earlier ones where there is no mask.
        run: Attends with other keys, values and mask: [batch, tokens, heads, head_dim].
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    causal: bool
    run: Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Method:
    """What every adapter method says of itself, one of ours or one that PEFT has.

    Attributes:
        Options: A frozen dataclass of plain values.
        code: Who wrote it: "ours" or "PEFT".
        peft_type: Its name in adapter_config.json; all of ours share one.
        where: The roles that it is put at by default.
        acts_on: How sites are found, see `find_sites`.
        convolutions: Whether it can be put at convolutions; others are passed over.
        embeddings: Whether it can be put at embedding tables; others are passed over.
        taps: Whether it can be put between frozen parts, see `modalities.tap`; others are passed
            over.
        merges: Whether what it does can be added to the weights.
        per_sample: Whether rows of a batch can have different adapters.
        changed_at_start: Why a fresh adapter changes the model's output; "" where it does not.
        float_only: Why it cannot be quantised; "" where it can.
        title: The papers that it comes from, with year and arXiv number.
        formula: What it computes, in one line; y is the module's new output.
    """

    Options: ClassVar[type]
    code: ClassVar[str]
    peft_type: ClassVar[str]
    where: ClassVar[tuple[str, ...]] = ("q", "v")
    acts_on: ClassVar[str] = "linear"
    convolutions: ClassVar[bool] = False
    embeddings: ClassVar[bool] = False
    taps: ClassVar[bool] = False
    merges: ClassVar[bool] = False
    per_sample: ClassVar[bool] = True
    changed_at_start: ClassVar[str] = ""
    float_only: ClassVar[str] = ""
    title: ClassVar[str] = ""
    formula: ClassVar[str] = ""

    @classmethod
    def where_of(cls, options: Any) -> tuple[str, ...]:
        """Return the roles by default, which may depend on the options."""
        return cls.where

    @classmethod
    def accepts(cls, site: Site, options: Any) -> bool:
        """Tell whether a site of the right role takes the method; others are passed over."""
        return True

    @classmethod
    def sites_in(
        cls,
        model: nn.Module,
        name: str,
        options: Any,
        where: Sequence[str] | None = None,
        layers: Sequence[int] | None = None,
    ) -> list[Site]:
        """Find where a model takes the method, in the order of the model.

        Args:
            model: Any module with blocks, see `find_sites`.
            name: Name of the method, for messages.
            options: An instance of the method's `Options`.
            where: Roles or module names; None for the method's own.
            layers: Numbers of the blocks, negative ones from the end; None for all.

        Raises:
            ValueError: No such role or layer, or none of the modules takes the method.
        """
        roles = tuple(where) if where else cls.where_of(options)
        found = find_sites(model, roles, cls.acts_on, layers, selection_of(model).blocks)
        right = [site for site in found if cls.convolutions or not site.convolves]
        right = [site for site in right if cls.embeddings or not site.embeds]
        right = [site for site in right if cls.taps or not site.taps]
        sites = [site for site in right if cls.accepts(site, options)]
        if not sites:
            raise ValueError(
                f"Method {name!r} fits none of the {len(found)} modules at "
                f"{', '.join(roles)}; see its documentation for the roles it takes."
            )
        return sites

    @classmethod
    def start(cls, model: nn.Module, part: Part, calibrate: Any) -> None:
        """Set what depends on data, once the adapters are in place.

        Args:
            model: The model with the adapters in it; `selection_of` tells what is on.
            part: This method, attached.
            calibrate: Runs the model on some batches and yields a loss for each.
        """

    @classmethod
    def count(cls, site: Site, options: Any) -> int:
        """Trained parameters at a site, in closed form."""
        raise NotImplementedError

    @classmethod
    def count_shared(cls, sites: Sequence[Site], options: Any) -> int:
        """Trained parameters of what the sites share, in closed form."""
        return 0

    @classmethod
    def scales_others(cls, options: Any) -> bool:
        """Tell whether what it adds depends on what other adapters of the module add."""
        return False

    @classmethod
    def change_at(cls, layer: Any, key: str, host: nn.Module) -> Delta | None:
        """Return what merging adds to a module, or None where it cannot with these options.

        Args:
            layer: PEFT's layer at the module, ours or its own.
            key: Name of the part in it.
            host: The module, in float32 where the model is in half precision.
        """
        raise NotImplementedError


class Adapter(nn.Module, Method):
    """One adapter at one site. A method is a subclass, in a file of its own.

    Everything that is trained is a parameter; what is fixed but has to be kept, such as a mask, is
    a buffer.

    Attributes:
        reads_from: Name of the module whose input `after` gets instead of the adapted module's.
        selection: What is on in its model, and what routers may look at; the tuner sets it.
    """

    code = "ours"
    peft_type = OURS
    reads_from: str = ""
    selection: Selection | None = None

    def __init__(self, site: Site, options: Any, shared: nn.Module | None = None):
        super().__init__()

    @classmethod
    def reads(cls, options: Any) -> str:
        """Say what `inputs` is in `after`.

        Returns:
            "" for the input of the adapted module, "sublayer" for that of the first module of its
            sub-layer, "norm" for that of the sub-layer's normalisation.
        """
        return ""

    @classmethod
    def share(cls, sites: Sequence[Site], options: Any) -> nn.Module | None:
        """Build what the adapters of all sites have in common, if anything."""
        return None

    @classmethod
    def change_at(cls, layer: Any, key: str, host: nn.Module) -> Delta | None:
        """Ask the adapter at the module, see `delta`."""
        return layer.mcgurk_adapters[key].delta(host)

    def context(self, batch: int) -> Context | None:
        """Return what a router may look at besides what its module reads.

        Args:
            batch: Rows that the adapter reads now, which may be some of the batch only.

        Returns:
            The context of these rows, see `Adapters.context`; None where nobody gave one.
        """
        return None if self.selection is None else self.selection.seen(batch)

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Change what the module reads.

        Args:
            inputs: First argument of the module, [batch, tokens, dim].
            kwargs: Its keyword arguments, a copy that may be changed.
        """
        return inputs

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Change what the module returns.

        Args:
            inputs: What `reads` says, by default what the module reads, [batch, tokens, dim].
            outputs: What the module has returned, [batch, tokens, dim].
        """
        return outputs

    def attend(self, call: Attention) -> Tensor:
        """Change how an attention module attends: [batch, tokens, heads, head_dim]."""
        return call.run(call.key, call.value, call.mask)

    def delta(self, module: nn.Module) -> Delta | None:
        """Return what merging adds to the module, or None where the method does not merge."""
        return None


class PeftMethod(Method):
    """A method that PEFT has: it makes the layers, and we switch, count, mix and merge them."""

    code = "PEFT"
    merges = True

    @classmethod
    def config(cls, names: list[str], options: Any) -> Any:
        """Build PEFT's config for some modules, by their names."""
        raise NotImplementedError

    @classmethod
    def options_of(cls, config: Any, layers: Mapping[str, Any], key: str) -> Any:
        """Read the options from PEFT's config and from the layers that PEFT makes of it.

        Args:
            config: PEFT's, of this method's type.
            layers: PEFT's layers by the name of their site.
            key: Name of the adapter in them.
        """
        raise NotImplementedError

    @classmethod
    def prepare(cls, model: nn.Module, sites: Sequence[Site], options: Any, calibrate: Any) -> Any:
        """Do what has to be done before PEFT injects; return what `finish` needs.

        Args:
            model: The frozen model.
            sites: Where the adapters will be.
            options: An instance of the method's `Options`.
            calibrate: None, or a function that runs the model on some batches and yields a loss
                for each.
        """
        return None

    @classmethod
    def finish(cls, layers: Mapping[str, nn.Module], key: str, prepared: Any) -> None:
        """Do what has to be done after PEFT injected.

        Args:
            layers: PEFT's layers by the name of their site.
            key: Name of the adapter in them.
            prepared: What `prepare` returned.
        """

    @classmethod
    def change_at(cls, layer: Any, key: str, host: nn.Module) -> Delta | None:
        """Ask PEFT's layer, see `delta`."""
        return cls.delta(layer, key)

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """Return what merging adds to the weights of a layer."""
        raise NotImplementedError
