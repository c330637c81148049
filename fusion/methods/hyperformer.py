"""Hyperformer: a network that generates the bottleneck adapters of all layers and tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.context import Repeats
from fusion.contract.holder import ATTRIBUTE
from fusion.contract.method import Adapter, Attached
from fusion.contract.options import check_choice
from fusion.contract.sites import Site, unwrap
from fusion.methods.bottleneck import ACTIVATIONS


@dataclass(frozen=True)
class HyperformerOptions:
    """Options of Hyperformer.

    Attributes:
        rank: Width of the bottlenecks.
        tasks: How many tasks there are.
        embedding: Width of the embeddings of tasks and of layers.
        hidden: Width inside the network that reads them.
        projected: Width of what it returns, which the generators read.
        activation: Non-linearity inside the bottlenecks: relu, gelu, gelu_tanh, tanh or silu.
        std: Standard deviation of the layers that generate down, at the start; those of up start at
            zero.
    """

    rank: int = 16
    tasks: int = 1
    embedding: int = 512
    hidden: int = 128
    projected: int = 8
    activation: str = "gelu"
    std: float = 0.01

    def __post_init__(self):
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.tasks < 1:
            raise ValueError(f"Option 'tasks' is {self.tasks}; expected 1 or more.")


class Generator(nn.Module):
    """Generates the adapters of one kind of site.

    Args:
        dim: Features at the site.
        options: Its `rank`, `projected` and `std` count here.
    """

    def __init__(self, dim: int, options: HyperformerOptions):
        super().__init__()
        self.rank, read = options.rank, options.projected
        self.down = nn.Linear(read, options.rank * dim)
        self.down_bias = nn.Linear(read, options.rank)
        self.up = nn.Linear(read, dim * options.rank)
        self.up_bias = nn.Linear(read, dim)
        for layer in (self.down, self.down_bias, self.up, self.up_bias):
            nn.init.zeros_(layer.bias)
        for layer in (self.up, self.up_bias):
            nn.init.zeros_(layer.weight)
        for layer in (self.down, self.down_bias):
            nn.init.normal_(layer.weight, std=options.std)

    def forward(self, read: Tensor) -> tuple[Tensor, ...]:
        """Generate adapters.

        Args:
            read: [tasks, projected].

        Returns:
            Down [tasks, rank, dim] and its bias [tasks, 1, rank], up [tasks, dim, rank] and its
            bias [tasks, 1, dim].
        """
        down = self.down(read).unflatten(1, (self.rank, -1))
        up = self.up(read).unflatten(1, (-1, self.rank))
        return down, self.down_bias(read)[:, None], up, self.up_bias(read)[:, None]


class Hypernetwork(nn.Module):
    """Generates the adapters of one stack of blocks.

    Args:
        sites: All sites of that stack; each layer that occurs gets an embedding.
        options: Widths of the embeddings, of the network and of its generators.
    """

    def __init__(self, sites: Sequence[Site], options: HyperformerOptions):
        super().__init__()
        self.numbers = _numbers_of(sites)
        self.layers = nn.Embedding(len(self.numbers), options.embedding)
        self.network = nn.Sequential(
            nn.Linear(2 * options.embedding, options.hidden),
            nn.ReLU(),
            nn.Linear(options.hidden, options.projected),
            nn.LayerNorm(options.projected),
        )
        widths = _widths_of(sites)
        self.generators = nn.ModuleDict({k: Generator(d, options) for k, d in widths.items()})

    def forward(self, tasks: Tensor, layer: int, kind: str) -> tuple[Tensor, ...]:
        """Generate the adapters of a site for some tasks, [tasks, embedding]; see `Generator`."""
        place = self.layers.weight[self.numbers.index(layer)].expand_as(tasks)
        return self.generators[kind](self.network(torch.cat([tasks, place], 1)))


class Hypernetworks(nn.Module):
    """Those of all stacks, and the tasks, which they have in common.

    Args:
        sites: All sites of the model that get an adapter, whatever their stack.
        options: How many tasks there are, and the widths of all stacks' networks.

    Attributes:
        chosen: The task of all rows, or that of each; `select_task` sets it.
        repeats: How a batch of more rows than tasks comes about.
    """

    def __init__(self, sites: Sequence[Site], options: HyperformerOptions):
        super().__init__()
        self.chosen: tuple[int, ...] = (0,)
        self.repeats = Repeats()
        self.tasks = nn.Embedding(options.tasks, options.embedding)
        stacks = {_key_of(stack): of for stack, of in _by_stack(sites).items()}
        self.stacks = nn.ModuleDict({key: Hypernetwork(of, options) for key, of in stacks.items()})

    def forward(self, rows: int, stack: str, layer: int, kind: str) -> tuple[Tensor, ...]:
        """Generate the adapters of a site, one for all rows or one for each; see `Generator`."""
        tasks = sorted(set(self.chosen))  # each is generated once, however many rows are of it
        generated = self.stacks[stack](self.tasks.weight[tasks], layer, kind)
        if len(self.chosen) == 1:
            return generated
        numbers = self.repeats.numbers(len(self.chosen), rows, "tasks")
        places = torch.tensor([tasks.index(task) for task in self.chosen])[numbers]
        return tuple(tensor[places.to(tensor.device)] for tensor in generated)


class Hyperformer(Adapter):
    """Adds a narrow network to what a sub-layer returns; one trained network generates them all.

    There is one generating network per stack of blocks, with an embedding of each layer, and in it
    a generator per kind of site. It reads the task too: `select_task` chooses it, the first is
    chosen at the start and after loading. VL-Adapter has rank 96, tasks 4 and gelu_tanh. The
    paper's generated normalisations are left out, as there.
    """

    Options = HyperformerOptions
    where = ("attention", "mlp")
    acts_on = "sublayer"
    title = "Hyperformer (2021, arXiv 2106.04489); VL-Adapter (2112.06825)"
    formula = "y = f(x) + U act(D f(x)), (D, U) = G_site(LN(MLP([task; layer])))"

    def __init__(self, site: Site, options: HyperformerOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.activation = ACTIVATIONS[options.activation]
        # In a tuple, so that what all sites share is registered at the first alone.
        self.borrowed = (shared,)
        self.place = _key_of(site.stack), site.layer, _kind_of(site)

    @classmethod
    def accepts(cls, site: Site, options: HyperformerOptions) -> bool:
        """Take sites in blocks."""
        return site.layer >= 0

    @classmethod
    def share(cls, sites: Sequence[Site], options: HyperformerOptions) -> Hypernetworks:
        """Build all that is trained."""
        return Hypernetworks(sites, options)

    @classmethod
    def count(cls, site: Site, options: HyperformerOptions) -> int:
        """Nothing: all is shared."""
        return 0

    @classmethod
    def count_shared(cls, sites: Sequence[Site], options: HyperformerOptions) -> int:
        """Tasks e, and of each stack layers e + (2 e + 1) h + (h + 1) p + 2 p and the generators.

        A generator has (p + 1) (2 d r + r + d).
        """
        e, h, p, r = options.embedding, options.hidden, options.projected, options.rank
        total = options.tasks * e
        for of in _by_stack(sites).values():
            total += len(_numbers_of(of)) * e + (2 * e + 1) * h + (h + 1) * p + 2 * p
            total += sum((p + 1) * (2 * d * r + r + d) for d in _widths_of(of).values())
        return total

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the output of the generated adapter."""
        shared = self.borrowed[0]
        assert shared is not None
        down, down_bias, up, up_bias = shared(len(outputs), *self.place)
        return outputs + self.activation(outputs @ down.mT + down_bias) @ up.mT + up_bias


def select_task(
    adapters: Attached,
    name: str,
    task: int | Sequence[int],
    *,
    whole: int = 1,
    each: bool = False,
) -> None:
    """Choose the task of a Hyperformer adapter, until the next call.

    Args:
        adapters: All adapters of the model.
        name: Which of them: one with Hyperformer.
        task: Its number; or one for each row that has the adapter.
        whole: How often the batch holds these rows one after the other, see `Adapters.rows`.
        each: Whether a module may see several rows for one, see `Adapters.rows`.

    Raises:
        ValueError: No such adapter or task, or the adapter is not Hyperformer.
    """
    chosen = (task,) if isinstance(task, int) else tuple(task)
    found = [part for part in adapters.parts(name) if part.method == "hyperformer"]
    if not found:
        methods = ", ".join(part.method for part in adapters.parts(name))
        raise ValueError(f"Adapter {name!r} is {methods}; only hyperformer has tasks to select.")
    for part in found:
        host = unwrap(adapters.model.get_submodule(part.sites[0]))
        shared = host.get_submodule(f"{ATTRIBUTE}.mcgurk_adapters.{part.key}.shared")
        assert isinstance(shared, Hypernetworks)
        count = part.options.tasks
        wrong = [number for number in chosen if not 0 <= number < count]
        if wrong or not chosen:
            raise ValueError(
                f"No task {wrong[0] if wrong else 'was given'}; adapter {name!r} has {count}, "
                f"from 0 to {count - 1}."
            )
        shared.chosen, shared.repeats = chosen, Repeats(whole, each)


def _by_stack(sites: Sequence[Site]) -> dict[str, list[Site]]:
    stacks: dict[str, list[Site]] = {}
    for site in sites:
        stacks.setdefault(site.stack, []).append(site)
    return stacks


def _key_of(stack: str) -> str:
    return stack.replace(".", "-")  # torch wants no dots in names


def _kind_of(site: Site) -> str:
    return f"cross_{site.role}" if site.cross else site.role


def _numbers_of(sites: Sequence[Site]) -> list[int]:
    return sorted({site.layer for site in sites})


def _widths_of(sites: Sequence[Site]) -> dict[str, int]:
    return {_kind_of(site): site.dim_out for site in sites}
