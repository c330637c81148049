"""CorDA: a low-rank change that starts from the weight's parts that matter to some data."""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.holder import ATTRIBUTE
from fusion.contract.method import Adapter, Delta
from fusion.contract.options import check_choice
from fusion.contract.selection import Part, selection_of
from fusion.contract.sites import Site, unwrap


@dataclass(frozen=True)
class CordaOptions:
    """Options of CorDA; the paper has rank and alpha 128.

    Attributes:
        rank: Rank of the change: 1 to the smaller of a layer's two widths.
        alpha: The change is scaled by alpha / rank.
        mode: "ipm", instruction-previewed: the largest components are trained, on data of the new
            task; "kpm", knowledge-preserved: the smallest ones, on data that should stay known.
    """

    rank: int = 8
    alpha: float = 8.0
    mode: str = "ipm"

    def __post_init__(self):
        check_choice("mode", self.mode, ("ipm", "kpm"))


class Corda(Adapter):
    """LoRA from components of the weight as data weigh them.

    The paper subtracts the start, s B0 A0, from the frozen weight. Here it is kept beside, so that
    the weight stays for other adapters; function and gradients are the same. PEFT's layers cannot
    hold it, so this is ours; `procedures.corda_to_lora` makes an adapter that
    PEFT reads. `start` has to see data before the first run.
    """

    Options = CordaOptions
    where = ("q", "k", "v", "o", "fc1", "fc2")
    merges = True
    float_only = "its start is exact: it would no longer be the model"
    title = "CorDA (2024, arXiv 2406.05223)"
    formula = "y = W x + s (B A - B0 A0) x, B0 A0 = [U S V^T]_r C^-1 / s, U S V^T = W C, C ~ X^T X"
    down: nn.Parameter
    up: nn.Parameter
    down_start: Tensor
    up_start: Tensor

    def __init__(self, site: Site, options: CordaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.name, self.options = site.name, options
        self.scale = options.alpha / options.rank
        self.started = False
        self.down = nn.Parameter(torch.zeros(options.rank, site.dim_in))
        self.up = nn.Parameter(torch.zeros(site.dim_out, options.rank))
        self.register_buffer("down_start", torch.zeros(options.rank, site.dim_in))
        self.register_buffer("up_start", torch.zeros(site.dim_out, options.rank))

    @classmethod
    def accepts(cls, site: Site, options: CordaOptions) -> bool:
        """Take linear layers.

        Raises:
            ValueError: One has a lower rank than is to be trained.
        """
        highest = min(site.dim_in, site.dim_out)
        if not 0 < options.rank <= highest:
            raise ValueError(
                f"Option 'rank' of 'corda' is {options.rank}; {site.name} has {highest} "
                "components. Take from one to so many."
            )
        return isinstance(site.module, nn.Linear)

    @classmethod
    def count(cls, site: Site, options: CordaOptions) -> int:
        """As many as LoRA has, r (in + out)."""
        return options.rank * (site.dim_in + site.dim_out)

    @classmethod
    def start(cls, model: nn.Module, part: Part, calibrate: Any) -> None:
        """Set the adapters at all sites by data, which runs with all adapters off.

        Args:
            model: The model that has it.
            part: CorDA, attached.
            calibrate: Runs the model on some batches; what it yields is not looked at.

        Raises:
            ValueError: It did not run all of the sites, or on numbers that are not finite.
        """
        hosts = {name: unwrap(model.get_submodule(name)) for name in part.sites}
        active = selection_of(model).active
        on = list(active)
        active[:] = []
        try:
            covariances = collect_covariances(model, hosts, calibrate)
        finally:
            active[:] = on
        for name, host in hosts.items():
            held: Any = host.get_submodule(f"{ATTRIBUTE}.mcgurk_adapters")
            held[part.key].decompose(host.weight, covariances.pop(name))

    @torch.no_grad()
    def decompose(self, weight: Tensor, covariance: Tensor) -> None:
        """Start from the weight's components.

        Args:
            weight: The layer's frozen weight, [out, in].
            covariance: Mean of x^T x over what the layer reads, [in, in]; it is damped until it can
                be inverted.
        """
        covariance, inverse = invert(covariance)
        left, values, right = torch.linalg.svd(weight.float() @ covariance, full_matrices=False)
        rank = self.options.rank
        chosen = slice(rank) if self.options.mode == "ipm" else slice(len(values) - rank, None)
        root = (values[chosen] / self.scale).sqrt()
        self.down_start.copy_(root[:, None] * (right[chosen] @ inverse))
        self.up_start.copy_(left[:, chosen] * root)
        self.down.copy_(self.down_start)
        self.up.copy_(self.up_start)
        self.started = True

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add what has changed since the start."""
        self._check_started()
        trained = functional.linear(functional.linear(inputs, self.down), self.up)
        start = functional.linear(functional.linear(inputs, self.down_start), self.up_start)
        return outputs + self.scale * (trained - start)

    def delta(self, module: nn.Module) -> Delta:
        """The change since the start: s (B A - B0 A0)."""
        self._check_started()
        return Delta(self.scale * (self.up @ self.down - self.up_start @ self.down_start))

    def _check_started(self) -> None:
        if not self.started:
            raise ValueError(
                f"CorDA at {self.name} has not seen data; expected `calibrate` when it was "
                "attached, or a file. Attach it with calibrate=..., which runs the model on some "
                "batches."
            )

    def _load_from_state_dict(  # type: ignore[override]
        self, state_dict: dict[str, Any], prefix: str, *rest: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.started = self.started or f"{prefix}up_start" in state_dict


@torch.no_grad()
def collect_covariances(
    model: nn.Module, hosts: dict[str, nn.Module], calibrate: Any
) -> dict[str, Tensor]:
    """Average X^T X over samples, each divided by its largest magnitude.

    The authors' code and PEFT divide by the largest value, which may be near 0.

    Args:
        model: The frozen model.
        hosts: Linear layers of it, by name.
        calibrate: Runs it on some batches of any size.

    Returns:
        Covariance of what each layer reads, [in, in].

    Raises:
        ValueError: A layer was not run, or on numbers that are not finite or are all zero.
    """
    found = {name: Covariance() for name in hosts}
    hooks = [hosts[name].register_forward_pre_hook(one.add) for name, one in found.items()]
    try:
        for _ in calibrate(model):
            pass
    finally:
        for hook in hooks:
            hook.remove()
    for name, one in found.items():
        size = float(one.total.trace()) if one.samples else 0.0
        if not 0 < size < inf:
            raise ValueError(
                f"`calibrate` ran {name} on {one.samples} samples, whose covariance has the trace "
                f"{size}; expected some that are finite and not zero. Run all of the model, or "
                "adapt fewer layers."
            )
    return {name: one.total / one.samples for name, one in found.items()}


class Covariance:
    """Sums X^T X over samples.

    Attributes:
        samples: How many there were.
        total: The sum, [in, in].
    """

    def __init__(self):
        self.samples = 0
        self.total = torch.zeros(())

    def add(self, host: nn.Module, args: tuple[Tensor, ...]) -> None:
        """Take what a layer reads, as a hook of it."""
        read = args[0].float()
        read = read.reshape(len(read), -1, read.shape[-1])  # [batch, tokens, in]
        peaks = read.abs().amax((1, 2), keepdim=True)
        read = (read / peaks.clamp_min(1e-30)).flatten(0, 1)
        self.samples += len(peaks)
        self.total = self.total.to(read.device) + read.T @ read


def invert(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Damp a covariance matrix until it can be inverted.

    Args:
        covariance: [in, in].

    Returns:
        The damped matrix and its inverse, [in, in].
    """
    identity = torch.eye(len(covariance), device=covariance.device)
    mean = covariance.diagonal().mean()
    damping = 0.01
    while True:
        damped = covariance + damping * mean * identity
        inverse = torch.linalg.inv(damped)
        if torch.dist(damped @ inverse, identity) < 0.05:
            return damped, inverse
        damping *= 2
