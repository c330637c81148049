"""In which numbers the forward pass of a training computes."""

import torch

# By the names of `tasks.training.options.PRECISIONS`, of which "float32" leaves a module as it is.
# Accelerate has the same under names of its own, but one choice for the life of a program; the
# experiments of a study may differ.
LOWER = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def check_precision(name: str, device: torch.device) -> None:
    """Raise where a device does not compute in a precision.

    Raises:
        ValueError: It does not; its message says what it computes in.
    """
    if name == "float16" and device.type == "cpu":
        raise ValueError(
            "Option 'precision' is 'float16', which a CPU does not train in; take 'bfloat16' or "
            "'float32', or a GPU."
        )
    if name == "bfloat16" and device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            raise ValueError(
                f"Option 'precision' is 'bfloat16', which {torch.cuda.get_device_name(device)} "
                "does not compute in; take 'float16' or 'float32'."
            )


def autocast(name: str, device: torch.device) -> torch.autocast:
    """Return a context in which torch computes in a precision what bears it; weights stay."""
    dtype = LOWER.get(name)
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def build_scaler(name: str, device: torch.device) -> torch.amp.GradScaler:
    """Return what keeps small gradients from being 0 in float16; it does nothing otherwise."""
    return torch.amp.GradScaler(device.type, enabled=name == "float16")
