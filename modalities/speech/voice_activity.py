"""Where speech is, by Silero's detector, while sound arrives."""

import importlib.util
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from modalities.speech.speech_spans import (
    CHUNK_SAMPLES,
    SpanFinder,
    SpeechSpan,
    VoiceActivityConfig,
)
from modalities.speech.steady_level import SteadyLevel, SteadyOffset, weights_by_age

CONTEXT_SAMPLES = 64
# The network minds how loud its input is; these bring every recording to one level, at which it
# passes over all noise recordings at hand. Levels are of its own spectra from 125 to 4000 Hz, where
# rumble and hum do not count: 110 is a chunk of full power, and 30 the loudest one of speech that
# peaks near full scale.
LEVEL_BINS = slice(2, 65)
LEVEL, SILENCE = 13.0, 110 * 1e-6
# Over 10 s; what is 3 s back counts 12 dB less, so that a loud talker hides no quiet one after him.
LEVEL_WEIGHTS = weights_by_age(312, full=62, fallen=94, least=0.25)
OFFSET_CHUNKS = 64  # 2 s
# The network remembers. When sound turns out to be this many times louder than all before, what
# it remembers was heard too loud; then it hears the last second again.
LEAP, AGAIN_CHUNKS = 2.0, 32
MODEL = "data/silero_vad.jit"

Memory = tuple[Tensor, Tensor]  # hidden and cell state of the network, [1, 128] each


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
    def measure(self, chunks: Tensor) -> Tensor:
        """Give the spectra of chunks, as loud as they are.

        Args:
            chunks: [chunks, 576]: 64 samples of the chunk before, then 512 of its own.

        Returns:
            Magnitudes, [chunks, 129, 4], from 0 to 8000 Hz.
        """
        padded = pad(chunks[:, None], (0, CONTEXT_SAMPLES), mode="reflect")
        spectra = self.stft_conv(padded)
        return (spectra[:, :129].square() + spectra[:, 129:].square()).sqrt()

    @torch.inference_mode()
    def forward(self, spectra: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Give the probability of speech in each chunk.

        Args:
            spectra: [chunks, 129, 4], from `measure`.
            memory: What the last call returned, or None.

        Returns:
            [chunks], and the memory for the next call.
        """
        features = spectra
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            features = convolution(features).relu()
        states, after = self.rnn(features.squeeze(-1), memory)  # [chunks, 128]
        final = conv1d(states.relu()[..., None], self.final_conv.weight, self.final_conv.bias)
        return final.sigmoid()[:, 0, 0], after


def load_silero() -> SileroNetwork:
    """Load the network from the wheel.

    Raises:
        ValueError: The wheel silero-vad is not installed, or holds no such model.
    """
    spec = importlib.util.find_spec("silero_vad")
    path = Path(spec.origin).parent / MODEL if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ValueError(
            "The weights of the speech detector are missing; expected the wheel silero-vad 6. "
            "Install it, or turn the detector off."
        )
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


class SpeechDetector:
    """Finds speech in sound that arrives in pieces; how it is cut changes nothing.

    Nor does how loud it is: the spectra are brought to one level, see `SteadyLevel`, and a
    constant part is taken off.

    Args:
        config: Thresholds and lengths.
        network: A loaded network, to share it between detectors.
    """

    def __init__(
        self, config: VoiceActivityConfig | None = None, network: SileroNetwork | None = None
    ):
        self.spans = SpanFinder(config or VoiceActivityConfig())
        self.followers: list[SpanFinder] = []
        self.network = network or load_silero()
        self.memory: Memory | None = None
        self.offset = SteadyOffset(OFFSET_CHUNKS)
        self.level = SteadyLevel(LEVEL, SILENCE, LEVEL_WEIGHTS)
        self.factor = math.inf  # by which what the network remembers was multiplied
        self.recent: Tensor = torch.zeros(0, 129, 4)  # the last spectra, as loud as they were
        self.waiting = np.zeros(CONTEXT_SAMPLES, np.float32)

    @property
    def open_start_s(self) -> float | None:
        """Start of speech that has not ended, or None."""
        return self.spans.open_start_s

    @property
    def is_sure(self) -> bool:
        """Whether speech that has not ended would be kept if it ended now."""
        return self.spans.is_sure

    def follow(self, config: VoiceActivityConfig) -> "SpanFinder":
        """Find spans by other thresholds as well, from the same run of the network.

        Returns:
            What collects them in `found`; it is fed by this detector from now on.
        """
        follower = SpanFinder(config)
        self.followers.append(follower)
        return follower

    def push(self, waveform: np.ndarray) -> list[SpeechSpan]:
        """Take [samples] at 16 kHz and return the spans that have ended."""
        for finder in (self.spans, *self.followers):
            finder.received += len(waveform)
        self.waiting = np.concatenate([self.waiting, waveform], dtype=np.float32)
        self._advance()
        return self.spans.take()

    def flush(self) -> list[SpeechSpan]:
        """Return the spans that the end of the sound closes; the detector is then used up."""
        rest = (CONTEXT_SAMPLES - len(self.waiting)) % CHUNK_SAMPLES
        silence = np.full(rest, self.offset.mean, np.float32)
        self.waiting = np.concatenate([self.waiting, silence])
        self._advance()
        for finder in (self.spans, *self.followers):
            finder.finish()
        return self.spans.take()

    def _advance(self) -> None:
        count = (len(self.waiting) - CONTEXT_SAMPLES) // CHUNK_SAMPLES
        if count <= 0:
            return
        windows = np.lib.stride_tricks.sliding_window_view(
            self.waiting, CONTEXT_SAMPLES + CHUNK_SAMPLES
        )[::CHUNK_SAMPLES][:count]
        self.waiting = self.waiting[count * CHUNK_SAMPLES :]
        probabilities = self._listen(windows)
        for finder in (self.spans, *self.followers):
            finder.hear(probabilities)

    def _listen(self, windows: np.ndarray) -> list[float]:
        """Give the probability of speech in each of [chunks, 576], all brought to one level."""
        offsets = self.offset.push(windows[:, CONTEXT_SAMPLES:].mean(1, dtype=np.float64))
        centred = windows - offsets[:, None]
        if self.spans.chunks == 0:
            centred[0, :CONTEXT_SAMPLES] = 0  # there was nothing, and no leap to a constant part
        spectra = self.network.measure(torch.from_numpy(centred))
        levels = spectra[:, LEVEL_BINS].square().sum(1).mean(1).sqrt()
        factors = torch.from_numpy(self.level.push(levels.numpy()))
        known = torch.cat([self.recent, spectra])
        before = len(self.recent)
        self.recent = known[-AGAIN_CHUNKS:]
        found: list[float] = []
        start = 0
        for stop in [*self._leaps(factors), len(factors)]:
            if stop > start:
                part = spectra[start:stop] * factors[start:stop, None, None]
                probabilities, self.memory = self.network(part, self.memory)
                found += probabilities.tolist()
            if stop < len(factors):
                self._hear_again(known[: before + stop], float(factors[stop]))
            start = stop
        return found

    def _leaps(self, factors: Tensor) -> list[int]:
        """Return the chunks before which what was heard has to be heard again."""
        leaps = []
        for number, factor in enumerate(factors.tolist()):
            if factor * LEAP < self.factor:
                leaps.append(number)
                self.factor = factor
            self.factor = max(self.factor, factor)
        return leaps

    def _hear_again(self, spectra: Tensor, factor: float) -> None:
        self.memory = None
        if len(spectra):
            _, self.memory = self.network(spectra[-AGAIN_CHUNKS:] * factor, None)


def speech_spans(
    waveform: np.ndarray, config: VoiceActivityConfig | None = None
) -> list[SpeechSpan]:
    """Find the speech in a whole waveform, [samples] at 16 kHz."""
    detector = SpeechDetector(config)
    return [*detector.push(waveform), *detector.flush()]
