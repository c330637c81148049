"""Audio models that transformers saved: by catalog name, folder or hub id."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from modalities.empty_name import refuse_empty_name
from modalities.folder_contents import describe_folder
from modalities.hub import fetch, is_hub_id, reason_of

if TYPE_CHECKING:
    from transformers import FeatureExtractionMixin, PreTrainedModel

Model = TypeVar("Model", bound="PreTrainedModel")
Extractor = TypeVar("Extractor", bound="FeatureExtractionMixin")
EXTRACTOR_FILES = ("preprocessor_config.json", "processor_config.json")


def find_folder(name: str | Path, known: Mapping[str, str]) -> Path:
    """Return the folder of a model.

    Args:
        name: A folder; else a name of `known`; else an id on the Hugging Face hub.
        known: Names, and what they are called on the hub.

    Raises:
        ValueError: None of these, or not to be had.
    """
    refuse_empty_name(name, "model")
    path, name = Path(name).expanduser(), str(name)
    if path.is_dir():
        return path
    if name in known or is_hub_id(name):
        return fetch(known.get(name, name), name)
    raise ValueError(
        f"No model {name!r}: it is neither a folder nor an id on the Hugging Face hub "
        f"(OWNER/NAME). Known names: {', '.join(known)}."
    )


def read_model_type(folder: Path) -> str | None:
    """Return the model type that a folder's config.json tells, or None where it tells none.

    Raises:
        ValueError: It is damaged.
    """
    from transformers import PreTrainedConfig

    if not (folder / "config.json").is_file():
        return None
    try:
        return PreTrainedConfig.get_config_dict(folder)[0].get("model_type")
    except OSError as error:  # what transformers makes of broken JSON
        raise ValueError(
            f"{folder / 'config.json'} is not readable ({reason_of(error)}). Download it again."
        ) from error


def read_known_type(folder: Path, types: Collection[str]) -> str:
    """Return the model type of a folder, one of those that can be taken.

    Args:
        folder: Holds config.json.
        types: Those that can be.

    Raises:
        ValueError: It holds another model, or none.
    """
    found = read_model_type(folder)
    if found is None or found not in types:
        raise ValueError(
            f"{folder} holds {describe_folder(folder)}; expected a model of type "
            f"{' or '.join(types)}, with a config.json that says so. Name the folder of one."
        )
    return found


def load_model(kind: type[Model], folder: Path, types: tuple[str, ...], **options: Any) -> Model:
    """Load a model in float32; weights of parts that it does not have are left out.

    Args:
        kind: Its class.
        folder: Holds config.json and safetensors.
        types: Model types that the class can be loaded from.
        options: Go to `from_pretrained`.

    Raises:
        ValueError: Another model, damaged, or incomplete.
    """
    read_known_type(folder, types)
    try:
        with _no_report():
            model, info = kind.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are told below, with the weight's name
                **options,
            )  # type: ignore[misc]
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"{folder} does not hold a {kind.__name__} that transformers can read "
            f"({reason_of(error)}). Save or download it again, as safetensors."
        ) from error
    # transformers only warns of these, and goes on with random weights.
    reshaped = {name for name, *_ in info["mismatched_keys"]}
    if wrong := sorted({*info["missing_keys"], *reshaped}):
        raise ValueError(
            f"{folder} lacks the weight {wrong[0]}, or has it in another shape; expected all of "
            "config.json's model. Save or download it again."
        )
    return model


def load_extractor(kind: type[Extractor], folder: Path) -> Extractor | None:
    """Load the settings of a model's front end, or None where the folder has none.

    Raises:
        ValueError: They are damaged.
    """
    if not any((folder / name).is_file() for name in EXTRACTOR_FILES):
        return None
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as above
        raise ValueError(
            f"{folder} has a damaged {EXTRACTOR_FILES[0]} ({reason_of(error)}). Download it again."
        ) from error


@contextmanager
def _no_report() -> Iterator[None]:
    """Keep transformers from listing the weights that are left out, and from drawing a bar."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
