"""What there is to set in the training of an adapter of conditions."""

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

from fusion.contract.options import check_choice
from modalities.audio.attribute_scale import SOUND_ATTRIBUTES
from modalities.diffusion.measure.catalog import SIZES as SIZE_SAMPLERS
from tasks.audio_to_image.painting.conditions.card import ATTRIBUTES, KINDS, SIZE
from tasks.audio_to_image.painting.config import PictureDataOptions
from tasks.training.options import LoopOptions


@dataclass(frozen=True)
class ConditionConfig:
    """An experiment: what a frozen painter is told beside sounds.

    Attributes:
        task: "painting_condition".
        kind: "edges" lets it follow those of a picture, "attributes" continuous numbers of sounds,
            "size" paint in other sizes than it learnt.
        painter: Name or folder of the painter, which stays as it is.
        data: Pictures; of "attributes" a manifest of mixtures with sounds. `sizes` are those that
            "size" learns, the others learn the painter's own.
        sampler: How often each of `data.sizes` is learnt: "even" takes all alike, "res_adapter" far
            ones more often and the painter's own never.
        embeddings: Folder where is kept what the painter hears of mixtures; "" for pictures alone,
            of which it hears nothing while the condition is learnt.
        attributes: Which ones, names of `SOUND_ATTRIBUTES`; they are measured of the sounds, and
            the least and the most of those that teach are 0 and 1.
        preset: The published way of telling, a name of `PRESETS`; "" for the kind's own.
        options: Settings of that preset which differ, as {layers: 1}.
        divergence: What the autoencoder's term counts in the loss, where attributes have a hidden
            cause.
        late: How much more often late times are learnt, see `PaintingConfig`.
        shown: How many pictures are painted into samples.png; 0 for none.
        loop: How long and how fast it is trained.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "painting_condition"
    kind: str = ATTRIBUTES
    painter: str = ""
    data: PictureDataOptions = field(default_factory=PictureDataOptions)
    sampler: str = "res_adapter"
    embeddings: str = ""
    attributes: tuple[str, ...] = ()
    preset: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    divergence: float = 1e-3
    late: float = 1.0
    shown: int = 8
    loop: LoopOptions = field(default_factory=LoopOptions)
    licence: str = ""

    def __post_init__(self):
        check_choice("kind", self.kind, tuple(KINDS))
        check_choice("sampler", self.sampler, tuple(SIZE_SAMPLERS))
        if not self.painter:
            raise ValueError("painter is empty; expected the name or folder of a painter.")
        for wanted, name in ((ATTRIBUTES, "attributes"), (SIZE, "data.sizes")):
            given = self.attributes if name == "attributes" else self.data.sizes
            if (self.kind == wanted) != bool(given):
                raise ValueError(
                    f"kind is {self.kind!r} and {name} {list(given)}; expected some with "
                    f"{wanted!r}, and none with another."
                )
        for name in self.attributes:
            check_choice("attributes", name, tuple(SOUND_ATTRIBUTES))
        if len({*self.attributes}) < len(self.attributes):
            raise ValueError(f"attributes are {list(self.attributes)}; expected each once.")
        if not (isfinite(self.divergence) and self.divergence >= 0):
            raise ValueError(f"divergence is {self.divergence}; expected 0 or more.")
        if not 0 < self.late < inf:
            raise ValueError(f"late is {self.late}; expected above 0 and finite, 1 for evenly.")
        if self.shown < 0:
            raise ValueError(f"shown is {self.shown}; expected 0 or more pictures.")
        self.loop.check_goals(self.measures)

    @property
    def hears(self) -> bool:
        """Whether sounds are heard before the training."""
        return bool(self.embeddings)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        own = ("divergence",) if self.kind == ATTRIBUTES else ()
        return ("loss", "validation_loss", "validation_loss_without", *own)
