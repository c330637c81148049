"""Put trained sets, selector and agreement together, and learn what sound they are for."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fusion.sets.card import read_card
from modalities.network_file import save_network
from modalities.vision.lips import SHIPPED
from tasks.avsr.sets.collection import (
    AGREEMENT,
    COLLECTION,
    DOMAIN,
    FACES,
    KIND,
    LOUDNESS,
    SELECTOR,
    Collection,
    read_collection,
    write_collection,
)
from tasks.avsr.sets.selector import Selector
from tasks.avsr.sets.set_recogniser import load_recogniser
from tasks.avsr.training.clips import DataOptions, find_clips, load_clips
from tasks.avsr.training.noise_maker import NoiseOptions
from tasks.avsr.training.selector_fitting import Progress, SelectorFitting

LIPS = "lips.safetensors"


@dataclass(frozen=True)
class CollectConfig:
    """What belongs together.

    Attributes:
        task: "avsr_collection".
        name: What the collection is called.
        model: The frozen Whisper.
        lips: A lip encoder by name or file; a file is copied.
        agreement: File.
        selector: File.
        sets: Folders of sets by group, see `tasks.avsr.sets.collection.GROUPS`;
            of "level" the one for high noise comes first.
        choose_by: How the pipeline chooses a set: "category", "level" or "category_level".
        border_db: Between high and low noise.
        data: Clips that the sets were trained on.
        noise: Heard besides.
        clips: How many noisy clips show what the sets are for, and four times as many what kinds of
            noise sound like; 0 leaves the checks, kind and level to the selector alone.
        doubt: How unsure the decoder may be on known sound, as mean negative log-probability of a
            token, above 0.
        described: Data and licence, as a reader should find them.
        licence: What the weights are licensed under, for the card; "" for nothing.
        command: That trains all of it.
        seed: Fixes which noise is drawn for which clips.
    """

    task: str = "avsr_collection"
    name: str = ""
    model: str = "whisper-tiny.en"
    lips: str = "lips-grid"
    agreement: str = ""
    selector: str = ""
    sets: dict[str, list[str]] = field(default_factory=dict)
    choose_by: str = "category"
    border_db: float = 2.5
    data: DataOptions = field(default_factory=DataOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    clips: int = 1460
    doubt: float = 0.25
    described: str = ""
    licence: str = ""
    command: str = ""
    seed: int = 0


def collect(
    config: CollectConfig,
    folder: str | Path,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Collection:
    """Write a collection.

    Args:
        config: What belongs together.
        folder: To write; what is there of the same names is replaced.
        progress: Called with the clips looked at, and all.
        device: Where the models run; another than the CPU rounds differently, so that what is
            learnt is not to the bit what is shipped.

    Raises:
        FileNotFoundError: A set or network is not there, or not finished.
        ValueError: Two sets have one name, or are for another model.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as kept:
        partial = Path(kept)
        collection = _fill(config, partial, progress, device)
        _put(partial, folder)
    return collection


def _fill(
    config: CollectConfig, folder: Path, progress: Progress | None, device: str
) -> Collection:
    collection = _copy_parts(config, folder)
    write_collection(folder, collection)
    recogniser = load_recogniser(config.model, folder, device)
    frozen = recogniser.adapted.adapters.count_frozen()
    write_collection(folder, replace(collection, model_parameters=frozen))
    if config.clips and collection.listener and recogniser.selector:
        _learn(config, recogniser.selector, folder, progress)
    return read_collection(folder)


def _copy_parts(config: CollectConfig, folder: Path) -> Collection:
    """Copy sets and networks into a folder; return what there is to say about them."""
    groups: dict[str, list[str]] = {}
    for group, paths in config.sets.items():
        groups[group] = [_copy_set(Path(path), folder, config.model) for path in paths]
    for source, name in ((config.agreement, AGREEMENT), (config.selector, SELECTOR)):
        shutil.copyfile(source, folder / name)
    lips = config.lips
    if lips not in SHIPPED:
        shutil.copyfile(lips, folder / LIPS)
        lips = LIPS
    return Collection(
        name=config.name,
        model=config.model,
        lips=lips,
        groups=groups,
        choose_by=config.choose_by,
        border_db=config.border_db,
        data=config.described,
        licence=config.licence,
        command=config.command,
    )


def _learn(
    config: CollectConfig, selector: Selector, folder: Path, progress: Progress | None
) -> None:
    """Learn what the sets are for, and write it beside them."""
    data, lips = config.data, selector.adapted.lips
    assert lips is not None
    training, unseen = (
        load_clips(find_clips(data, part), data.folder) for part in (data.train, data.validation)
    )
    fitting = SelectorFitting(
        training, unseen, config.noise, config.clips, config.doubt, config.seed
    )
    save_network(fitting.fit_domain(selector, progress), folder / DOMAIN)
    save_network(fitting.fit_faces(lips), folder / FACES)
    kind = fitting.fit_kind(selector)
    save_network(kind, folder / KIND)
    heard = replace(selector, kind=kind.to(selector.adapted.model.device))
    save_network(fitting.fit_level(heard), folder / LOUDNESS)


def _put(made: Path, folder: Path) -> None:
    """Move what was made into a folder; without collection.json, which comes last, it is none."""
    for name in (COLLECTION, DOMAIN, FACES, KIND, LOUDNESS):
        (folder / name).unlink(missing_ok=True)
    for source in sorted(made.iterdir(), key=lambda path: (path.name == COLLECTION, path.name)):
        target = folder / source.name
        if target.is_dir():
            shutil.rmtree(target)
        shutil.move(source, target)


def _copy_set(source: Path, folder: Path, model: str) -> str:
    card = read_card(source)
    if card.model != model:
        raise ValueError(f"Set {source} is for {card.model}; expected {model}.")
    target = folder / card.name
    if target.exists():
        raise ValueError(f"Two sets are named {card.name!r}; train one under another name.")
    shutil.copytree(source, target)
    for path in target.iterdir():
        path.chmod(0o644)
    return card.name
