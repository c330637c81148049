"""What each key of PEFT's configs means here: honoured, of no effect, or refused by its name."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Keys:
    """The keys of one type of PEFT's configs; `test_peft_keys` holds that none is missing.

    Attributes:
        honoured: What a loaded adapter computes follows them.
        neutral: They change nothing that a loaded adapter computes.
        refused: Why a value other than the default cannot be honoured, by key.
    """

    honoured: frozenset[str]
    neutral: frozenset[str]
    refused: Mapping[str, str]


COMMON = {"auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"}
PLACES = {"peft_type", "task_type", "target_modules", "modules_to_save"}
LORA = Keys(
    honoured=frozenset(
        {
            *PLACES,
            *("r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "lora_bias", "bias"),
            *("rank_pattern", "alpha_pattern", "exclude_modules", "layers_to_transform"),
            *("layers_pattern", "init_lora_weights", "trainable_token_indices"),
            "ensure_weight_tying",
        }
    ),
    neutral=frozenset(
        {
            *COMMON,
            "fan_in_fan_out",  # PEFT sets it by the class of each layer
            "runtime_config",  # where computations take place
            "loftq_config",  # `init_lora_weights` alone makes it work
            "megatron_core",  # `megatron_config` alone makes it work
            "qalora_group_size",  # `use_qalora` alone makes it work
            *("eva_config", "corda_config", "lora_ga_config"),  # how training has started
            *("velora_config", "monteclora_config"),  # change gradients, or add noise, in training
            "merge_weights",  # of 2023: when PEFT merged by itself
        }
    ),
    refused={
        "enable_lora": "it gives parts of one matrix adapters of their own, which PEFT itself has "
        "given up",
        "layer_replication": "it repeats blocks of the model, and the frozen model stays as it is",
        "megatron_config": "layers that Megatron splits over machines are not adapted",
        "target_parameters": "it adapts parameters, as those of experts, that are no module's "
        "weight",
        "alora_invocation_tokens": "the adapter would begin at some tokens, which modules do not "
        "see",
        "use_qalora": "it pools what A reads",
        "use_bdlora": "its matrices consist of blocks",
        "arrow_config": "it chooses among adapters at each token",
        "kasa_config": "it takes singular values out of the frozen weights",
    },
)
IA3 = Keys(
    honoured=frozenset({*PLACES, "exclude_modules", "feedforward_modules"}),
    neutral=frozenset({*COMMON, "fan_in_fan_out", "init_ia3_weights"}),
    refused={},
)
SHIRA = Keys(
    honoured=frozenset({*PLACES, "r"}),
    # The positions are in the file, however they were chosen.
    neutral=frozenset({*COMMON, "fan_in_fan_out", "init_weights", "mask_type", "random_seed"}),
    refused={},
)
POLY = Keys(
    honoured=frozenset({*PLACES, "exclude_modules", "r", "n_tasks", "n_skills", "n_splits"}),
    neutral=frozenset({*COMMON, "init_weights", "poly_type"}),  # there is one type
    refused={},
)
KEYS = {"LORA": LORA, "IA3": IA3, "SHIRA": SHIRA, "POLY": POLY}


def check_keys(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Check the keys of one of PEFT's configs.

    A key that nobody knows passes where its value says "no" (null, false, nothing in it) or is the
    default of the installed PEFT.

    Args:
        path: Its file, for messages.
        config: As the file has it, of a type in `KEYS`.

    Returns:
        What PEFT's own class is to be built with; null stands for the default.

    Raises:
        ValueError: A key asks for what cannot be honoured; the message has its name.
    """
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    keys = KEYS[config["peft_type"]]
    kind: Any = PEFT_TYPE_TO_CONFIG_MAPPING[config["peft_type"]]
    known = {field.name: field for field in fields(kind)}
    for key, value in config.items():
        if key in keys.honoured | keys.neutral or not value or value == _default(known.get(key)):
            continue
        said = f"{path}: the key {key!r} is {str(value)[:80]!r}"
        if key in keys.refused:
            raise ValueError(
                f"{said}, which mcgurk cannot honour: {keys.refused[key]}. Merge the adapter with "
                "PEFT's merge_and_unload, and load the merged model."
            )
        raise ValueError(
            f"{said}, and mcgurk knows no such key of PEFT's (the file was written by "
            f"version {config.get('peft_version') or 'unknown'}). Update mcgurk and peft; or, "
            "where it changes training alone, take the key out of the file."
        )
    return {key: value for key, value in config.items() if key in known and value is not None}


def _default(field: Any) -> Any:
    if field is None:
        return None
    return field.default_factory() if field.default is MISSING else field.default
