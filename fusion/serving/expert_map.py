"""Tenants of one bank, each with versions of its own of some experts, in one batch.

A tenant has trained a few experts of a bank and left its router as it was. The bank is kept once,
and beside it those few experts; the router decides as ever, and each row's choice is then led to
the experts of its tenant.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from fusion.contract.context import Repeats
from fusion.routing.bank import Bank, load_bank
from fusion.routing.contract import ExpertForm, Routing
from fusion.routing.method import Routed
from fusion.serving.expert_pages import Expert, ExpertPages, Gathered

Experts = Mapping[str, Mapping[int, Expert]]  # by site and number


class ExpertMap:
    """Leads the rows of a batch to the experts of their tenants.

    What a tenant gets is what a bank with its experts in place of the bank's would give: to the
    bit for LoRA experts of which each token has its k highest, on a CPU; else as near as sums in
    another order are. Whoever runs rows keeps what these had when the rows began.

    Args:
        bank: Its experts and router stay as they are.

    Raises:
        ValueError: Its experts do not lie side by side.

    Source:
        ExpertWeave, of experts tuned as in ESFT (arXiv 2407.01906). That experts are gathered by
        their numbers in the bank, so that sums have the bank's order, is ours.
    """

    def __init__(self, bank: Bank):
        if not bank.options.form_kind.axes:
            raise ValueError(
                f"Experts of {bank.options.form!r} do not lie side by side; take 'lora', "
                "'mixed_lora' or 'bottleneck'."
            )
        self.bank = bank
        experts = bank.options.experts
        self.pages = {site: ExpertPages(at.experts, experts) for site, at in bank.sites.items()}
        self._gathered: tuple[tuple[str | None, ...], dict[str, Gathered]] = (), {}

    @property
    def tenants(self) -> list[str]:
        """Those that are loaded, in the order of their loading."""
        return [name for name in next(iter(self.pages.values())).table if name is not None]

    def load(self, tenant: str, source: Experts | Bank | str | Path) -> None:
        """Load the experts of a tenant; others run on.

        Args:
            tenant: What it is called.
            source: Its experts by site and number; or its whole bank, or the folder of that, of
                which the experts that differ from this bank's are taken.

        Raises:
            FileNotFoundError: The folder or a file is not there.
            ValueError: The name is taken; or a bank that differs in more than experts, a site,
                number or shape that this one does not have.
        """
        if tenant in self.tenants:
            raise ValueError(f"Tenant {tenant!r} is loaded already; evict it first.")
        if isinstance(source, str | Path):
            found = self._read(tenant, source)
        else:
            found = find_own_experts(self.bank, source) if isinstance(source, Bank) else source
        self._check(tenant, found)
        for site, pages in self.pages.items():
            pages.load(tenant, found.get(site, {}))

    def evict(self, tenant: str) -> None:
        """Drop a tenant, and free the memory of its experts.

        Raises:
            ValueError: No such tenant.
        """
        self._check_known([tenant])
        for pages in self.pages.values():
            pages.evict(tenant)
        self._gathered = (), {}

    @contextmanager
    def rows(
        self, tenants: Sequence[str | None], *, whole: int = 1, each: bool = False
    ) -> Iterator[None]:
        """Give each row of the batch the experts of its tenant, or with None the bank's.

        Args:
            tenants: One per row.
            whole: How often the batch holds these rows one after the other, 1 or more.
            each: Whether modules may see several rows for one, next to each other, as beams.

        Raises:
            ValueError: No such tenant.
        """
        self._check_known([name for name in tenants if name is not None])
        kinds = tuple(sorted(set(tenants), key=lambda name: (name is not None, name)))
        if self._gathered[0] != kinds:
            self._gathered = kinds, {s: pages.gather(kinds) for s, pages in self.pages.items()}
        rerouted = _Rows(tenants, kinds, self._gathered[1], Repeats(whole, each))
        common = self.bank.common
        before, common.reroute = common.reroute, rerouted.run
        try:
            yield
        finally:
            common.reroute = before

    def bytes(self) -> dict[str, int]:
        """Count memory: of the bank's experts, of tenants', and what the last rows gathered."""
        forms = [pages.form for pages in self.pages.values()]
        gathered = [one.form for one in self._gathered[1].values() if one.form not in forms]
        return {
            "bank": sum(map(_bytes_of, forms)),
            "tenants": sum(pages.bytes for pages in self.pages.values()),
            "gathered": sum(map(_bytes_of, gathered)),
        }

    def _read(self, tenant: str, folder: str | Path) -> Experts:
        """Read a bank, which is on the model as long as that takes, switched off."""
        active = list(self.bank.adapters.selection.active)
        try:
            other = load_bank(self.bank.model, folder, f"{tenant}@read")
        finally:
            self.bank.adapters.selection.active[:] = active
        try:
            return find_own_experts(self.bank, other)
        finally:
            other.drop()

    def _check(self, tenant: str, found: Experts) -> None:
        for site, own in found.items():
            if site not in self.pages:
                raise ValueError(f"Tenant {tenant!r} has experts at {site}, where the bank is not.")
            form, experts = self.pages[site].form, self.bank.options.experts
            for number, expert in own.items():
                if not 0 <= number < experts:
                    raise ValueError(
                        f"Tenant {tenant!r} has an expert {number} at {site}; expected 0 to "
                        f"{experts - 1}."
                    )
                shapes = {name: tuple(tensor.shape) for name, tensor in expert.items()}
                wanted = {name: tuple(t.shape) for name, t in form.expert(number).items()}
                if shapes != wanted:
                    raise ValueError(
                        f"Expert {number} of tenant {tenant!r} at {site} is {shapes}; expected "
                        f"{wanted}."
                    )

    def _check_known(self, tenants: Sequence[str]) -> None:
        if strange := sorted(set(tenants) - set(self.tenants)):
            known = ", ".join(self.tenants) or "none"
            raise ValueError(f"No tenant {strange[0]!r} is loaded; known: {known}.")


class _Rows:
    """The rows of one batch, and the experts of each."""

    def __init__(
        self,
        tenants: Sequence[str | None],
        kinds: Sequence[str | None],
        gathered: Mapping[str, Gathered],
        repeats: Repeats,
    ):
        self.kinds = torch.tensor([kinds.index(tenant) for tenant in tenants])
        self.gathered, self.repeats = gathered, repeats
        self.places: dict[tuple[str, int], Tensor] = {}

    def run(self, site: Routed, read: Tensor, routing: Routing) -> Tensor:
        """Run the experts of each row, by the decision of the bank's router."""
        gathered = self.gathered[site.site]
        form = gathered.form
        if gathered.experts == gathered.places.shape[1]:
            return form(read, routing)  # all tenants have the same here, in the bank's order
        weights = routing.weights
        places = self._places(site, len(read), gathered).to(weights.device)
        places = places if weights.dim() == 2 else places[:, None]
        wide = weights.new_zeros(*weights.shape[:-1], gathered.experts)
        wide = wide.scatter(-1, places.expand_as(weights), weights)
        return form(read, replace(routing, weights=wide))

    def _places(self, site: Routed, batch: int, gathered: Gathered) -> Tensor:
        """Return where each row's experts are, [batch, experts]."""
        some = None if site.selection is None else site.selection.some
        key = site.site, batch
        if some is None and key in self.places:
            return self.places[key]
        numbers = self.repeats.numbers(len(self.kinds), some[0] if some else batch, "tenants")
        kinds = self.kinds[numbers if some is None else numbers[some[1].cpu()]]
        found = gathered.places[kinds]
        if some is None:
            self.places[key] = found
        return found


def _bytes_of(form: ExpertForm) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in form.state_dict().values())


def find_own_experts(bank: Bank, other: Bank) -> dict[str, dict[int, dict[str, Tensor]]]:
    """Return the experts of a tenant's bank that differ from a bank's, by site and number.

    Args:
        bank: That tenants share.
        other: The tenant's; its router is as the bank's.

    Raises:
        ValueError: The two differ in more than experts.
    """
    if (bank.options.experts, list(bank.sites)) != (other.options.experts, list(other.sites)):
        raise ValueError(
            f"Bank {other.name!r} has {other.options.experts} experts at {len(other.sites)} sites, "
            f"and {bank.name!r} {bank.options.experts} at {len(bank.sites)}; expected the same."
        )
    found: dict[str, dict[int, dict[str, Tensor]]] = {}
    for site, theirs in other.sites.items():
        ours = bank.sites[site]
        _check_rest(site, ours, theirs)
        for number in range(bank.options.experts):
            mine, own = ours.experts.expert(number), theirs.experts.expert(number)
            if any(not torch.equal(mine[name], own[name]) for name in mine):
                kept = {name: tensor.detach().clone() for name, tensor in own.items()}
                found.setdefault(site, {})[number] = kept
    return found


def _check_rest(site: str, ours: Routed, theirs: Routed) -> None:
    """Raise where two banks differ at a site in what is no expert, as a router."""
    experts = {f"experts.{path}" for path in ours.experts.axes}
    mine, own = ours.state_dict(), theirs.state_dict()
    rest = (set(mine) | set(own)) - experts
    strange = [n for n in rest if n not in mine or n not in own or not torch.equal(mine[n], own[n])]
    if strange:
        raise ValueError(
            f"The tenant's bank differs in {min(strange)} at {site}; only experts may, and the "
            "router stays as it is."
        )
