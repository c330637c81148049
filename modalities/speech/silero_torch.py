"""Silero's speech detector in torch."""

import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from modalities.speech.silero_files import find_silero_file
from modalities.speech.voice_activity import CONTEXT_SAMPLES, LEVEL_BINS

MODEL = "data/silero_vad.jit"

Memory = tuple[Tensor, Tensor]  # hidden and cell state, [1, 128] each


class SileroNetwork(nn.Module):
    """Silero's 16 kHz network; the convolutions of many chunks run as one batch.

    Source:
        The weights and architecture in the wheel silero-vad (MIT). The wheel's own loaders set
        torch to one thread, so only its weights are used.
    """

    def __init__(self):
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(129, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.rnn = nn.LSTM(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    @torch.inference_mode()
    def measure(self, chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the spectra of chunks, as loud as they are, and how loud that is.

        Args:
            chunks: [chunks, 576]: 64 samples of the chunk before, then 512 of its own.

        Returns:
            Magnitudes, [chunks, 129, 4], from 0 to 8000 Hz; and levels, [chunks].
        """
        padded = pad(torch.from_numpy(chunks)[:, None], (0, CONTEXT_SAMPLES), mode="reflect")
        spectra = self.stft_conv(padded)
        spectra = (spectra[:, :129].square() + spectra[:, 129:].square()).sqrt()
        levels = spectra[:, LEVEL_BINS].square().sum(1).mean(1).sqrt()
        return spectra.numpy(), levels.numpy()

    @torch.inference_mode()
    def listen(self, chunks: np.ndarray, memory: Memory | None) -> tuple[np.ndarray, Memory]:
        """Give the probability of speech in each chunk.

        Args:
            chunks: Spectra, [chunks, 129, 4], from `measure`.
            memory: What the last call returned, or None.

        Returns:
            [chunks], and the memory for the next call.
        """
        features = torch.from_numpy(chunks)
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = convolution(features).relu()
        states, after = self.rnn(features.squeeze(-1), memory)  # [chunks, 128]
        final = conv1d(states.relu()[..., None], self.final_conv.weight, self.final_conv.bias)
        return final.sigmoid()[:, 0, 0].numpy(), after


def load_silero() -> SileroNetwork:
    """Load the network from the wheel.

    Raises:
        ValueError: The wheel silero-vad is not installed, or holds no such model.
    """
    path = find_silero_file(MODEL, "6", "or turn the detector off")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is all that the wheel has
        stored = torch.jit.load(path, map_location="cpu").state_dict()
    weights = {theirs: stored[f"_model.{name}"] for name, theirs in _weight_names().items()}
    network = SileroNetwork()
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _weight_names() -> dict[str, str]:
    names = {"stft.forward_basis_buffer": "stft_conv.weight"}
    for part in ("weight", "bias"):
        names[f"decoder.decoder.2.{part}"] = f"final_conv.{part}"
        names |= {f"encoder.{i}.reparam_conv.{part}": f"conv{i + 1}.{part}" for i in range(4)}
        names |= {f"decoder.rnn.{part}_{on}": f"rnn.{part}_{on}_l0" for on in ("ih", "hh")}
    return names
