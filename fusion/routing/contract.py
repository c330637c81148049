"""What a form of experts and a router must offer, and what a router decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.contract.sites import Site
from fusion.routing.stacked import expert_in, hold_first, keep_names, trained_in

# Makes of logits [..., experts] weights in the same axes, and, where experts were drawn so that no
# gradient goes through the weights, the log-probability of the draw, [...]; else None.
Weigh = Callable[[Tensor], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, eq=False)
class Routing:
    """What a router decided at a site.

    Attributes:
        weights: Of each expert: [batch, experts] for whole samples, [batch, tokens, experts] for
            tokens, [batch, heads, experts] where each head of the experts is weighed by itself.
        logits: What the weights were made of, in the same axes; None where they were given.
        per_token: Whether tokens have weights of their own.
        features: What the router read, [batch, dim] or [batch, tokens, dim]; None where it read
            none.
        mask: Which tokens are real, bool, [batch, tokens]; None where all are.
        chosen: At most so many weights of a row differ from 0; None where all may.
        log_probability: Of the experts that were drawn, [batch] or [batch, tokens]; None where
            nothing was drawn.
        rows: Numbers of the rows of the batch, [rows], where the adapter saw some only; or None.
    """

    weights: Tensor
    logits: Tensor | None = None
    per_token: bool = False
    features: Tensor | None = None
    mask: Tensor | None = None
    chosen: int | None = None
    log_probability: Tensor | None = None
    rows: Tensor | None = None

    def take(self, numbers: Tensor) -> "Routing":
        """Return the decision for some rows, by their numbers, [rows]."""

        def some(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[numbers.to(tensor.device)]

        return replace(
            self,
            weights=self.weights[numbers.to(self.weights.device)],
            logits=some(self.logits),
            features=some(self.features),
            mask=some(self.mask),
            log_probability=some(self.log_probability),
        )


class ExpertForm(nn.Module):
    """The experts at one site. A form is a subclass, in a file of its own.

    What holds the experts are parameters with the experts as an axis, so that they can be
    counted, averaged and exchanged by number.

    Attributes:
        Options: A frozen dataclass of plain values.
        where: The roles that a bank of it is put at by default.
        per_token: Whether tokens can have weights of their own.
        by_head: Whether weights have an axis of heads, [batch, heads, experts], be it one head.
        axes: The axis of the experts in each parameter that holds all of them, by its name.
        title: The papers that it comes from, with year and arXiv number.
        formula: What it adds, in one line; w_e is the weight of expert e.
    """

    Options: ClassVar[type]
    where: ClassVar[tuple[str, ...]] = ("q", "v")
    per_token: ClassVar[bool] = True
    by_head: ClassVar[bool] = False
    axes: ClassVar[Mapping[str, int]] = {}
    title: ClassVar[str] = ""
    formula: ClassVar[str] = ""

    def __init__(
        self, site: Site, experts: int, options: Any, shared: nn.Module | None = None
    ) -> None:
        super().__init__()
        keep_names(self)

    @classmethod
    def check(cls, experts: int, options: Any) -> None:
        """Check options against the number of experts.

        Raises:
            ValueError: They do not go together.
        """

    @classmethod
    def accepts(cls, site: Site, options: Any) -> bool:
        """Tell whether a site of the right role takes the form; others are passed over."""
        return not site.convolves and not site.ends_sublayer

    @classmethod
    def reads(cls, options: Any) -> str:
        """Say what the experts read, see `fusion.contract.method.Adapter.reads`."""
        return ""

    @classmethod
    def heads(cls, options: Any) -> int:
        """Say how many parts of each expert are weighed by themselves."""
        return 1

    @classmethod
    def dim_read(cls, site: Site) -> int:
        """Return the features that the experts, and a router beside them, read."""
        return site.dim_in

    @classmethod
    def share(cls, sites: Sequence[Site], experts: int, options: Any) -> nn.Module | None:
        """Build what the experts of all sites have in common, if anything."""
        return None

    @classmethod
    def count(cls, site: Site, experts: int, options: Any) -> int:
        """Parameters of all experts at a site, in closed form."""
        raise NotImplementedError

    @classmethod
    def count_held(cls, site: Site, held: int, options: Any) -> int:
        """Parameters at a site that stay as they are where the first experts do."""
        return cls.count(site, held, options)

    @classmethod
    def count_shared(cls, sites: Sequence[Site], experts: int, options: Any) -> int:
        """Parameters of what the sites share, in closed form."""
        return 0

    @classmethod
    def grown(cls, options: Any, like: int) -> Any:
        """Return the options with one more expert, of the kind of another, by its number."""
        return options

    def expert(self, number: int) -> dict[str, Tensor]:
        """Return the tensors of one expert by name, the axis of experts 1 long."""
        return expert_in(self, self.axes, number)

    def hold(self, count: int) -> None:
        """Let the first experts, and what all share, stay as they are; 0 for none."""
        hold_first(self, self.axes, count)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters of the experts that are not held, by the names in `expert`."""
        return trained_in(self, self.axes)

    def forward(self, inputs: Tensor, routing: Routing) -> Tensor:
        """Return what the experts add together.

        Args:
            inputs: [batch, tokens, dim_in].
            routing: The weights, see `Routing`.

        Returns:
            [batch, tokens, dim_out].
        """
        raise NotImplementedError


class Router(nn.Module):
    """Weighs experts. A router is a subclass, in a file of its own.

    Attributes:
        Options: A frozen dataclass of plain values.
        reads_features: Whether it looks at what the site reads.
        per_token: Whether it can weigh for each token by itself.
        axes: The axis of the experts in each parameter that has a column for each, by its name.
        fixed: Why it takes no further expert, to follow its name; "" where it does.
        title: The papers that it comes from, with year and arXiv number.
        formula: Its logits, in one line.
    """

    Options: ClassVar[type]
    reads_features: ClassVar[bool] = True
    per_token: ClassVar[bool] = True
    axes: ClassVar[Mapping[str, int]] = {}
    fixed: ClassVar[str] = ""
    title: ClassVar[str] = ""
    formula: ClassVar[str] = ""

    def __init__(self, dim: int, experts: int, heads: int, options: Any) -> None:
        super().__init__()
        keep_names(self)
        self.dim, self.experts, self.heads = dim, experts, heads

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: Any) -> int:
        """Trained parameters of one router, in closed form.

        Args:
            dim: Features that it reads.
            experts: How many it weighs.
            heads: How many parts of each it weighs by themselves.
            options: An instance of `Options`.
        """
        raise NotImplementedError

    def hold(self, count: int) -> None:
        """Let the columns of the first experts stay as they are; 0 for none."""
        hold_first(self, self.axes, count)

    def look_at(self, form: ExpertForm) -> None:
        """See the experts before each decision, for a router that is made of them."""

    def decide(self, features: Tensor, context: Context | None, weigh: Weigh) -> Routing:
        """Weigh the experts.

        Args:
            features: What the site reads, [batch, tokens, dim], or its mean over the real tokens,
                [batch, dim], where a whole sample is weighed.
            context: What else is known of these rows; None where nothing is.
            weigh: Makes weights of logits.

        Raises:
            ValueError: The context lacks what it needs.
        """
        logits = self.logits(features, context)
        weights, log_probability = weigh(logits)
        return Routing(weights, logits, log_probability=log_probability)

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Score the experts.

        Returns:
            In the axes of `features` with experts for its features, or [batch, heads, experts].
        """
        raise NotImplementedError
