"""A Whisper that CTranslate2 computes, on the CPU and without torch."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modalities.audio.numpy_log_mel import NumpyLogMel
from modalities.speech.ctranslate2_file import EXPECTED, HEAD_DIM, ModelIndex, read_index
from modalities.speech.ctranslate2_settings import Settings, read_settings
from modalities.speech.engine import Attempt, Sampling, cycle_end
from modalities.speech.numpy_attention import NumpyAttention
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.tokenizer import find_tokenizer_file
from modalities.speech.vocabulary import read_vocabulary
from modalities.speech.warping import trace_times
from modalities.speech.whisper_files import check_offline_hash
from modalities.thread_count import count_threads

MOST_THREADS = 8
POSITIONS = "{side}/position_encodings/encodings"


class CTranslate2Engine:
    """Hears and writes with CTranslate2, in float32.

    Args:
        folder: A complete folder of CTranslate2, see `is_complete`.
        name: What the user asked for.

    Raises:
        ImportError: CTranslate2 is not installed.
        ValueError: The folder is damaged, or not a Whisper.
    """

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.folder = folder
        self.settings: Settings = read_settings(folder / "config.json")
        with ThreadPoolExecutor(1) as pool:  # hashing leaves the interpreter free meanwhile
            checked = pool.submit(check_offline_hash, folder)
            index = read_index(folder / "model.bin")
            if index.name != "WhisperSpec":
                raise ValueError(
                    f"{folder} holds a {index.name}; expected a WhisperSpec. Name a Whisper."
                )
            size = index.entries["decoder/embeddings/weight"].shape[0]
            self.max_tokens = index.entries[POSITIONS.format(side="decoder")].shape[0]
            self.vocabulary = read_vocabulary(find_tokenizer_file(folder, size), size)
            self.attention = self._attention(index)
            self.model = self.open()
        checked.result()
        self.log_mel = NumpyLogMel(self.model.n_mels)

    def _attention(self, index: ModelIndex) -> NumpyAttention:
        """Open what tells when words are said."""
        weights = NumpyWeights(index)
        dim = index.entries["decoder/embeddings/weight"].shape[1]
        known = "decoder/num_heads" in index.entries
        heads = weights.number("decoder/num_heads") if known else dim // HEAD_DIM
        return NumpyAttention(weights, self.settings.alignment_heads or [], heads)

    def open(self) -> Any:
        """Load the model as a library object of its own."""
        import ctranslate2  # pyright: ignore[reportMissingImports]

        ctranslate2.set_log_level(50)  # that float16 is computed in float32 is meant
        try:
            return ctranslate2.models.Whisper(
                str(self.folder), compute_type="float32", intra_threads=count_threads(MOST_THREADS)
            )
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"CTranslate2 cannot read {self.folder} ({error}); {EXPECTED} The torch engine may "
                "read it."
            ) from error

    def hear(self, mel: np.ndarray) -> "CTranslate2Window":
        """Run the encoder on [mel_bins, 3000]."""
        import ctranslate2  # pyright: ignore[reportMissingImports]

        row = np.ascontiguousarray(mel[None], np.float32)
        return CTranslate2Window(self, self.model.encode(ctranslate2.StorageView.from_array(row)))

    def generate(
        self, model: Any, states: Any, prompt: list[int], limit: int, **settings: Any
    ) -> Attempt:
        """Write tokens one after the other.

        Args:
            model: The one of this engine, or another one of the same folder.
            states: What the encoder made.
            prompt: The tokens before the text.
            limit: The most tokens.
            settings: How they are drawn; without, the likeliest one is taken.
        """
        limit = min(limit, self.max_tokens - len(prompt) + 1)
        result = model.generate(
            states,
            [prompt],
            beam_size=1,
            length_penalty=0,  # the score is then a sum
            max_length=2 * limit,  # half of it is for a prompt of text before
            max_initial_timestamp_index=self.settings.latest_first_timestamp,
            return_scores=True,
            return_no_speech_prob=True,
            **settings,
        )[0]
        tokens = result.sequences_ids[0]
        ended = len(tokens) < limit
        return Attempt(tokens, result.scores[0] / (len(tokens) + ended), result.no_speech_prob)


class CTranslate2Window:
    """A window that the encoder has heard.

    Args:
        engine: What heard it.
        states: Encoder output, as the library keeps it.
    """

    def __init__(self, engine: CTranslate2Engine, states: Any):
        self.engine = engine
        self.states = states

    def guess_language(self) -> str:
        """Return the code of the likeliest language."""
        best, _ = self.engine.model.detect_language(self.states)[0][0]
        return best.strip("<|>")

    def write(self, prompt: list[int], limit: int | None) -> Attempt:
        """Decode greedily; see `HeardWindow`."""
        engine = self.engine
        most = engine.max_tokens if limit is None else limit
        attempt = engine.generate(engine.model, self.states, prompt, most)
        end = None if limit is None else cycle_end(attempt.tokens)
        if end is None:
            return attempt
        return engine.generate(engine.model, self.states, prompt, end)

    def sample(self, prompt: list[int], limit: int, sampling: Sampling) -> Attempt:
        """Draw at rising temperatures; see `HeardWindow`."""
        import ctranslate2  # pyright: ignore[reportMissingImports]

        engine = self.engine
        ctranslate2.set_random_seed(sampling.seed)
        model = engine.open()  # a seed counts for threads that begin after it
        attempt: Attempt | None = None
        for temperature in sampling.temperatures:
            attempt = engine.generate(
                model,
                self.states,
                prompt,
                limit,
                sampling_topk=0,
                sampling_temperature=temperature,
            )
            if not sampling.finds_bad(attempt, engine.vocabulary.size):
                break
        assert attempt is not None
        return attempt

    def token_times(self, prompt: list[int], tokens: list[int], states: int) -> np.ndarray:
        """Find when tokens are said; see `HeardWindow`."""
        vocabulary = self.engine.vocabulary
        head = [*prompt, vocabulary.no_timestamps]
        told = [*head, *tokens, vocabulary.end_of_text]
        return trace_times(self.engine.attention(np.array(self.states)[0], told, states), len(head))
