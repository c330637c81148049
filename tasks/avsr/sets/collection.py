"""Collections of adapter sets: what belongs together on disk, and which set suits; no torch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.empty_name import refuse_empty_name
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

if TYPE_CHECKING:
    from fusion.scenarios.classifier import Scenario

COLLECTION = "collection.json"
AGREEMENT, SELECTOR, DOMAIN, FACES, KIND, LOUDNESS, VERIFICATION = (
    f"{name}.safetensors"
    for name in ("agreement", "selector", "domain", "faces", "kind", "level", "verification")
)
GROWN_NOISE = "noise.safetensors"  # in the folder of a set that was added
# What only describes and chooses; all else changes what sets recognise.
OF_SELECTOR = frozenset({SELECTOR, DOMAIN, KIND, LOUDNESS, VERIFICATION, GROWN_NOISE})
# Entries of collection.json and of a set's card that change nothing recognised.
TOLD = frozenset(
    {"data", "licence", "command", "scores", "parameters", "model_parameters", "seconds"}
)
SHIPPED_FOLDER = Path(__file__).parents[1] / "weights"
CATEGORY, LEVEL, BOTH = CHOICES = ("category", "level", "category_level")
AUDIO, ALL, GROWN, *_ = GROUPS = ("audio", "all", "grown", *CHOICES)
HIGH, LOW = "high_noise", "low_noise"


@dataclass(frozen=True)
class Collection:
    """Sets that belong together, as collection.json describes them.

    Attributes:
        name: What it is called; one that comes with mcgurk is found by its folder's name.
        model: The frozen Whisper that they are for.
        lips: The lip encoder, a catalog name or a file in the folder.
        groups: Names of the sets by what they are for, see `GROUPS`. Those of "category" are
            called as their category; of "level" the one for high noise comes first; those of
            "category_level" are called babble_high_noise, babble_low_noise and so on; those of
            "grown" were added for noise of their own, which is looked for first.
        choose_by: How the pipeline chooses, see `CHOICES`.
        border_db: Below it noise is high, from it on low.
        farthest: Distance to the training data above which the selector abstains; of sound it is
            measured with the set of the group "audio".
        least_sure: Probability of the category heard below which the set of the group "all" is
            taken, if there is one: the kind of noise is not one of those known.
        least_agreement: Probability that lips and sound belong together below which the set of the
            group "audio" takes over.
        least_in_quiet: That probability where noise is softer than speech, and lips are needed
            less.
        model_parameters: How many the frozen Whisper has, to compare with.
        data: What its sets were trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        command: What trained and measured them.
        scores: Measured, word error rates in percent.
    """

    name: str
    model: str
    lips: str
    groups: dict[str, list[str]]
    choose_by: str = "category"
    border_db: float = 2.5
    farthest: float = 1.0
    least_sure: float = 0.8
    least_agreement: float = 0.05
    least_in_quiet: float = 0.2
    model_parameters: int = 0
    data: str = ""
    licence: str = ""
    command: str = ""
    scores: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        unknown = set(self.groups) - set(GROUPS)
        if unknown:
            raise ValueError(f"no group {min(unknown)!r}; known: {', '.join(GROUPS)}")
        if self.choose_by not in CHOICES:
            raise ValueError(f"choose_by is {self.choose_by!r}; known: {', '.join(CHOICES)}")

    @property
    def sets(self) -> list[str]:
        """All names, each once, in the order of the groups."""
        names = (name for group in GROUPS for name in self.groups.get(group, []))
        return list(dict.fromkeys(names))

    @property
    def listener(self) -> str | None:
        """The set that hears only, which stands in where no lips can be read; None without one."""
        return next(iter(self.groups.get(AUDIO, ())), None)

    def choose(self, scenario: "Scenario", by: str | None = None) -> str | None:
        """Choose a set; None where the selector abstains.

        Args:
            scenario: What the selector says of a window. Its noise is high below `border_db`, not
                at it; it is known up to `farthest`, and its category sure from `least_sure` on.
            by: One of `CHOICES`; None for the collection's own.

        Returns:
            A set that was added for this noise, else one of the group `by`, or that of "all" where
            the category is not sure; where the window is unknown the one that hears only, if its
            text was accepted; None where it was not, or the group has no set for it.

        Raises:
            ValueError: No such way of choosing.
        """
        if scenario.distance > self.farthest:
            return self.listener if scenario.accepted else None
        by = by or self.choose_by
        if by not in CHOICES:
            raise ValueError(f"Sets are not chosen by {by!r}; known: {', '.join(CHOICES)}.")
        if scenario.grown in self.groups.get(GROWN, []):
            return scenario.grown
        names = self.groups.get(by, [])
        high = scenario.snr_db < self.border_db
        if by == LEVEL:
            return (names[0] if high else names[-1]) if names else None
        if scenario.probability < self.least_sure and self.groups.get(ALL):
            return self.groups[ALL][0]
        name = scenario.category
        if by == BOTH:
            name += f"_{HIGH if high else LOW}"
        return name if name in names else None


def list_collections() -> dict[str, Path]:
    """Return the collections that come with mcgurk."""
    found = sorted(SHIPPED_FOLDER.glob(f"*/{COLLECTION}"))
    return {path.parent.name: path.parent for path in found}


def find_collection(name: str | Path) -> Path:
    """Return the folder of a collection.

    Args:
        name: A folder, else the name of one that comes with mcgurk.

    Raises:
        ValueError: Neither.
    """
    refuse_empty_name(name, "collection")
    if Path(name).is_dir():
        return Path(name)
    shipped = list_collections()
    if str(name) not in shipped:
        known = ", ".join(shipped) or "none"
        raise ValueError(
            f"No adapter sets {str(name)!r}: it is no folder, and with mcgurk come: {known}."
        )
    return shipped[str(name)]


def read_collection(folder: Path) -> Collection:
    """Read what is known about a collection.

    Raises:
        FileNotFoundError: The folder is none.
        ValueError: Its description is damaged.
    """
    path = folder / COLLECTION
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {COLLECTION}; expected a folder that `mcgurk sets collect` wrote."
        )
    try:
        return Collection(**json.loads(read_text(path)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); write it again.") from error


def write_collection(folder: Path, collection: Collection) -> None:
    """Write what is known about a collection.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(asdict(collection), indent=1, ensure_ascii=False)
    with replace_when_whole(folder / COLLECTION) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
