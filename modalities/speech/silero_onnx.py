"""Silero's speech detector in its own ONNX file, without torch."""

from typing import Any

import numpy as np

from modalities.audio.hann import build_hann_window
from modalities.onnx_session import build_options, open_session
from modalities.speech.silero_files import find_silero_file
from modalities.speech.voice_activity import CONTEXT_SAMPLES, LEVEL_BINS

MODEL = "data/silero_vad_16k_sequence.onnx"
FFT_SAMPLES, HOP_SAMPLES = 256, 128

Memory = tuple[np.ndarray, np.ndarray]  # hidden and cell state, [1, 1, 128] each


class SileroOnnx:
    """Silero's 16 kHz network, many chunks a call.

    The wheel holds it in several files. This one and the .jit that `SileroNetwork` reads give the
    same probabilities to 2e-6; the weights in the wheel's .safetensors are those of another
    training.

    Args:
        session: onnxruntime's session of the file.
    """

    def __init__(self, session: Any):
        self.session = session
        self.window = build_hann_window(FFT_SAMPLES)

    def measure(self, chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the chunks as they are, and how loud they are; see `SpeechNetwork`."""
        padded = np.pad(chunks, ((0, 0), (0, CONTEXT_SAMPLES)), mode="reflect")
        pieces = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES, axis=1)
        spectra = np.fft.rfft(pieces[:, ::HOP_SAMPLES] * self.window)[..., LEVEL_BINS]
        power = spectra.real**2 + spectra.imag**2  # [chunks, 4, 63]
        return chunks, np.sqrt(power.sum(2).mean(1))

    def listen(self, chunks: np.ndarray, memory: Memory | None) -> tuple[np.ndarray, Memory]:
        """Give the probability of speech in each of [chunks, 576]; see `SpeechNetwork`."""
        hidden, cell = memory or (np.zeros((1, 1, 128), np.float32),) * 2
        inputs = {"input": np.ascontiguousarray(chunks), "h": hidden, "c": cell}
        probabilities, hidden, cell = self.session.run(None, inputs)
        return probabilities, (hidden, cell)


def load_silero_onnx() -> SileroOnnx:
    """Load the network from the wheel.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: The wheel silero-vad is not installed, or holds no such model.
    """
    options = build_options(threads=1)
    path = find_silero_file(
        MODEL, "6.2.3 or later", "take the torch engine, or turn the detector off"
    )
    return SileroOnnx(open_session(str(path), options))
