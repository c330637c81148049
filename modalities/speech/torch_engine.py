"""A Whisper of transformers as an engine, on any device and with adapters in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalities.audio.log_mel import LogMel
from modalities.speech.constraints import TokenConstraints
from modalities.speech.engine import Attempt, Sampling, cycles
from modalities.speech.step_decoder import StepDecoder, is_plain, lay_out_for_steps
from modalities.speech.whisper import Whisper
from modalities.speech.word_times import WordAligner


class TorchEngine:
    """Hears and writes with torch.

    Args:
        whisper: The model; its decoder's matrices are laid out anew, values unchanged.
    """

    together = 1

    def __init__(self, whisper: Whisper):
        self.whisper = whisper
        self.name = whisper.name
        self.vocabulary = whisper.vocabulary
        self.model = whisper.model
        lay_out_for_steps(self.model)
        self.steps = StepDecoder(self.model)
        self.max_tokens = self.steps.max_tokens
        self.constraints = TokenConstraints(self.model.generation_config, self.model.device)
        self.aligner = WordAligner(whisper, self.steps)
        self.spectrogram = LogMel(whisper.mel_bins).to(self.model.device)

    @torch.inference_mode()
    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """Compute the log-mel of a window: [samples] -> [mel_bins, 3000]."""
        row = torch.from_numpy(waveform)[None].to(self.model.device)
        return self.spectrogram(self.spectrogram.pad(row))[0].cpu().numpy()

    @torch.inference_mode()
    def hear(self, mel: np.ndarray) -> "TorchWindow":
        """Run the encoder on [mel_bins, 3000]."""
        window = torch.from_numpy(mel)[None].to(self.model.device)
        return TorchWindow(self, window, self.model.model.encoder(window).last_hidden_state)

    def guess_all(
        self,
        windows: Sequence["TorchWindow"],
        prompts: Sequence[list[int]],
        limits: Sequence[int],
    ) -> list[list[int]]:
        """Guess at nothing; see `Engine`."""
        return [[] for _ in windows]


class TorchWindow:
    """A window that the encoder has heard.

    Args:
        engine: What heard it.
        mel: [1, mel_bins, 3000].
        states: Encoder output, [1, 1500, dim].

    Raises:
        ValueError: The decoder's blocks were replaced.
    """

    def __init__(self, engine: TorchEngine, mel: Tensor, states: Tensor):
        if not is_plain(engine.model):
            raise ValueError(
                "The decoder's blocks were replaced; expected transformers' WhisperDecoderLayer. "
                "Adapters must wrap linear layers."
            )
        self.engine = engine
        self.mel = mel
        self.steps = engine.steps
        self.state = self.steps.start(states)

    @torch.inference_mode()
    def guess_language(self) -> str:
        """Return the code of the likeliest language."""
        vocabulary = self.engine.vocabulary
        hidden = self.steps.read(
            self.steps.restart(self.state), self._row([vocabulary.start_of_text])
        )
        codes = list(vocabulary.languages)
        choices = torch.tensor(list(vocabulary.languages.values()), device=hidden.device)
        return codes[int(self.steps.logits(hidden[0, -1])[choices].argmax())]

    @torch.inference_mode()
    def write(self, prompt: list[int], limit: int | None, guess: Sequence[int] = ()) -> Attempt:
        """Decode greedily; see `HeardWindow`."""
        constraints = self.engine.constraints
        state = self.steps.restart(self.state)
        hidden = self.steps.read(state, self._row(prompt))
        no_speech_id = self.engine.vocabulary.no_speech
        no_speech = float(self.steps.logits(hidden[0, 0]).softmax(0)[no_speech_id])
        said: list[int] = []
        total = 0.0
        while True:
            logits = constraints.apply(self.steps.logits(hidden[0, -1]), said)
            best, index = logits.max(0)
            token = int(index)
            total += float(best - logits.logsumexp(0))
            if token == constraints.end_of_text:
                return Attempt(said, total / (len(said) + 1), no_speech)
            said.append(token)
            full = state.tokens == self.steps.max_tokens
            if full or (limit is not None and (len(said) >= limit or cycles(said))):
                return Attempt(said, total / len(said), no_speech)
            hidden = self.steps.read(state, self._row([token]))

    def sample(self, prompt: list[int], limit: int, sampling: Sampling) -> Attempt:
        """Let transformers draw; see `HeardWindow`."""
        engine = self.engine
        vocabulary = engine.vocabulary
        settings: dict[str, Any] = {}
        if vocabulary.languages:
            settings["language"] = vocabulary.language_of(prompt)
        with torch.random.fork_rng():
            torch.manual_seed(sampling.seed)
            output = engine.model.generate(
                self.mel,
                return_timestamps=True,
                temperature=sampling.temperatures,
                compression_ratio_threshold=sampling.compression_threshold,
                logprob_threshold=sampling.log_probability_threshold,
                condition_on_prev_tokens=False,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
                max_new_tokens=min(limit, engine.max_tokens - 8),
                **settings,
            )
        scores: Tensor = torch.stack(output.scores)[:, 0]  # type: ignore[union-attr] # [tokens, vocabulary]
        tokens: Tensor = output.sequences[0][-len(scores) :]  # type: ignore[union-attr]
        picked = scores.log_softmax(-1).gather(1, tokens[:, None])
        said = tokens.tolist()
        said = said[:-1] if said and said[-1] == engine.constraints.end_of_text else said
        return Attempt(said, float(picked.mean()), 0.0)

    @torch.inference_mode()
    def token_times(self, prompt: list[int], tokens: list[int], states: int) -> np.ndarray:
        """Find when tokens are said; see `HeardWindow`."""
        return self.engine.aligner.token_times(self.state, prompt, tokens, states)

    def _row(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor([list(tokens)], device=self.engine.model.device)
