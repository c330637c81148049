"""Put trained sets, selector and agreement together, and learn what sound they are for."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from data_prep.clips.samples import Sample
from data_prep.media import read_audio
from fusion.scenarios.verification import Verifier
from fusion.sets.card import CARD, read_card
from modalities.network_file import save_network
from modalities.outputs import check_output_folder, check_outputs
from modalities.vision.lips import SHIPPED
from tasks.avsr.sets.collection import (
    AGREEMENT,
    COLLECTION,
    DOMAIN,
    FACES,
    KIND,
    LOUDNESS,
    SELECTOR,
    VERIFICATION,
    Collection,
    read_collection,
    write_collection,
)
from tasks.avsr.sets.selector import Selector
from tasks.avsr.sets.set_recogniser import load_recogniser
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.collect_config import CollectConfig
from tasks.avsr.training.selector_fitting import Progress, SelectorFitting
from tasks.avsr.training.verifier_fitting import VerifierFitting
from tasks.config import named_paths

LIPS = "lips.safetensors"
FILES = (COLLECTION, AGREEMENT, SELECTOR, DOMAIN, FACES, KIND, LOUDNESS, VERIFICATION, LIPS)


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
        ValueError: Two sets have one name, or are for another model; what is to be replaced is an
            input, or no set.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    _check_output(config, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as kept:
        partial = Path(kept)
        collection = _fill(config, partial, progress, device)
        _put(partial, folder)
    return collection


def _check_output(config: CollectConfig, folder: Path) -> None:
    """Check before any work that nothing is replaced but what a collection is made of."""
    names = [read_card(path).name for paths in config.sets.values() for path in paths]
    targets = [folder / name for name in dict.fromkeys(names)]
    check_output_folder(folder)
    check_outputs([folder / name for name in FILES], named_paths(config), targets)
    for target in targets:
        if target.exists() and any(target.iterdir()) and not (target / CARD).is_file():
            raise ValueError(f"{target} is there and no adapter set. Give another output folder.")


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
    if config.speech:
        save_network(verify(config, training, folder), folder / VERIFICATION)


def verify(
    config: CollectConfig,
    training: Sequence[Sample],
    folder: Path,
    progress: Progress | None = None,
) -> Verifier:
    """Fit what accepts texts of unknown windows to a collection that knows its sound.

    Args:
        config: Names the recordings of other speech, and the signals.
        training: Clips that the sets were trained on.
        folder: The collection.
        progress: Called with the windows heard, and all.

    Raises:
        FileNotFoundError: A recording is not there.
        ValueError: The collection has no set that hears only, or knows all windows.
    """
    selector = load_recogniser(config.model, folder, "cpu").selector
    assert selector is not None
    speech = [read_audio(path) for path in config.speech]
    fitting = VerifierFitting(
        training, speech, config.noise, config.unknown, config.verifier, config.seed
    )
    return fitting.fit(selector, progress)


def _put(made: Path, folder: Path) -> None:
    """Move what was made into a folder; without collection.json, which comes last, it is none."""
    for name in (COLLECTION, DOMAIN, FACES, KIND, LOUDNESS, VERIFICATION):
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
