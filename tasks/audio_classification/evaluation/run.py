"""An evaluation from its configuration to its report, as `mcgurk evaluate` runs it."""

from pathlib import Path

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.sounds.labelled import Sound, choose, classes_of
from tasks.audio_classification.card import ClassifierCard, read_card
from tasks.audio_classification.config import SoundDataOptions, find_fold
from tasks.audio_classification.evaluation.config import ALL, SoundEvaluationConfig
from tasks.reports import Evaluated, OpenBar


def run_evaluation(config: SoundEvaluationConfig, folder: Path, open_bar: OpenBar) -> Evaluated:
    """Classify labelled sounds, and report.

    Args:
        config: Which classifier, and which sounds.
        folder: To write to.
        open_bar: Opens a progress bar.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Sounds, classifier, model or device are not what is expected.
    """
    card = read_card(config.classifier)
    data = None if config.sounds else config.data or trained_on(card, config.classifier)
    sounds, told = find_sounds(config, data)
    _check_classes(sounds, card, told)
    from tasks.audio_classification.classifier_files import load_classifier
    from tasks.audio_classification.evaluation.classify import classify_sounds
    from tasks.audio_classification.evaluation.report import build_report, save_report
    from tasks.audio_classification.windows import SoundSource
    from tasks.devices import find_device

    device = find_device(config.device)
    model, _ = load_classifier(config.classifier, config.model)
    source = SoundSource(sounds, model.encoder, card.window_s)
    with open_bar("Reading sounds", "{:.0f}".format) as show:
        left_out = source.check(config.skip_bad or bool(data and data.skip_bad), show)
    logits, labels = classify_sounds(model.to(device), source, card.classes)
    facts = {
        "classifier": config.classifier,
        "model": config.model or card.encoder,
        "method": card.method or "head alone",
        "sounds": f"{len(source)} of {told}",
        "classes": str(len(card.classes)),
        "temperature": f"{card.temperature:.3g}",
    }
    report = build_report(logits, labels, card.classes, card.temperature, facts, left_out)
    return save_report(report, folder)


def trained_on(card: ClassifierCard, folder: str) -> SoundDataOptions:
    """Return which sounds a classifier was trained and tested on.

    Args:
        card: What the classifier says of itself.
        folder: Where it is, for messages.

    Raises:
        ValueError: The card does not say it, or is damaged.
    """
    if not card.sounds:
        raise ValueError(
            f"{folder} does not say which sounds it was trained on; name some with --sounds, or "
            "train it again."
        )
    lists = {name: tuple(value) for name, value in card.sounds.items() if isinstance(value, list)}
    try:
        return SoundDataOptions(**{**card.sounds, **lists})
    except TypeError as error:
        raise ValueError(f"{folder} is damaged ({error}); train the classifier again.") from error


def find_sounds(
    config: SoundEvaluationConfig, data: SoundDataOptions | None
) -> tuple[list[Sound], str]:
    """Find what is to be classified.

    Args:
        config: Names sounds, or a part of the data.
        data: How those of a data set are found and parted; None where sounds are named.

    Returns:
        The sounds, and what they are in words.

    Raises:
        FileNotFoundError: There is no such folder or file.
        ValueError: It holds something else, or has no such part.
    """
    if data is None:
        part = config.part or ALL
        find = SOUND_DATASETS["csv" if config.sounds.lower().endswith(".csv") else "classes"]
        sounds = find(config.sounds)
        return sounds if part == ALL else choose(sounds, part), _tell(config.sounds, part)
    part = config.part or "test"
    told = _tell(f"{data.dataset} in {data.folder}", part)
    if part == ALL:
        return SOUND_DATASETS[data.dataset](data.folder), told
    sounds = list(getattr(find_fold(data), part))
    if not sounds:
        raise ValueError(f"{data.folder} has no sounds for {part!r}; name another part.")
    return sounds, told


def _tell(place: str, part: str) -> str:
    return place if part == ALL else f"{place}, {part}"


def _check_classes(sounds: list[Sound], card: ClassifierCard, told: str) -> None:
    unknown = [label for label in classes_of(sounds) if label not in card.classes]
    if unknown:
        raise ValueError(
            f"Class {unknown[0]!r} of {told} is none of the classifier's, which are "
            f"{', '.join(card.classes)}. Leave its sounds out, or train with them."
        )
