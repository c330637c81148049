"""A bank of experts on a frozen model: put there, routed, watched, counted, saved, dropped."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.files import tensors_of
from fusion.adapters.injection import layers_of
from fusion.adapters.interface import Adapters, attach
from fusion.contract.blocks import Block
from fusion.contract.selection import Part
from fusion.routing.context import RouteContext
from fusion.routing.contract import Router
from fusion.routing.method import NAME, Common, Routed, set_trained
from fusion.routing.options import BankOptions, changed
from fusion.routing.report import BankReport, Trace, usage_of


def attach_bank(
    model: nn.Module,
    options: BankOptions | Mapping[str, Any] | None = None,
    where: Sequence[str] | None = None,
    *,
    name: str = "bank",
    layers: Sequence[int] | None = None,
    blocks: Mapping[str, tuple[Block, ...]] | None = None,
) -> "Bank":
    """Put a bank on a model, and switch it on.

    Args:
        model: Any module that holds Transformer blocks; it is changed in place.
        options: Of the bank, or what differs from the defaults by name, see
            `fusion.routing.options.changed`. Methods that were published are in
            `fusion.routing.presets`.
        where: Roles or names of modules, see `fusion.adapters.attach`; None for the form's own.
        name: What the bank is called, as an adapter is.
        layers: Numbers of the blocks, negative ones from the end; None takes all.
        blocks: Block classes that are not known, by class name.

    Raises:
        ValueError: No such option, role or layer; the message lists what exists.
    """
    built = options if isinstance(options, BankOptions) else changed(BankOptions(), options or {})
    attach(model, NAME, built, where, name=name, layers=layers, blocks=blocks)
    return Bank(model, name)


def load_bank(model: nn.Module, folder: str | Path, name: str = "bank") -> "Bank":
    """Read a bank that `Bank.save` wrote, attach it and switch it on.

    Raises:
        FileNotFoundError: The folder or a file is not there.
        ValueError: It is damaged, belongs to another model, or is no bank.
    """
    adapters = Adapters(model)
    adapters.load(folder, name)
    try:
        return Bank(model, name)
    except ValueError:
        adapters.drop(name)
        raise


class Bank:
    """A bank on a model. Any number of these objects may look at one bank.

    Args:
        model: With the bank on it.
        name: What it is called.

    Raises:
        ValueError: No such adapter, or it is no bank.
    """

    def __init__(self, model: nn.Module, name: str = "bank"):
        self.model, self.name = model, name
        self.adapters = Adapters(model)
        methods = [part.method for part in self.adapters.parts(name)]
        if methods != [NAME]:
            raise ValueError(f"Adapter {name!r} is {', '.join(methods)}; expected a bank.")

    @property
    def part(self) -> Part:
        """What it is among the adapters of the model."""
        return self.adapters.parts(self.name)[0]

    @property
    def options(self) -> BankOptions:
        """Its options."""
        return self.part.options

    @property
    def sites(self) -> dict[str, Routed]:
        """Experts and routers by the name of the module that has them."""
        part = self.part
        layers = layers_of(self.model, part)
        return {
            site: layer.mcgurk_adapters[part.key]
            for site, layer in zip(part.sites, layers, strict=True)
        }

    @property
    def common(self) -> Common:
        """What the sites have in common."""
        return next(iter(self.sites.values())).common

    def router_at(self, site: str) -> Router | None:
        """Return the router that decides for a site, its own or the one that it shares."""
        adapter = self.sites[site]
        if adapter.group:
            shared: Any = self.common.routers[adapter.group]
            return shared
        return adapter.router

    @property
    def routers(self) -> list[Router]:
        """All routers, those that sites share once."""
        found = {id(router): router for site in self.sites if (router := self.router_at(site))}
        return list(found.values())

    @contextmanager
    def route(
        self,
        *,
        generator: torch.Generator | None = None,
        whole: int = 1,
        each: bool = False,
        **known: Tensor | None,
    ) -> Iterator[Trace]:
        """Tell the routers what is known of the batch, and watch what they decide.

        Args:
            generator: Where rules that draw take chance from; None for torch's own.
            whole: How often the batch holds the rows of what is known one after the other, see
                `Adapters.rows`.
            each: Whether modules may see several rows for one, as beams make them.
            known: Fields of `RouteContext`.

        Yields:
            The decisions of all sites, as they are made.

        Raises:
            ValueError: What is known is for batches of different sizes.
        """
        given = RouteContext(**known).as_context()
        seen = (
            nullcontext() if given is None else self.adapters.context(given, whole=whole, each=each)
        )
        common, trace = self.common, Trace()
        before = common.trace, common.generator
        common.trace, common.generator = trace.taken, generator
        try:
            with seen:
                yield trace
        finally:
            common.trace, common.generator = before

    def report(self, trace: Trace | None = None) -> BankReport:
        """Say how the experts were used, and what the bank takes.

        Args:
            trace: What was watched, see `route`; None for the counts alone.
        """
        sites = dict.fromkeys(site for site, _ in trace.taken) if trace is not None else {}
        used = {site: usage_of(trace.at(site)) for site in sites} if trace is not None else {}
        stored = sum(tensor.numel() for tensor in tensors_of(self.model, self.part).values())
        return BankReport(self.options.expert_names, used, self.count(), stored)

    def count(self) -> int:
        """Parameters that training changes, by closed forms."""
        return self.adapters.count(self.name)

    def parameters(self) -> list[nn.Parameter]:
        """Return what training changes."""
        return self.adapters.parameters(self.name)

    def save(self, folder: str | Path) -> None:
        """Write experts and routers, as any adapter is written.

        Raises:
            OSError: The folder cannot be written.
        """
        self.adapters.save(folder, self.name)

    def drop(self) -> None:
        """Take the bank off the model, which is then as it was."""
        self.adapters.drop(self.name)

    def train_only(self, trained: str) -> None:
        """Choose what training changes from now on: "all", "router" or "experts".

        Raises:
            ValueError: None of these.
        """
        self.set_options(replace(self.options, trained=trained))

    def hold(self, experts: int | None = None) -> None:
        """Let the first experts, and what is theirs of the routers, stay as they are in training.

        Their parameters are then apart from the others', and no optimiser moves them. An
        optimiser that knew the bank has to be made anew.

        Args:
            experts: How many, from the first; None for all, as when one was trained to its end,
                and 0 for none.

        Raises:
            ValueError: More than there are, or a router whose columns cannot be held.
        """
        held = self.options.experts if experts is None else experts
        self.set_options(replace(self.options, held=held, held_columns=True))

    def set_options(self, options: BankOptions) -> None:
        """Give the bank options that its tensors fit already, in counts and files too."""
        parts = self.adapters.parts(self.name)
        parts[0] = replace(parts[0], options=options)
        model: Any = self.model
        model.peft_config[parts[0].key].options = asdict(options)
        for adapter in self.sites.values():
            adapter.options = options
            set_trained(adapter, options)
        set_trained(self.common, options)
