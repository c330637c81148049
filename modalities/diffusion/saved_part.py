"""A part of a pipeline from the folder that diffusers saved it in."""

from pathlib import Path
from typing import Any

import torch

from modalities.hub import reason_of

AGAIN = "Save or download it again, as safetensors"


def load_part(kind: Any, folder: Path) -> Any:
    """Load a part in float32; what is missing is told, and not drawn at random.

    Args:
        kind: Its class of diffusers.
        folder: Its own, within the pipeline's.

    Raises:
        ValueError: The folder is damaged, lacks a weight, or holds something else.
    """
    try:
        model, info = kind.from_pretrained(
            folder,
            torch_dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"{folder} does not hold a {kind.__name__} that diffusers can read "
            f"({reason_of(error)}). {AGAIN}."
        ) from error
    if wrong := sorted(info["missing_keys"]):
        raise ValueError(f"{folder} lacks the weight {wrong[0]}. {AGAIN}.")
    return model
