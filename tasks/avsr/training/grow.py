"""Train one more set for a user's own noise, and put it into a collection."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from data_prep.clips.samples import Sample
from fusion.contract.options import check_choice
from fusion.scenarios.grown import GrownNoise, fit_grown
from fusion.sets.card import CARD, read_card
from fusion.sets.growth import BEGINNINGS
from modalities.audio.full_scale import to_full_scale
from modalities.network_file import save_network
from modalities.outputs import check_output_folder
from modalities.vision.lips import SHIPPED
from modalities.whole_file import folder_when_whole
from tasks.avsr.sets.collection import (
    AGREEMENT,
    ALL,
    COLLECTION,
    GROWN,
    GROWN_NOISE,
    Collection,
    find_collection,
    list_collections,
    read_collection,
    write_collection,
)
from tasks.avsr.sets.selector import Selector
from tasks.avsr.sets.set_recogniser import load_recogniser
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import DataOptions, NoiseOptions, SetConfig
from tasks.avsr.training.mean_set import write_mean
from tasks.avsr.training.noise_maker import NoiseMaker, find_any
from tasks.avsr.training.selector_fitting import BATCH, add_noise
from tasks.training.folder_lock import alone_in
from tasks.training.loop import train
from tasks.training.options import LoopOptions

APART = 0.5  # of held-out windows with new noise that are told from known noise, at least
HELD_OUT = 4  # one in so many recordings, and of those alone the check is measured with
OWN = "natural"  # what trainings call noise that is nobody's voice
LOOP = LoopOptions(
    steps=220, batch=16, learning_rate=7e-4, warmup=10, checkpoint_every=55, measure_every=220
)
Report = Callable[[float, float | None], None]


@dataclass(frozen=True)
class GrowOptions:
    """What is grown.

    Attributes:
        name: What the set is called.
        noise: Folder with the recordings of the noise.
        data: Talking clips that it is mixed with.
        start: What the set begins with: "nearest", the set that the collection takes for the noise
            so far; "mean" of all that know a category; "zeros" for fresh adapters.
        windows: How many windows with new and with known noise show what the set is for, of each.
        anyway: Grow a set where what is known fits, too.
        loop: How long and how fast it is trained.
        seed: Fixes which noise is drawn for which clips.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    name: str
    noise: str
    data: DataOptions
    start: str = "nearest"
    windows: int = 400
    anyway: bool = False
    loop: LoopOptions = field(default_factory=lambda: LOOP)
    seed: int = 0
    licence: str = ""

    def __post_init__(self):
        check_choice("start", self.start, BEGINNINGS)
        if not self.name.isidentifier():
            raise ValueError(
                f"The set is called {self.name!r}; expected letters, digits and _, as my_office."
            )
        if self.windows < BATCH:
            raise ValueError(f"windows is {self.windows}; expected {BATCH} or more.")


@dataclass(frozen=True)
class Growth:
    """What came of it.

    Attributes:
        name: The set.
        grown: Whether it was trained and put in; not where what is known fits.
        nearest: The set whose category the noise was mostly taken for before; "" where the
            collection has none of that.
        told: Share of held-out windows with the noise that are told from known noise.
        mistaken: Share of held-out windows with known noise that are taken for it.
    """

    name: str
    grown: bool
    nearest: str
    told: float
    mistaken: float


def grow(
    name: str | Path,
    options: GrowOptions,
    device: str = "cpu",
    listening: Report | None = None,
    training: Report | None = None,
) -> Growth:
    """Put one more set into a collection; all other sets keep their bytes.

    Interrupted, it goes on where it was when it is called again, and the collection is as it was.

    Args:
        name: A collection's folder.
        options: What is grown.
        device: "auto", "cpu", "cuda" or "mps".
        listening: Called with the windows heard, and all.
        training: Called with the steps done, and all.

    Raises:
        FileNotFoundError: Recordings or clips are not there.
        ValueError: The collection comes with mcgurk, has a set of that name, or none that hears
            only; another growth is at work; something cannot be used.
        OSError: The collection cannot be written.
    """
    folder = find_collection(name).resolve()
    _check(folder, options)
    recordings = find_any(options.noise)
    place = folder.parent / f".{folder.name}.growing"
    with alone_in(place):
        work = place / options.name
        recogniser = load_recogniser(read_collection(folder).model, folder, device)
        assert recogniser.selector is not None
        check, growth = _judge(recogniser.selector, options, recordings, listening)
        if growth.nearest not in recogniser.collection.sets:
            growth = replace(growth, nearest="")
        if growth.grown or options.anyway:
            growth = replace(growth, grown=True)
            _train(folder, options, growth.nearest, work, device, training)
            _put(work / "set", check, folder, options.name)
            shutil.rmtree(work)
    shutil.rmtree(place)
    return growth


def copy_collection(name: str | Path, folder: str | Path, options: GrowOptions) -> Path:
    """Copy a collection that is to grow, unless the folder holds one already.

    Args:
        name: A collection, by folder or name.
        folder: For the copy; new or empty, or a copy that was made before.
        options: What is to be grown; recordings and clips are looked for before.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: Recordings or clips are not there.
        ValueError: No such collection, or something else is in the folder.
        OSError: The folder cannot be written.
    """
    source, folder = find_collection(name), Path(folder)
    find_any(options.noise)
    for part in (options.data.train, options.data.validation):
        find_clips(options.data, part)
    if not (folder / COLLECTION).is_file():
        read_collection(source)
        with folder_when_whole(folder) as partial:
            shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return folder


def _check(folder: Path, options: GrowOptions) -> None:
    """Check before any work that the set may be written."""
    collection = read_collection(folder)
    if folder in [path.resolve() for path in list_collections().values()]:
        raise ValueError(
            f"{folder.name} comes with mcgurk and is not changed; give a folder for a copy of it, "
            "as a command -o FOLDER."
        )
    if options.name in collection.sets:
        raise ValueError(
            f"{folder} has a set {options.name!r} already; known: {', '.join(collection.sets)}. "
            "Take another name."
        )
    if collection.listener is None:
        raise ValueError(
            f"{folder} has no set of the group 'audio', by which noise is told apart; expected "
            "one. Collect it again with one."
        )
    left = folder / options.name
    if left.exists() and not (left / CARD).is_file():
        raise ValueError(f"{left} is there and no adapter set. Take another name.")
    check_output_folder(folder)


@dataclass(frozen=True, eq=False)
class _Listener:
    """Hears noisy clips as a collection does, and counts the windows."""

    selector: Selector
    options: GrowOptions
    report: Report | None
    heard: list[int] = field(default_factory=list)  # windows of each batch

    def hear(
        self, noise: NoiseMaker, samples: Sequence[Sample], seed: int
    ) -> tuple[Tensor, list[str], list[str]]:
        """Return the features of as many windows as the options say, and two names for each.

        The first is that of the noise that is in it, "" for none, the second what it is taken for.

        Args:
            noise: Is added.
            samples: Clips, taken in turn.
            seed: Another number, other draws.
        """
        options, kinds = self.options, self.selector.classifier.options.categories
        states, names, taken = [], [], []
        drawn = add_noise(noise, samples, options.windows, [options.seed, seed], own=False)
        for batch in drawn:
            waves = [to_full_scale(noisy.waveform) for noisy in batch]
            names += [noisy.category or "" for noisy in batch]
            found = self.selector.listen(waves)
            states.append(found.states.cpu())
            taken += [kinds[place] for place in found.probabilities.argmax(1).tolist()]
            self.heard.append(len(waves))
            if self.report:
                self.report(sum(self.heard), 4 * options.windows)
        return torch.cat(states), names, taken


def _judge(
    selector: Selector,
    options: GrowOptions,
    recordings: Sequence[Path],
    report: Report | None,
) -> tuple[GrownNoise, Growth]:
    """Learn to tell the noise from what is known, and say how well that goes on what is held out.

    Clips of the validation, and a quarter of the recordings where there are four or more, are held
    out. What is known is made by rule and of the clips' voices.
    """
    data = options.data
    clips, unseen = (
        load_clips(find_clips(data, part), data.folder) for part in (data.train, data.validation)
    )
    voices = [sample.waveform for sample in clips]
    held = [path.stem for path in recordings[::HELD_OUT]] if len(recordings) >= HELD_OUT else []
    rest = [path.stem for path in recordings if path.stem not in held] if held else []
    new = NoiseOptions(own=options.noise, categories=(OWN,), clean=0.0)
    known = NoiseMaker(NoiseOptions(categories=selector.classifier.options.categories), voices)
    listener = _Listener(selector, options, report)
    with_held, with_rest = (
        NoiseMaker(replace(new, leave_out=tuple(some)), []) for some in (rest, held)
    )
    fitted, _, taken = listener.hear(with_rest, clips, 31)
    before, *_ = listener.hear(known, clips, 32)
    others, kinds, _ = listener.hear(known, unseen, 33)
    again, *_ = listener.hear(with_held, unseen, 34)
    half = len(others) // 2
    each = [
        others[:half][[kind == of for of in kinds[:half]]] for kind in sorted(set(kinds[:half]))
    ]
    check = fit_grown(fitted, before, each, options.name)
    told = float((check.margin(again) > 0).float().mean())
    mistaken = float((check.margin(others[half:]) > 0).float().mean())
    nearest = max(sorted(set(taken)), key=taken.count)
    return check, Growth(options.name, told >= APART, nearest, told, mistaken)


def _train(
    folder: Path, options: GrowOptions, nearest: str, work: Path, device: str, report: Report | None
) -> None:
    collection = read_collection(folder)
    with TemporaryDirectory(prefix="mean.") as kept:
        start = _begin(folder, collection, options.start, nearest, Path(kept))
        fusion = read_card(start).fusion if start else "joint"
        lips = collection.lips
        settings = SetConfig(
            name=options.name,
            model=collection.model,
            data=options.data,
            noise=NoiseOptions(own=options.noise, categories=(OWN,)),
            lips=lips if lips in SHIPPED else str(folder / lips),
            agreement=str(folder / AGREEMENT),
            fusion=fusion,
            start=str(start) if start else "",
            loop=replace(options.loop, seed=options.seed),
            licence=options.licence,
        )
        told = asdict(settings) | {"start": options.start, "nearest": nearest}
        train(AdapterSetTraining(settings), settings.loop, work, report, device, told)


def _begin(
    folder: Path, collection: Collection, start: str, nearest: str, kept: Path
) -> Path | None:
    """Return the folder of the set that a new one begins with; None for fresh adapters."""
    if start == "zeros":
        return None
    if start == "mean":
        sets = [folder / name for name in collection.groups.get(collection.choose_by, [])]
        return write_mean(sets, kept)
    every = collection.groups.get(ALL, [])
    return folder / (nearest or (every or collection.sets)[0])


def _put(trained: Path, check: GrownNoise, folder: Path, name: str) -> None:
    """Put a set into a collection, whose description comes last."""
    target = folder / name
    if target.exists():
        shutil.rmtree(target)  # of a growth that was killed here
    with folder_when_whole(target) as partial:
        shutil.copytree(trained, partial, dirs_exist_ok=True)
        save_network(check, partial / GROWN_NOISE)
    collection = read_collection(folder)
    groups = {**collection.groups, GROWN: [*collection.groups.get(GROWN, []), name]}
    write_collection(folder, replace(collection, groups=groups))
