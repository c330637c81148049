"""The experts of one site of a bank: those of the bank, and versions of some that tenants have."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.routing.contract import ExpertForm

Expert = Mapping[str, Tensor]


@dataclass(frozen=True)
class Gathered:
    """The experts that the tenants of a batch have, side by side.

    Attributes:
        form: Holds them; those of one number of the bank lie next to each other, in the order of
            these numbers, so that sums are added up as in each tenant's own bank.
        experts: How many it holds.
        places: Where in it the experts of each tenant are, [tenants, experts].
    """

    form: ExpertForm
    experts: int
    places: Tensor


class ExpertPages:
    """A stack of experts that grows, with a list of the pages that are free.

    Numbers below those of the bank's experts are these themselves, which stay where they are; a
    page is one more expert.

    Args:
        form: The bank's experts at this site.
        experts: How many it has.

    Attributes:
        pages: Tensors of each page, None where it is free.
        table: For each tenant the number of each of its experts.
    """

    def __init__(self, form: ExpertForm, experts: int):
        self.form, self.experts = form, experts
        self.pages: list[Expert | None] = []
        self.free: list[int] = []
        self.table: dict[str | None, tuple[int, ...]] = {None: tuple(range(experts))}

    @property
    def bytes(self) -> int:
        """What the pages take that are not free."""
        tensors = [tensor for page in self.pages if page for tensor in page.values()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def load(self, tenant: str, own: Mapping[int, Expert]) -> None:
        """Give a tenant experts of its own, by the number that each stands for."""
        row = list(range(self.experts))
        for number, expert in own.items():
            page = self.free.pop() if self.free else len(self.pages)
            if page == len(self.pages):
                self.pages.append(None)
            self.pages[page] = {name: tensor.clone() for name, tensor in expert.items()}
            row[number] = self.experts + page
        self.table[tenant] = tuple(row)

    def evict(self, tenant: str) -> None:
        """Free the pages of a tenant."""
        for number in self.table.pop(tenant):
            if number >= self.experts:
                self.pages[number - self.experts] = None
                self.free.append(number - self.experts)
        while self.pages and self.pages[-1] is None:  # the stack shrinks where its end is free
            self.pages.pop()
            self.free.remove(len(self.pages))

    def gather(self, tenants: Sequence[str | None]) -> Gathered:
        """Put the experts of tenants side by side; the bank's own where none has others."""
        rows = [self.table[tenant] for tenant in tenants]
        columns = [dict.fromkeys(column) for column in zip(*rows, strict=True)]
        used = [number for column in columns for number in column]
        places = torch.tensor([[used.index(number) for number in row] for row in rows])
        if used == list(range(self.experts)):
            return Gathered(self.form, self.experts, places)
        form = _with_experts(self.form, [self._expert(number) for number in used])
        return Gathered(form, len(used), places)

    def _expert(self, number: int) -> Expert:
        if number < self.experts:
            return self.form.expert(number)
        page = self.pages[number - self.experts]
        assert page is not None
        return page


@torch.no_grad()
def _with_experts(form: ExpertForm, experts: Sequence[Expert]) -> ExpertForm:
    """Copy a form with other experts than its own."""
    copied = deepcopy(form)
    copied.hold(0)
    for path, axis in form.axes.items():
        if path not in experts[0]:
            continue
        inside, _, name = path.rpartition(".")
        whole = torch.cat([expert[path] for expert in experts], axis)
        setattr(copied.get_submodule(inside), name, nn.Parameter(whole, requires_grad=False))
    return copied
