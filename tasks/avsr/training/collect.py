"""Put trained sets, selector and agreement together, and learn what sound they are for."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from data_prep.clips.samples import Sample
from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from fusion.scenarios.level import LevelEstimate, LevelOptions
from fusion.sets.card import read_card
from modalities.network_file import save_network
from modalities.rates import PIECE_SAMPLES
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
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tasks.avsr.training.clips import DataOptions, find_clips, load_clips
from tasks.avsr.training.mouth_changes import NO_CHANGE, AugmentOptions
from tasks.avsr.training.noise_maker import NoiseMaker, NoiseOptions, Noisy
from tasks.avsr.training.shown_mouths import read_changed

LIPS = "lips.safetensors"
SURE = 0.995  # share of validation windows that is to be known
DIRECTIONS = 64
LOUD_DB = 20.0  # up to here the level matters
STRANGE = 0.5  # share of noise that shows what other recordings sound like
CROWD = 0.12  # share of natural noise
VOICE_WEIGHT = 3.0  # of one voice as noise: training clips have fewer voices than there are
KIND_WINDOWS = 4  # for each of `CollectConfig.clips`
BATCH = 20
FACE_MARGIN = 1.2  # a face in other light or turned away is still known


@dataclass(frozen=True)
class CollectConfig:
    """What belongs together.

    Attributes:
        name: What the collection is called.
        model: The frozen Whisper.
        lips: A lip encoder by name or file; a file is copied.
        agreement: File.
        selector: File.
        sets: Folders of sets by group, see `tasks.avsr.sets.set_recogniser.GROUPS`;
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
    progress: Callable[[float, float | None], None] | None = None,
) -> Collection:
    """Write a collection.

    Args:
        config: What belongs together.
        folder: To write; what is there of the same names is replaced.
        progress: Called with the clips looked at, and all.

    Raises:
        FileNotFoundError: A set or network is not there, or not finished.
        ValueError: Two sets have one name, or are for another model.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as kept:
        partial = Path(kept)
        collection = _fill(config, partial, progress)
        _put(partial, folder)
    return collection


def _fill(
    config: CollectConfig,
    folder: Path,
    progress: Callable[[float, float | None], None] | None,
) -> Collection:
    groups: dict[str, list[str]] = {}
    for group, paths in config.sets.items():
        groups[group] = [_copy_set(Path(path), folder, config.model) for path in paths]
    for source, name in ((config.agreement, AGREEMENT), (config.selector, SELECTOR)):
        shutil.copyfile(source, folder / name)
    lips = config.lips
    if lips not in SHIPPED:
        shutil.copyfile(lips, folder / LIPS)
        lips = LIPS
    collection = Collection(
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
    write_collection(folder, collection)
    recogniser = load_recogniser(config.model, folder, "cpu")
    weights = recogniser.adapted.model.named_parameters()
    frozen = sum(p.numel() for name, p in weights if "lora_" not in name)
    write_collection(folder, replace(collection, model_parameters=frozen))
    if config.clips and groups.get("audio"):
        data = config.data
        training, unseen = (
            load_clips(find_clips(data, part), data.folder)
            for part in (data.train, data.validation)
        )
        domain = _learn_domain(config, recogniser, training, unseen, progress)
        save_network(domain, folder / DOMAIN)
        save_network(_learn_faces(config, recogniser, training, unseen), folder / FACES)
        recogniser.kind = _learn_kind(config, recogniser, training)
        save_network(recogniser.kind, folder / KIND)
        level = _learn_level(config, recogniser, training, unseen)
        save_network(level, folder / LOUDNESS)
    return read_collection(folder)


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


def _learn_domain(
    config: CollectConfig,
    recogniser: SetRecogniser,
    training: Sequence[Sample],
    unseen: Sequence[Sample],
    progress: Callable[[float, float | None], None] | None,
) -> DomainCheck:
    noise = NoiseMaker(config.noise, [sample.waveform for sample in training])
    width = recogniser.adapted.model.config.d_model
    count = min(config.clips, 4 * len(training))
    directions = min(DIRECTIONS, count // 4, 2 * width - 1)

    def look(samples: Sequence[Sample], total: int, seed: int, own: bool) -> Tensor:
        rows = []
        for noisy in _add_noise(noise, samples, total, seed, own):
            rows.append(_summaries(recogniser, [n.waveform for n in noisy]))
            if progress and own:
                progress(sum(map(len, rows)), total)
        return torch.cat(rows)

    check = DomainCheck(DomainOptions(width, directions))
    check.fit(look(training, count, config.seed + 17, True))
    known = check.residual(look(unseen, 4 * len(unseen), config.seed + 18, False))
    return _with_limit(check, float(known.quantile(SURE)), config.doubt)


def _add_noise(
    noise: NoiseMaker, samples: Sequence[Sample], total: int, seed: int, own: bool
) -> Iterator[list[Noisy]]:
    """Add noise to clips, over and over, in batches; `own` says that they are its voices too."""
    for start in range(0, total, BATCH):
        noisy = []
        for number in range(start, min(start + BATCH, total)):
            place = number % len(samples)
            speech = samples[place].waveform[:PIECE_SAMPLES]
            random = np.random.default_rng([seed, number])
            noisy.append(noise.add(speech, place if own else -1, random))
        yield noisy


def _with_limit(check: DomainCheck, residual: float, doubt: float) -> DomainCheck:
    options = replace(check.options, residual=residual, doubt=doubt)
    final = DomainCheck(options)
    final.load_state_dict(check.state_dict())
    return final


def _learn_faces(
    config: CollectConfig,
    recogniser: SetRecogniser,
    training: Sequence[Sample],
    unseen: Sequence[Sample],
) -> DomainCheck:
    """Learn which faces are known: training clips, changed a little, and validation clips."""
    lips = recogniser.adapted.lips
    assert lips is not None

    def look(samples: Sequence[Sample], augment: AugmentOptions) -> Tensor:
        rows = []
        for number, sample in enumerate(samples):
            random = np.random.default_rng([config.seed + 19, number])
            features, _ = read_changed(sample, lips, augment, random)
            seen = torch.from_numpy(sample.clip.mask()[: len(features)])
            if int(seen.sum()) > 1:
                rows.append(summarise(features.float()[None, seen]))
        return torch.cat(rows)

    features = look(training, AugmentOptions(pace=0.0, blanks=0, erase=0.0, flip=0.0))
    directions = min(DIRECTIONS, len(features) // 4, 2 * lips.dim - 1)
    check = DomainCheck(DomainOptions(lips.dim, directions))
    check.fit(features)
    known = check.residual(look(unseen, NO_CHANGE))
    return _with_limit(check, float(known.quantile(SURE)) * FACE_MARGIN, config.doubt)


def _learn_kind(
    config: CollectConfig, recogniser: SetRecogniser, training: Sequence[Sample]
) -> NoiseKind:
    """Learn the kind of noise from what the encoder makes of it, half of it strange."""
    selector = recogniser.selector
    assert selector is not None
    names = selector.options.categories
    options = replace(
        config.noise,
        categories=names,
        clean=0.0,
        snr_high_db=LOUD_DB,
        strange=STRANGE,
        crowd=CROWD,
    )
    noise = NoiseMaker(options, [sample.waveform for sample in training])
    states, categories = [], []
    total = KIND_WINDOWS * config.clips
    for noisy in _add_noise(noise, training, total, config.seed + 21, True):
        states.append(recogniser.listen([n.waveform for n in noisy]).states)
        categories += [names.index(n.category) for n in noisy if n.category]
    kind = NoiseKind(KindOptions(names, states[0].shape[1]))
    importance = torch.tensor([VOICE_WEIGHT if name == "sidespeaker" else 1.0 for name in names])
    kind.fit(torch.cat(states), torch.tensor(categories), importance)
    return kind


def _learn_level(
    config: CollectConfig,
    recogniser: SetRecogniser,
    training: Sequence[Sample],
    unseen: Sequence[Sample],
) -> LevelEstimate:
    """Learn the level from lips and sound, of clips that neither network was trained on."""
    selector = recogniser.selector
    assert selector is not None
    unseen = [sample for sample in unseen if sample.clip.mask().any()]
    options = replace(config.noise, clean=0.0, snr_high_db=LOUD_DB)
    noise = NoiseMaker(options, [sample.waveform for sample in training])
    kinds, width = len(selector.options.categories), recogniser.adapted.model.config.d_model
    level = LevelEstimate(LevelOptions(kinds, 2 * width))
    sight = recogniser.adapted.look([s.crops for s in unseen], [s.clip.mask() for s in unseen])
    features, levels = [], []
    for turn in range(-(-config.clips // len(unseen))):
        noisy = [
            noise.add(
                sample.waveform[:PIECE_SAMPLES],
                -1,
                np.random.default_rng([config.seed + 20, turn, number]),
            )
            for number, sample in enumerate(unseen)
        ]
        heard = recogniser.listen([n.waveform for n in noisy])
        features.append(recogniser.describe_level(level, heard, sight))
        levels += [n.snr_db for n in noisy]
    level.fit(torch.cat(features), torch.tensor(levels))
    return level


def _summaries(recogniser: SetRecogniser, waveforms: list[np.ndarray]) -> Tensor:
    heard = recogniser.listen(waveforms)
    assert heard.encoded is not None
    windows = zip(heard.encoded, heard.counts, strict=True)
    return torch.cat([summarise(row[None, :count]) for row, count in windows])
