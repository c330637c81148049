"""PEFT's own Poly through the calls of all adapters, to compare with; its Arrow is a router."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from fusion.contract.method import Delta, PeftMethod
from fusion.contract.selection import Selection, selection_of
from fusion.contract.sites import Site
from fusion.methods.catalog import OF_HIGHER_STOREYS
from fusion.routing.context import TASKS, needed

NAME = "peft_poly"


@dataclass(frozen=True)
class PeftPolyOptions:
    """Options of PEFT's Poly.

    Attributes:
        rank: Columns of each skill's A and rows of its B; 1 or more.
        tasks: How many there are.
        skills: LoRAs at each module.
        heads: Parts that each is cut into; more than 1 is multi-head routing.
    """

    rank: int = 8
    tasks: int = 1
    skills: int = 4
    heads: int = 1

    def __post_init__(self):
        if min(self.tasks, self.skills, self.heads) < 1:
            raise ValueError(
                f"Options 'tasks', 'skills' and 'heads' are {self.tasks}, {self.skills} and "
                f"{self.heads}; expected 1 or more of each."
            )


class PeftPoly(PeftMethod):
    """PEFT's Poly; the tasks of the rows come from the context, see `fusion.routing.context`.

    The bank of the preset "poly" computes the same, and has the rest: reports, mixtures of tasks,
    adapters that differ between rows.
    """

    Options = PeftPolyOptions
    peft_type = "POLY"
    merges = False
    per_sample = False
    float_only = "its matrices are stacked, a skill each"
    title = "Polytropon (2022, arXiv 2202.13914); multi-head routing (2022, arXiv 2211.03831)"
    formula = "y = W x + (1 / r) [sum_e w_he B_he]_h [sum_e w_he A_he]_h x"

    @classmethod
    def accepts(cls, site: Site, options: PeftPolyOptions) -> bool:
        """Take linear layers."""
        return isinstance(site.module, nn.Linear)

    @classmethod
    def config(cls, names: list[str], options: PeftPolyOptions) -> Any:
        """Build PEFT's config."""
        from peft import PolyConfig

        return PolyConfig(
            r=options.rank,
            n_tasks=options.tasks,
            n_skills=options.skills,
            n_splits=options.heads,
            target_modules=names,
        )

    @classmethod
    def options_of(cls, config: Any, layers: Mapping[str, Any], key: str) -> PeftPolyOptions:
        """Read the options from PEFT's config."""
        return PeftPolyOptions(config.r, config.n_tasks, config.n_skills, config.n_splits)

    @classmethod
    def prepare(
        cls, model: nn.Module, sites: Sequence[Site], options: PeftPolyOptions, calibrate: Any
    ) -> Selection:
        """Check that the heads divide all widths, and return what knows the context."""
        for site in sites:
            if site.dim_in % options.heads or site.dim_out % options.heads:
                raise ValueError(
                    f"{site.name} reads {site.dim_in} features and returns {site.dim_out}; "
                    f"expected multiples of the {options.heads} heads that option 'heads' asks for."
                )
        return selection_of(model)

    @classmethod
    def finish(cls, layers: Mapping[str, nn.Module], key: str, prepared: Selection) -> None:
        """Let the layers get the tasks from the context."""
        for layer in layers.values():
            if not layer.__dict__.get("mcgurk_tasks"):
                layer.__dict__["mcgurk_tasks"] = True
                give = partial(_give_tasks, prepared)
                layer.register_forward_pre_hook(give, with_kwargs=True)

    @classmethod
    def count(cls, site: Site, options: PeftPolyOptions) -> int:
        """S r (d_in + d_out) + T H S."""
        matrices = options.skills * options.rank * (site.dim_in + site.dim_out)
        return matrices + options.tasks * options.heads * options.skills

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """Nothing can be merged: rows differ."""
        raise NotImplementedError


def _give_tasks(
    selection: Selection, layer: Any, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict[str, Any]] | None:
    """Add PEFT's argument where one of its Polys is on."""
    if not any(key in layer.poly_lora_A for key in selection.active):
        return None
    tasks = needed(selection.seen(len(args[0])), TASKS, NAME)
    return args, kwargs | {"task_ids": tasks}


OF_HIGHER_STOREYS[NAME] = PeftPoly
