"""A bank as an adapter method: experts at each site, and the routers that weigh them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.contract.method import Adapter
from fusion.contract.sites import Site
from fusion.methods.catalog import OF_HIGHER_STOREYS
from fusion.routing.context import WEIGHTS, mean_over_real, real_tokens, value_of
from fusion.routing.contract import ExpertForm, Router, Routing
from fusion.routing.decisions import Decisions
from fusion.routing.options import BankOptions

NAME = "bank"


class Common(nn.Module):
    """What the sites of a bank have in common.

    Args:
        sites: All of them, in the order of the model.
        options: Those of the bank.

    Attributes:
        routers: Shared ones, by the name of their group.
        form: What the experts share, or None.
        trace: Where sites write their decisions while somebody watches; None while nobody does.
        generator: Where rules that draw take chance from; None for torch's own.
        reroute: Runs other experts in place of a site's own, as `fusion.serving.expert_map` does:
            takes the site, what it reads and the decision; None for the site's own.
    """

    def __init__(self, sites: Sequence[Site], options: BankOptions):
        super().__init__()
        self.reroute: Callable[[Routed, Tensor, Routing], Tensor] | None = None
        self.trace: list[tuple[str, Routing]] | None = None
        self.generator: torch.Generator | None = None
        self.decisions: dict[str, Decisions] = {}
        self.form = options.form_kind.share(sites, options.experts, options.form_built)
        self.routers = nn.ModuleDict()
        for group, members in groups_of(sites, options).items():
            self.routers[group] = build_router(members[0], options)
            self.decisions[group] = Decisions(_leaders_of(members))


class Routed(Adapter):
    """Experts side by side at each site, of one form, and a router that weighs them.

    Form, router, rule and granularity are tables, see `fusion.routing.catalog`; methods that were
    published are `fusion.routing.presets`.
    """

    Options = BankOptions
    acts_on = "sublayer"
    float_only = "its matrices are stacked, an expert each"
    title = "see fusion.routing.presets"
    formula = "y = f(x) + sum_e w_e E_e(x)"

    def __init__(self, site: Site, options: BankOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        assert isinstance(shared, Common)
        self.options = options
        self.site = site.name
        self.decodes = site.decodes and not (site.cross and site.role in ("k", "v"))
        self.group = _group_of(site, options)
        # In a tuple, so that what all sites share is registered at the first alone.
        self.borrowed = (shared,)
        kind = options.form_kind
        self.experts = kind(site, options.experts, options.form_built, shared.form)
        self.router = None if self.group else build_router(site, options)
        set_trained(self, options)
        set_trained(shared, options)

    @classmethod
    def where_of(cls, options: BankOptions) -> tuple[str, ...]:
        """Where the form is put."""
        return options.form_kind.where

    @classmethod
    def accepts(cls, site: Site, options: BankOptions) -> bool:
        """Ask the form."""
        return options.form_kind.accepts(site, options.form_built)

    @classmethod
    def reads(cls, options: BankOptions) -> str:
        """Ask the form."""
        return options.form_kind.reads(options.form_built)

    @classmethod
    def share(cls, sites: Sequence[Site], options: BankOptions) -> Common:
        """Build the routers of several sites, and what the form shares."""
        return Common(sites, options)

    @classmethod
    def count(cls, site: Site, options: BankOptions) -> int:
        """The experts and, where each site has one, the router; of these what is trained."""
        form = options.form_kind
        experts = form.count(site, options.experts, options.form_built)
        experts -= form.count_held(site, options.held, options.form_built) if options.held else 0
        router = 0 if _group_of(site, options) else count_router(site, options)
        return _trained(experts, router, options)

    @classmethod
    def count_shared(cls, sites: Sequence[Site], options: BankOptions) -> int:
        """What the form shares, and shared routers; of these what is trained."""
        form = options.form_kind.count_shared(sites, options.experts, options.form_built)
        form = 0 if options.held else form
        groups = groups_of(sites, options).values()
        routers = sum(count_router(members[0], options) for members in groups)
        return _trained(form, routers, options)

    @property
    def common(self) -> Common:
        """What the sites of the bank have in common."""
        return self.borrowed[0]

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add what the experts make of it together."""
        read = inputs.reshape(len(inputs), -1, inputs.shape[-1])
        routing = self.route(read)
        if self.common.trace is not None:
            self.common.trace.append((self.site, routing))
        reroute = self.common.reroute
        made = reroute(self, read, routing) if reroute else self.experts(read, routing)
        return outputs + made.reshape(outputs.shape)

    def route(self, read: Tensor) -> Routing:
        """Decide, or take the decision that another site made.

        Args:
            read: What the site reads, [batch, tokens, dim].
        """
        context = self.context(len(read))
        some = None if self.selection is None else self.selection.some
        rows = None if some is None else some[1]

        def decide() -> Routing:
            return self.decide(read, context, rows)

        if not self.group:
            return decide()
        key: tuple[Any, ...] = (None if rows is None else tuple(rows.tolist()),)
        if self.options.grain.per_token:
            key += (self.decodes, *read.shape[:2])  # of which sequence
        routing = self.common.decisions[self.group].take(self.site, key, decide)
        return self._for_batch(routing, len(read))

    def decide(self, read: Tensor, context: Context | None, rows: Tensor | None) -> Routing:
        """Let the router decide.

        Args:
            read: What the site reads, [batch, tokens, dim].
            context: What else is known of these rows.
            rows: Their numbers where these are some of the batch.
        """
        options = self.options
        mask = real_tokens(context, read.shape[1], self.decodes, self.site, read.device)
        per_token = options.grain.per_token
        given = value_of(context, WEIGHTS)
        if given is not None:
            return Routing(self._given(given, read), mask=mask, rows=rows)
        router: Any = self.common.routers[self.group] if self.group else self.router
        features = read
        if router.reads_features:
            self._check_dim(router, read)
            router.look_at(self.experts)
            features = read if per_token else mean_over_real(read, mask)
        found = router.decide(features, context, self._weigh)
        return Routing(
            self._for_heads(found.weights),
            found.logits,
            per_token,
            features if router.reads_features else None,
            mask,
            options.chosen,
            found.log_probability,
            rows,
        )

    def _weigh(self, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        rule, generator = self.options.rule_built, self.common.generator
        if self.training and hasattr(rule, "draw"):
            drawn = rule.draw(logits, generator)
            return drawn.weights, drawn.log_probability
        return rule(logits, self.training, generator), None

    def _given(self, weights: Tensor, read: Tensor) -> Tensor:
        experts = self.options.experts
        if weights.shape[-1] != experts:
            raise ValueError(
                f"The weights are of {weights.shape[-1]} experts, and the bank has {experts}; give "
                "one for each."
            )
        return self._for_heads(weights.to(read))

    def _for_heads(self, weights: Tensor) -> Tensor:
        """Give weights of whole samples the axis of heads, where the form has it: one for all."""
        lacking = self.options.form_kind.by_head and weights.dim() == 2
        return weights[:, None] if lacking else weights

    def _check_dim(self, router: Any, read: Tensor) -> None:
        if read.shape[-1] != router.dim:
            raise ValueError(
                f"{self.site} reads {read.shape[-1]} features, and the router that it shares reads "
                f"{router.dim}; leave it out of the bank, or take a granularity of 'sample' or "
                "'token'."
            )

    def _for_batch(self, routing: Routing, batch: int) -> Routing:
        """Repeat a decision where a decoder sees several beams of each row."""
        decided = len(routing.weights)
        if decided == batch:
            return routing
        assert self.selection is not None
        repeats = self.selection.context_repeats
        return routing.take(repeats.numbers(decided, batch, "a shared router's decision"))


def build_router(site: Site, options: BankOptions) -> Router:
    """Build a router that reads what a site reads."""
    return options.router_kind(*_sizes_of_router(site, options), options.router_built)


def count_router(site: Site, options: BankOptions) -> int:
    """Trained parameters of that router."""
    dim, experts, heads = _sizes_of_router(site, options)
    kind, built = options.router_kind, options.router_built
    count = kind.count(dim, experts, heads, built)
    if options.held and options.held_columns:
        count -= kind.count(dim, options.held, heads, built)
    return count


def groups_of(sites: Sequence[Site], options: BankOptions) -> dict[str, list[Site]]:
    """Return the sites that share a router, by the name of their group; none where none do."""
    groups: dict[str, list[Site]] = {}
    for site in sites:
        if group := _group_of(site, options):
            groups.setdefault(group, []).append(site)
    return groups


def set_trained(module: nn.Module, options: BankOptions) -> None:
    """Freeze what is not trained, of a site's adapter or of what the sites share."""
    parts: list[Any] = [m for m in module.modules() if isinstance(m, ExpertForm | Router)]
    for part in parts:
        part.hold(0)
    for name, parameter in module.named_parameters():
        is_router = name.startswith(("router.", "routers."))
        parameter.requires_grad_(options.trained in ("all", "router" if is_router else "experts"))
    if not options.held:
        return
    for part in parts:
        if isinstance(part, ExpertForm) or options.held_columns:
            part.hold(options.held)
    if isinstance(module, Common) and module.form is not None:
        module.form.requires_grad_(False)


def _sizes_of_router(site: Site, options: BankOptions) -> tuple[int, int, int]:
    kind = options.form_kind
    return kind.dim_read(site), options.experts, kind.heads(options.form_built)


def _trained(experts: int, router: int, options: BankOptions) -> int:
    return {"all": experts + router, "router": router, "experts": experts}[options.trained]


def _group_of(site: Site, options: BankOptions) -> str:
    """Name what a site shares its router with; "" where it has its own."""
    shared = options.grain.shared
    if shared == "model":
        return "model"
    if shared == "block" and site.layer >= 0:
        return f"{site.stack}.{site.layer}".replace(".", "-")  # torch wants no dots in names
    return ""


def _leaders_of(sites: Sequence[Site]) -> list[str]:
    """Return the sites that may decide for all: of the first blocks, a decoder's only if alone."""
    may = [site for site in sites if not site.decodes] or list(sites)
    first: dict[str, int] = {}
    for site in may:
        first[site.stack] = min(site.layer, first.get(site.stack, site.layer))
    return [site.name for site in may if site.layer == first[site.stack]]


OF_HIGHER_STOREYS[NAME] = Routed
