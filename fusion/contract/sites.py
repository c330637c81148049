"""The places in a model where adapters are put, found by role."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from fusion.contract.blocks import BLOCKS, Block, SubLayer
from modalities.tap import Skip, Tap

SITE = "mcgurk_site"  # the holder of adapters inside a module that has some
LINEAR_ROLES = ("q", "k", "v", "o", "fc1", "fc2", "gate")
ROLES = (*LINEAR_ROLES, "attention", "mlp", "norm", "block", "input", "embed", "conv", "tap")
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Site:
    """A module that an adapter changes.

    Attributes:
        name: The module's path in its model, with dots.
        role: One of `ROLES`.
        stack: Name of the list of blocks that it belongs to, or "".
        layer: Number of its block in that list, or -1.
        layers: How many blocks that list has.
        module: The module itself; for "mlp" and, where an adapter follows the sub-layer,
            "attention", the linear layer that ends the sub-layer.
        dim_in: Features that it reads.
        dim_out: Features that it returns.
        heads: Attention heads of its block, or 0.
        reads: Name of the first module of the sub-layer, whose input a parallel adapter reads.
        norm: Name of the normalisation of its sub-layer, or "".
        sublayer: Role of the sub-layer that a normalisation goes with; "" where the site is none,
            or goes with none.
        norm_first: Whether that comes before the sub-layer.
        cross: Whether its sub-layer attends to another sequence.
        decodes: Whether its block decodes step by step, and a token must not see later ones.
        attends: Whether its block's attention asks its adapters, see `Block`.
    """

    name: str
    role: str
    stack: str
    layer: int
    layers: int
    module: nn.Module
    dim_in: int
    dim_out: int
    heads: int = 0
    reads: str = ""
    norm: str = ""
    sublayer: str = ""
    norm_first: bool = True
    cross: bool = False
    decodes: bool = False
    attends: bool = True

    @property
    def convolves(self) -> bool:
        """Whether the module is a convolution: its features are channels, before the places."""
        return isinstance(self.module, CONVOLUTIONS)

    @property
    def taps(self) -> bool:
        """Whether the module is a place between frozen parts, see `modalities.tap`."""
        return isinstance(self.module, Tap)

    @property
    def skips(self) -> bool:
        """Whether it adds nothing of its own, so that an adapter here takes what it reads."""
        return isinstance(self.module, Skip)

    @property
    def embeds(self) -> bool:
        """Whether the module is an embedding table: it reads numbers of its rows."""
        return isinstance(self.module, nn.Embedding)

    @property
    def ends_sublayer(self) -> bool:
        """Whether it stands for a whole sub-layer, and not for one layer of it."""
        return self.role in ("attention", "mlp")

    def dim_read(self, mode: str) -> int:
        """Return the features that an adapter here reads, "sequential" or "parallel"."""
        if mode == "sequential" or self.ends_sublayer:
            return self.dim_out  # a sub-layer returns as many features as it reads
        return self.dim_in


Blocks = Mapping[str, tuple[Block, ...]]


def find_sites(
    model: nn.Module,
    where: Sequence[str],
    acts_on: str = "linear",
    layers: Sequence[int] | None = None,
    blocks: Blocks | None = None,
) -> list[Site]:
    """Find the modules of some roles.

    Args:
        model: Any module that holds Transformer blocks.
        where: Roles, each perhaps with what it is part of in front: "q", "encoder.fc2",
            "cross.attention", "decoder.self.o"; "mlp.norm" is the normalisation of that sub-layer.
            A name of a module of the model is a role of its own.
        acts_on: "linear": the roles of linear layers and norms; "sublayer": "attention" and "mlp"
            mean the layer that ends the sub-layer; "attention": they mean the attention module.
        layers: Numbers of the blocks, negative ones from the end; None takes all.
        blocks: Block classes beside the known ones, by class name.

    Returns:
        The sites, in the order of the model.

    Raises:
        ValueError: No such role or layer, or no known block in the model.
    """
    known = {**BLOCKS, **(blocks or {})}
    found = list(_walk(model, acts_on, known))
    chosen: list[Site] = []
    for item in where:
        *qualifiers, role = item.split(".")
        if role not in ROLES:
            chosen.append(_by_name(model, item))
            continue
        sites = [s for s in found if s.role == role and all(_fits(s, q) for q in qualifiers)]
        if not sites:
            raise ValueError(_nothing(model, item, found))
        chosen += sites
    if layers is not None:
        chosen = [s for s in chosen if s.layer < 0 or s.layer in _numbers(layers, s.layers)]
    order = {name: index for index, (name, _) in enumerate(model.named_modules())}
    return sorted({(s.name, s.role): s for s in chosen}.values(), key=lambda s: order[s.name])


def _walk(model: nn.Module, acts_on: str, blocks: Blocks) -> Iterator[Site]:
    modules = _own_modules(model)
    lists: dict[str, list[str]] = {}
    norms: dict[str, dict[str, Any]] = {}
    for name, module in modules.items():
        if type(module).__name__ in blocks:
            lists.setdefault(name.rpartition(".")[0], []).append(name)
    for stack, names in lists.items():
        for layer, name in enumerate(names):
            block = _block_of(modules[name], blocks)
            base: dict[str, Any] = dict(stack=stack, layer=layer, layers=len(names))
            base |= dict(decodes=_decodes(modules[name]), attends=block.attends)
            dim = _width(modules[name], block)
            heads = _heads(modules[name], block)
            place: dict[str, Any] = dict(
                module=modules[name], dim_in=dim, dim_out=dim, heads=heads, **base
            )
            if layer == 0:
                yield Site(name=name, role="input", **place)
            yield Site(name=name, role="block", **place)
            for sublayer in block.sublayers:
                yield from _parts(modules, name, sublayer, acts_on, heads, base)
                norms[f"{name}.{sublayer.norm}"] = dict(
                    sublayer=sublayer.role,
                    norm_first=sublayer.norm_first,
                    cross=sublayer.cross,
                    decodes=base["decodes"],
                )
    for name, module in modules.items():
        if _is_norm(module):
            stack, layer, count = _place(name, lists)
            dim = int(module.weight.numel())  # type: ignore[union-attr]
            place = norms.get(name, {})
            yield Site(name, "norm", stack, layer, count, module, dim, dim, **place)
        elif isinstance(module, CONVOLUTIONS):
            stack, layer, count = _place(name, lists)
            yield Site(name, "conv", stack, layer, count, module, *_dims(module))
        elif isinstance(module, Tap):
            yield Site(name, "tap", name.rpartition(".")[0], -1, 0, module, *_dims(module))
        elif isinstance(module, nn.Embedding) and _is_word_table(name):
            dim = module.embedding_dim
            yield Site(name, "embed", "", -1, 0, module, dim, dim)


def _parts(
    modules: Mapping[str, nn.Module],
    block: str,
    sublayer: SubLayer,
    acts_on: str,
    heads: int,
    base: dict[str, Any],
) -> Iterator[Site]:
    common: dict[str, Any] = dict(
        heads=heads,
        cross=sublayer.cross,
        norm_first=sublayer.norm_first,
        norm=f"{block}.{sublayer.norm}" if sublayer.norm else "",
        reads=f"{block}.{next(iter(sublayer.parts.values()))}",
        **base,
    )
    for role, name in sublayer.parts.items():
        yield _inner(f"{block}.{name}", role, modules[f"{block}.{name}"], common)
    if acts_on == "attention" and sublayer.module:
        name = f"{block}.{sublayer.module}"
        dim_in, dim_out = _dims(modules[f"{block}.{sublayer.parts['k']}"])
        place: dict[str, Any] = dict(module=modules[name], dim_in=dim_in, dim_out=dim_out)
        yield Site(name, sublayer.role, **place, **common)
    elif acts_on != "attention":
        last = f"{block}.{sublayer.parts['o' if sublayer.role == 'attention' else 'fc2']}"
        yield _inner(last, sublayer.role, modules[last], common)


def _inner(name: str, role: str, module: nn.Module, common: dict[str, Any]) -> Site:
    dim_in, dim_out = _dims(module)
    return Site(name, role, module=module, dim_in=dim_in, dim_out=dim_out, **common)


def _dims(module: nn.Module) -> tuple[int, int]:
    """Return what a linear layer or a convolution reads and returns: features, or channels."""
    if isinstance(module, CONVOLUTIONS):
        return module.in_channels, module.out_channels
    if isinstance(module, Tap):
        return module.dim, module.dim
    assert isinstance(module, nn.Linear)
    return module.in_features, module.out_features


def unwrap(module: nn.Module) -> nn.Module:
    """Return what PEFT's wrappers, ours among them, have inside."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return module.get_base_layer() if isinstance(module, BaseTunerLayer) else module


def _own_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a model by name, as if nothing were attached."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    found = dict(model.named_modules())
    added = tuple(f"{name}." for name, m in found.items() if isinstance(m, BaseTunerLayer))
    return {
        name: unwrap(module)
        for name, module in found.items()
        if not name.startswith(added) and not name.endswith(f".{SITE}")
    }


def _block_of(module: nn.Module, blocks: Blocks) -> Block:
    names: list[str] = []
    for block in blocks[type(module).__name__]:
        names = [name for sublayer in block.sublayers for name in sublayer.parts.values()]
        if all(_has(module, name) for name in names):
            return block
    raise ValueError(
        f"A {type(module).__name__} here has other parts than the table names; expected "
        f"{', '.join(names)}. Give its names in `blocks`."
    )


def _has(module: nn.Module, name: str) -> bool:
    try:
        module.get_submodule(name)
    except AttributeError:
        return False
    return True


def _width(module: nn.Module, block: Block) -> int:
    query = unwrap(module.get_submodule(next(iter(block.sublayers[0].parts.values()))))
    return _dims(query)[0]


def _heads(module: nn.Module, block: Block) -> int:
    names = ("num_heads", "num_attention_heads", "n_heads")
    for sublayer in block.sublayers:
        if sublayer.module:
            inner = unwrap(module.get_submodule(sublayer.module))
            for holder in (inner, getattr(inner, "config", None)):
                for name in names:
                    if isinstance(getattr(holder, name, None), int):
                        return int(getattr(holder, name))
    return 0


def _decodes(block: nn.Module) -> bool:
    return "Decoder" in type(block).__name__ or bool(getattr(block, "is_decoder", False))


def _is_norm(module: nn.Module) -> bool:
    named = type(module).__name__.lower()
    return named.endswith(("layernorm", "rmsnorm")) and getattr(module, "weight", None) is not None


def _is_word_table(name: str) -> bool:
    return name.rpartition(".")[2] in ("embed_tokens", "word_embeddings", "token_embedding")


def _place(name: str, lists: Mapping[str, list[str]]) -> tuple[str, int, int]:
    for stack, names in lists.items():
        for layer, block in enumerate(names):
            if name.startswith(f"{block}."):
                return stack, layer, len(names)
    return name.rpartition(".")[0], -1, 0


def _fits(site: Site, qualifier: str) -> bool:
    if qualifier in ("self", "cross"):
        return site.cross == (qualifier == "cross")
    if site.sublayer == qualifier:
        return True
    path = f"{site.stack}.{site.name}".split(".")
    return any(part in (qualifier, f"{qualifier}_model") for part in path)


def _by_name(model: nn.Module, name: str) -> Site:
    modules = _own_modules(model)
    if name not in modules:
        raise ValueError(f"No role or module {name!r}; roles: {', '.join(ROLES)}.")
    module = modules[name]
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | Tap):
        role = "fc1" if isinstance(module, nn.Linear) else "conv"
        role = "tap" if isinstance(module, Tap) else role
        return Site(name, role, "", -1, 0, module, *_dims(module))
    if _is_norm(module):
        dim = int(module.weight.numel())  # type: ignore[union-attr]
        return Site(name, "norm", "", -1, 0, module, dim, dim)
    if isinstance(module, nn.Embedding):
        dim = module.embedding_dim
        return Site(name, "embed", "", -1, 0, module, dim, dim)
    raise ValueError(
        f"Module {name} is a {type(module).__name__}; by name only linear layers, "
        f"convolutions, norms and embeddings can be adapted. Give a role: {', '.join(ROLES)}."
    )


def _numbers(layers: Sequence[int], count: int) -> set[int]:
    for number in layers:
        if not -count <= number < count:
            raise ValueError(f"No layer {number}; there are {count}, from 0 or from -1 back.")
    return {number % count for number in layers}


def _nothing(model: nn.Module, item: str, found: Sequence[Site]) -> str:
    if not found:
        return (
            f"No known Transformer block in this {type(model).__name__}; known: "
            f"{', '.join(sorted(BLOCKS))}. Give its names in `blocks`, or modules by name."
        )
    roles = sorted({site.role for site in found}, key=ROLES.index)
    stacks = sorted({site.stack for site in found if site.stack})
    return (
        f"No {item!r} in this {type(model).__name__}; it has {', '.join(roles)} in "
        f"{', '.join(stacks)}."
    )
