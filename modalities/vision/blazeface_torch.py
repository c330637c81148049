"""BlazeFace in torch, on any device."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from modalities.vision.blazeface import NETWORKS
from modalities.vision.face_network import Candidates, refuse_weights


class TorchFaceNetwork:
    """A BlazeFace on a device of torch.

    Args:
        range_: "short" or "full".
        path: Its weights, safetensors.
        device: Where it runs.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or belongs to another network, or the device cannot be used.
    """

    def __init__(self, range_: str, path: Path, device: str | torch.device):
        keep_freed_memory()
        network = NETWORKS[range_]()
        load_weights(network, range_, path)
        try:
            self.device = torch.device(device)
            network = network.eval().to(self.device)
        except (RuntimeError, AssertionError) as error:  # torch raises either
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"Device {str(device)!r} cannot be used ({reason}); try cpu."
            ) from error
        self.network = network.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray, least_logit: float) -> Candidates:
        """Score every anchor; see `FaceNetwork`."""
        images = torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device).float()
        images = images.div_(127.5).sub_(1).permute(0, 3, 1, 2)  # channels last in memory
        regressors, logits = self.network(images)
        # Nearly all anchors see nothing; only the others leave the device.
        picture, anchor = torch.nonzero(logits > least_logit, as_tuple=True)
        told = (picture, anchor, regressors[picture, anchor], logits[picture, anchor])
        return Candidates(*(values.cpu().numpy() for values in told))


def keep_freed_memory() -> None:
    """Let the C library keep what feature maps free, instead of giving it back at once.

    glibc serves a large block by asking the system for fresh pages, which must be cleared, until
    a block of that size has been freed once. Clearing took two fifths of the network's time.
    Where the C library is another one this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)  # never touched, so it costs no memory


def load_weights(network: nn.Module, range_: str, path: Path) -> None:
    """Load a safetensors file into a network, as float32.

    Args:
        network: A BlazeFace.
        range_: Which one, "short" or "full".
        path: The file that `convert_blazeface` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or belongs to another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise refuse_weights(range_, path)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise refuse_weights(range_, path, str(error)) from error
