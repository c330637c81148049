"""Options of a bank: how many experts of what form, which router, which rule."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from fusion.contract.options import build_options, check_choice
from fusion.routing.catalog import FORMS, GRANULARITIES, ROUTERS, RULES, Granularity
from fusion.routing.contract import ExpertForm, Router
from fusion.routing.subsets import check_count
from modalities.spelling import did_you_mean

TRAINED = ("all", "router", "experts")


@dataclass(frozen=True)
class BankOptions:
    """Options of a bank.

    Attributes:
        experts: How many experts there are at each site; 1 or more.
        form: What an expert is, a name of `fusion.routing.catalog.FORMS`.
        form_options: Fields of that form's `Options`.
        router: What weighs them, a name of `ROUTERS`.
        router_options: Fields of that router's `Options`.
        granularity: What is decided together, a name of `GRANULARITIES`.
        rule: What makes weights of the router's logits, a name of `RULES`.
        rule_options: Fields of that rule.
        trained: "all", "router" or "experts": what training changes.
        held: So many experts, the first ones, and what all experts share, stay as they are when
            the bank is trained, see `fusion.routing.growth`.
        held_columns: Whether the routers' columns for them stay too; else routers are trained
            whole.
        names: Of the experts, one each, for reports and for a router that is kept by itself; empty
            for their numbers.
    """

    experts: int = 4
    form: str = "lora"
    form_options: dict[str, Any] = field(default_factory=dict)
    router: str = "features"
    router_options: dict[str, Any] = field(default_factory=dict)
    granularity: str = "token"
    rule: str = "softmax_top_k"
    rule_options: dict[str, Any] = field(default_factory=dict)
    trained: str = "all"
    held: int = 0
    held_columns: bool = True
    names: tuple[str, ...] = ()

    def __post_init__(self):
        check_choice("form", self.form, FORMS)
        check_choice("router", self.router, ROUTERS)
        check_choice("granularity", self.granularity, GRANULARITIES)
        check_choice("trained", self.trained, TRAINED)
        check_choice("rule", self.rule, RULES)
        # Filled up, so that two banks are alike just where their options are equal.
        for name, built in (
            ("form_options", self.form_built),
            ("router_options", self.router_built),
            ("rule_options", self.rule_built),
        ):
            object.__setattr__(self, name, asdict(built))
        self._check()

    def _check(self) -> None:
        if self.experts < 1:
            raise ValueError(f"Option 'experts' is {self.experts}; expected 1 or more.")
        self._check_held()
        if self.chosen is not None:
            check_count(self.chosen, self.experts)
        if self.names and (len(self.names), len(set(self.names))) != (self.experts,) * 2:
            raise ValueError(
                f"The bank has {self.experts} experts, and names for {len(set(self.names))}: "
                f"{', '.join(self.names)}; expected one each, all different."
            )
        kinds = {"Form": (self.form, FORMS), "Router": (self.router, ROUTERS)}
        for kind, (name, table) in kinds.items():
            if GRANULARITIES[self.granularity].per_token and not table[name].per_token:
                raise ValueError(
                    f"{kind} {name!r} is for whole samples, and the granularity is "
                    f"{self.granularity!r}; take 'sample', 'block' or 'model'."
                )
        self.form_kind.check(self.experts, self.form_built)

    def _check_held(self) -> None:
        if not 0 <= self.held <= self.experts:
            raise ValueError(
                f"Option 'held' is {self.held}, and the bank has {self.experts} experts; expected "
                "0 to as many."
            )
        if self.held and self.router_kind.fixed:
            raise ValueError(
                f"Option 'held' is {self.held}, and router {self.router!r} "
                f"{self.router_kind.fixed}; take 'features', 'task_embedding' or 'given'."
            )

    @property
    def form_kind(self) -> type[ExpertForm]:
        """The form of the experts."""
        return FORMS[self.form]

    @property
    def router_kind(self) -> type[Router]:
        """The router."""
        return ROUTERS[self.router]

    @property
    def grain(self) -> Granularity:
        """What is decided together."""
        return GRANULARITIES[self.granularity]

    @cached_property
    def form_built(self) -> Any:
        """The form's options."""
        return build_options(self.form, self.form_kind.Options, self.form_options)

    @cached_property
    def router_built(self) -> Any:
        """The router's options."""
        return build_options(self.router, self.router_kind.Options, self.router_options)

    @cached_property
    def rule_built(self) -> Any:
        """The rule."""
        return build_options(self.rule, RULES[self.rule], self.rule_options)

    @property
    def chosen(self) -> int | None:
        """How many experts the rule leaves at most; None where it may leave all."""
        return 1 if self.rule == "one_hot" else getattr(self.rule_built, "k", None)

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts, or their numbers."""
        return self.names or tuple(str(number) for number in range(self.experts))


def changed(options: BankOptions, changes: Mapping[str, Any]) -> BankOptions:
    """Return options with some fields changed, those of the form, router and rule too.

    Args:
        options: To begin with.
        changes: By name, as {"experts": 8, "rank": 4, "tasks": 10, "k": 2}. Another form, router or
            rule begins with its own defaults.

    Raises:
        ValueError: No such option; the message lists those there are.
    """
    given = dict(changes)
    values = {f.name: getattr(options, f.name) for f in fields(options)}
    for name, inner in (
        ("form", "form_options"),
        ("router", "router_options"),
        ("rule", "rule_options"),
    ):
        if given.get(name, values[name]) != values[name]:
            values[inner] = {}
    values |= {name: given.pop(name) for name in list(given) if name in values}
    own = set(values)
    for inner, kind in _inner_kinds(values).items():
        known = {f.name for f in fields(kind)}
        own |= known
        values[inner] = values[inner] | {k: v for k, v in changes.items() if k in known}
    strange = [name for name in given if name not in own]
    if strange:
        guess = did_you_mean(strange[0], own)
        raise ValueError(
            f"A bank of {values['form']!r} weighed by {values['router']!r} has no option "
            f"{strange[0]!r}; known: {', '.join(sorted(own))}.{guess}"
        )
    return build_options("bank", BankOptions, values)


def _inner_kinds(values: Mapping[str, Any]) -> dict[str, type]:
    for name, table in (("form", FORMS), ("router", ROUTERS), ("rule", RULES)):
        check_choice(name, values[name], table)
    return {
        "form_options": FORMS[values["form"]].Options,
        "router_options": ROUTERS[values["router"]].Options,
        "rule_options": RULES[values["rule"]],
    }
