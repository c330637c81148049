"""The trainings of an enrolment: lips, what compares them with sound, and a set for every noise."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from data_prep.noise.recordings import CATEGORIES, FOLDERS, VOICES
from fusion.sets.card import read_card
from modalities.vision.lips import SHIPPED
from tasks.avsr.sets.collection import AGREEMENT, ALL, Collection
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.agreement import AgreementTraining
from tasks.avsr.training.collect import LIPS
from tasks.avsr.training.config import (
    AgreementConfig,
    LipConfig,
    NoiseOptions,
    SetConfig,
    SightOptions,
)
from tasks.avsr.training.enrolment.material import OLD, data_of
from tasks.avsr.training.enrolment.options import MOUTHS, EnrolOptions
from tasks.avsr.training.lips import LipReading
from tasks.avsr.training.noise_maker import find_any
from tasks.training.loop import train
from tasks.training.options import LoopOptions

Report = Callable[[float, float | None], None]
LIPS_WORK, AGREEMENT_WORK = "lips", "agreement"  # folders of trainings; that of the set is ALL
LEAST_VOICES = 8  # clips that babble is made of
OWN_NOISE = "natural"  # what noise of no kind in particular is called


@dataclass(frozen=True)
class Trainings:
    """Trains in turn; each goes on where it was, and what is done is not done again.

    Attributes:
        source: Folder of the collection that all begins with.
        collection: What is known about it.
        options: Who is enrolled, and how.
        data: Folder that `gather` wrote.
        work: Folder to work in.
        clips: How many clips are learnt from, those of other talkers too.
        old: How many of them are of other talkers.
        device: "auto", "cpu", "cuda" or "mps".
    """

    source: Path
    collection: Collection
    options: EnrolOptions
    data: Path
    work: Path
    clips: int
    old: int
    device: str

    @property
    def lips(self) -> Path:
        """File of the lip encoder."""
        return self.work / LIPS_WORK / LIPS

    @property
    def agreement(self) -> Path:
        """File of the network that compares lips and sound."""
        return self.work / AGREEMENT_WORK / AGREEMENT

    @property
    def set(self) -> Path:
        """Folder of the set for every noise."""
        return self.work / ALL / "set"

    def train_lips(self, report: Report) -> None:
        """Train the collection's lip encoder on."""
        start = self.collection.lips
        start = start if start in SHIPPED else str(self.source / start)
        loop = self._loop(self.options.lips)
        keep = OLD if self.old else ""
        config = LipConfig(
            data=data_of(self.data), augment=MOUTHS, start=start, keep=keep, loop=loop
        )
        if not self.lips.is_file():
            work = self.work / LIPS_WORK
            train(LipReading(config), loop, work, report, self.device, asdict(config))

    def train_agreement(self, report: Report) -> None:
        """Train on what compares lips and sound."""
        loop = self._loop(self.options.agreement)
        config = AgreementConfig(
            data=data_of(self.data),
            noise=self.noise,
            lips=str(self.lips),
            start=str(self.source / AGREEMENT),
            sight=SightOptions(dropout=0, wrong=0, frozen=0, blanks=1, variants=3),
            loop=loop,
        )
        if not self.agreement.is_file():
            work = self.work / AGREEMENT_WORK
            train(AgreementTraining(config), loop, work, report, self.device, asdict(config))

    def train_set(self, report: Report) -> None:
        """Train the set for every noise on."""
        loop = self._loop(self.options.sets)
        first = self.source / self.collection.groups[ALL][0]
        card = read_card(first)
        config = SetConfig(
            name=card.name,
            model=self.collection.model,
            data=data_of(self.data),
            noise=self.noise,
            lips=str(self.lips),
            agreement=str(self.agreement),
            fusion=card.fusion,
            start=str(first),
            sight=SightOptions(variants=3),
            loop=loop,
            licence="",
            validation_clips=1,
        )
        if not self.set.is_dir():
            work = self.work / ALL
            train(AdapterSetTraining(config), loop, work, report, self.device, asdict(config))

    @property
    def noise(self) -> NoiseOptions:
        """What is heard besides the speech."""
        kinds = CATEGORIES
        if self.clips < LEAST_VOICES:
            kinds = tuple(kind for kind in kinds if kind not in VOICES)
        left_out = self.options.leave_out
        folder = lay_out_noise(self.options.noise, self.work / "noise", left_out)
        return NoiseOptions(folder, leave_out=left_out, categories=kinds)

    def _loop(self, loop: LoopOptions) -> LoopOptions:
        return replace(loop, seed=self.options.seed)


def lay_out_noise(noise: str, folder: Path, leave_out: Sequence[str] = ()) -> str:
    """Return a folder with noise by its kind; recordings of no kind count as natural noise.

    Args:
        noise: Folder of recordings, in folders of their kinds or in none; empty for none.
        folder: Where recordings of no kind are linked.
        leave_out: Names (stems) of recordings that are not linked.

    Raises:
        FileNotFoundError: There are no recordings.
        OSError: The folder cannot be written.
    """
    if not noise:
        return ""
    found = find_any(noise, leave_out)
    if any((Path(noise) / kind).is_dir() for kind in FOLDERS):
        return noise
    if folder.exists():
        shutil.rmtree(folder)
    (folder / OWN_NOISE).mkdir(parents=True)
    for number, path in enumerate(found):
        link = folder / OWN_NOISE / f"{number:05d}_{path.name}"
        link.symlink_to(path.resolve())
    return str(folder)


def has_trained(work: Path) -> bool:
    """Tell if a training has begun in a folder."""
    return any((work / name).exists() for name in (LIPS_WORK, AGREEMENT_WORK, ALL))
