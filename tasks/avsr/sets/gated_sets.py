"""Several sets of a collection on at once, weighed token by token by gates, the sets frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from fusion.audio_visual.joint import JointFusion
from fusion.audio_visual.mixed import MixedFusion
from fusion.routing.bank import Bank
from fusion.routing.ready_made import bank_of_loras
from fusion.routing.router_files import load_router, save_router
from modalities.tensor_file import read_tensors, write_tensors
from tasks.avsr.sets.set_recogniser import SetRecogniser

NAME, FUSION_GATES = "gates", "fusion_gates.safetensors"


class GatedSets:
    """A bank over the LoRAs of sets, and their fusion modules mixed frame by frame.

    The recogniser knows it as one more set, `name`. As built, all sets are weighed alike.

    Args:
        recogniser: With the sets; the bank is put on its model, switched off.
        sets: Which of its sets are weighed; all have LoRAs, and the fusion "joint" or none.
        changes: Settings of the bank that differ from those of MeteoRA with fresh gates of zeros
            and all sets weighed.
        name: What it is called among the sets.

    Raises:
        ValueError: No such set, sets that do not go together, or an unknown setting.

    Source:
        MeteoRA, arXiv 2405.13053. That gates are put over fusion modules too, and that they start
        at zeros, are ours.
    """

    def __init__(
        self,
        recogniser: SetRecogniser,
        sets: Sequence[str],
        changes: Mapping[str, Any] | None = None,
        name: str = NAME,
    ):
        if missing := sorted(set(sets) - set(recogniser.fusions)):
            raise ValueError(
                f"No adapter sets {', '.join(missing)}; known: {', '.join(recogniser.fusions)}."
            )
        self.name = name
        self.fusion = _mix([recogniser.fusions[one] for one in sets], sets)
        settings = {"rule": "softmax_top_k", "router_start": "zeros", **(changes or {})}
        model = recogniser.adapted.model
        self.bank: Bank = bank_of_loras(model, sets, "meteora", settings, name=name)
        recogniser.adapted.adapters.use(None)
        recogniser.add_set(name, self.fusion)

    def gates(self) -> list[nn.Parameter]:
        """Return what is trained: the gates in the model and those of the fusion modules."""
        own = [] if self.fusion is None else list(self.fusion.gate.parameters())
        return [*self.bank.parameters(), *own]

    def save(self, folder: str | Path) -> None:
        """Write the gates, and which sets they weigh.

        Raises:
            OSError: The folder cannot be written.
        """
        save_router(self.bank, folder)
        if self.fusion is not None:
            state = self.fusion.gate.state_dict()
            write_tensors(Path(folder) / FUSION_GATES, state)

    def load(self, folder: str | Path) -> None:
        """Read gates that `save` wrote.

        Raises:
            FileNotFoundError: The folder or a file is not there.
            ValueError: They are damaged, or weigh other sets.
        """
        load_router(self.bank, folder)
        if self.fusion is not None:
            path = Path(folder) / FUSION_GATES
            self.fusion.gate.load_state_dict(
                read_tensors(path, "expected gates of fusion modules", "train them again")
            )


def _mix(fusions: Sequence[nn.Module | None], sets: Sequence[str]) -> MixedFusion | None:
    if not any(fusions):
        return None
    joint = [fusion for fusion in fusions if isinstance(fusion, JointFusion)]
    if len(joint) < len(fusions):
        raise ValueError(
            f"Of the sets {', '.join(sets)} some have no fusion 'joint'; expected it of all, or "
            "of none."
        )
    return MixedFusion(joint)
