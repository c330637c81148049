"""Banks that grow: what each expert was trained on, when a new one is wanted, and how it begins.

A bank grows at all its sites at once. Where blocks are to grow by themselves, as in SEMA, put a
bank at each block, and ask the first one first: what it adds changes what the next one reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from fusion.contract.options import check_choice
from fusion.routing.bank import Bank, load_bank
from fusion.routing.growth import add_expert, expert_of, parameters_of_last
from fusion.sets.descriptor_files import (
    DescriptorOptions,
    build_descriptor,
    load_descriptors,
    save_descriptors,
)
from fusion.sets.descriptors import Descriptor, Fit, calibrate, judge
from fusion.sets.growth import BEGINNINGS, MeanPull, begin


@dataclass(eq=False)
class GrowingBank:
    """A bank, and for each expert what it was trained on.

    Attributes:
        bank: On its model.
        descriptors: By the name of the expert; training and growing need them, running does not.
        thresholds: The highest mean score of clips that fit, by the same names.

    Raises:
        ValueError: A descriptor of an expert that the bank does not have.
    """

    bank: Bank
    descriptors: dict[str, Descriptor] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self):
        names = self.bank.options.expert_names
        if strange := sorted(set(self.descriptors) - set(names)):
            raise ValueError(
                f"There is a descriptor of {strange[0]!r}, and bank {self.bank.name!r} has experts "
                f"{', '.join(names)}; expected descriptors of these."
            )

    def judge(self, features: Tensor) -> Fit:
        """Decide whether clips of one kind fit an expert, or nothing known fits.

        Args:
            features: [clips, dim], as they were learnt: of the frozen model, pooled over real
                frames.

        Raises:
            ValueError: No clip, or no expert has been trained.
        """
        return judge(self.descriptors, features, self.thresholds)

    def grow(
        self,
        name: str,
        start: str = "zeros",
        nearest: str = "",
        *,
        retrain_router: bool = False,
    ) -> None:
        """Make room for one more kind of input: an expert that is trained while all others stay.

        The first kind goes to the one expert that a bank may begin with.

        Args:
            name: What the expert is called.
            start: What it begins from: the "mean" of all experts, "zeros" for the form's own
                start, which adds nothing, or "nearest" for a copy of one.
            nearest: The name of that one, as `judge` finds it.
            retrain_router: Whether the routers' columns of older experts are trained along.

        Raises:
            ValueError: Another start, no such expert, a name that is taken, or a router that takes
                no further expert.
        """
        check_choice("start", start, BEGINNINGS)
        bank, options = self.bank, self.bank.options
        if not self.descriptors and options.experts == 1:
            bank.set_options(replace(options, names=(name,), held=0))
            return
        names = options.expert_names
        weights = None
        if start != "zeros":
            experts = {one: expert_of(bank, number) for number, one in enumerate(names)}
            weights = begin(experts, start, nearest)
        like = names.index(nearest) if nearest in names else -1
        add_expert(bank, weights, name, like=like, retrain_router=retrain_router)

    def learn(
        self,
        features: Tensor,
        held_out: Tensor,
        kind: str = "gaussian",
        *,
        width: int = 128,
        clips: int = 16,
        false_alarms: float = 0.01,
        generator: Generator | None = None,
    ) -> None:
        """Keep what the last expert was trained on, and hold all experts from now on.

        Args:
            features: What the frozen model made of the clips that it was trained on, [clips, dim].
            held_out: Of other clips of the same kind, for the threshold, [clips, dim].
            kind: "gaussian" or "autoencoder", see `fusion.sets.descriptors`.
            width: Features in the midst of an autoencoder, 1 or more; SEMA has 128.
            clips: How many clips a decision is taken on.
            false_alarms: The share of decisions on its own kind that may say unknown.
            generator: Draws clips; None for torch's own.

        Raises:
            ValueError: No such kind, or too few clips, or such as hold no numbers.
        """
        descriptor = build_descriptor(DescriptorOptions(kind, features.shape[-1], width))
        drawn = {} if kind == "gaussian" else {"generator": generator}
        descriptor.fit(features, **drawn)
        name = self.bank.options.expert_names[-1]
        self.thresholds[name] = calibrate(
            descriptor, held_out, clips, false_alarms, generator=generator
        )
        self.descriptors[name] = descriptor
        self.bank.hold()

    def save(self, folder: str | Path) -> None:
        """Write the bank, which `load_bank` reads by itself, and beside it the descriptors.

        Raises:
            OSError: The folder cannot be written.
        """
        self.bank.save(folder)
        save_descriptors(folder, self.descriptors, self.thresholds)


def load_growing(model: nn.Module, folder: str | Path, name: str = "bank") -> GrowingBank:
    """Read what `GrowingBank.save` wrote, attach the bank and switch it on.

    Raises:
        FileNotFoundError: The folder or a file is not there.
        ValueError: It is damaged, or belongs to another model.
    """
    descriptors, thresholds = load_descriptors(folder)
    return GrowingBank(load_bank(model, folder, name), descriptors, thresholds)


def mean_pull(bank: Bank, share: float = 0.1) -> MeanPull:
    """Draw the last expert towards the mean of the others: call `step` after the optimiser's.

    Args:
        bank: Its last expert alone is trained.
        share: How far each step goes to the mean, 0 to 1; MOS has 0.1.

    Raises:
        ValueError: There is no other expert, more than one is trained, or a share that is none.
    """
    if not bank.options.held:
        raise ValueError(
            f"No expert of bank {bank.name!r} is held, so there is no mean to go to; grow it first."
        )
    others = [expert_of(bank, number) for number in range(bank.options.held)]
    return MeanPull(parameters_of_last(bank), others, share)


def weights_of(bank: Bank, names: Sequence[str]) -> Tensor:
    """Return weights that give each row one expert, for `bank.route(weights=...)`.

    Args:
        bank: With the experts.
        names: One of each row.

    Returns:
        [batch, experts], 1 at the expert and 0 elsewhere.

    Raises:
        ValueError: No such expert.
    """
    numbers: Mapping[str, int] = {n: i for i, n in enumerate(bank.options.expert_names)}
    if strange := sorted(set(names) - set(numbers)):
        raise ValueError(f"No expert {strange[0]!r}; bank {bank.name!r} has {', '.join(numbers)}.")
    rows = torch.tensor([numbers[name] for name in names])
    return nn.functional.one_hot(rows, len(numbers)).float()
