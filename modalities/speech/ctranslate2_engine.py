"""A Whisper that CTranslate2 computes, on the CPU and without torch."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from modalities.audio.numpy_log_mel import NumpyLogMel
from modalities.speech.ctranslate2_file import EXPECTED, HEAD_DIM, read_index
from modalities.speech.ctranslate2_settings import Settings, read_settings
from modalities.speech.draft_folder import find_draft_folder
from modalities.speech.drafts import Draft
from modalities.speech.engine import Attempt, Sampling
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.onnx_decoder import Memory, OnnxDecoder
from modalities.speech.onnx_encoder import OnnxEncoder
from modalities.speech.token_rules import TokenRules
from modalities.speech.tokenizer import find_tokenizer_file
from modalities.speech.vocabulary import Vocabulary, read_vocabulary
from modalities.speech.warping import trace_times
from modalities.speech.whisper_files import check_offline_hash
from modalities.thread_count import count_threads

MOST_THREADS = 8
TOGETHER = 8  # windows that are drafted side by side
# A guess that twice in a row gives fewer right tokens is made anew; it is no longer than twice what
# has been said and so much more, lest a text that CTranslate2 never guesses right takes the square
# of its length.
LEAST_RIGHT, MOST_POOR, GUESS = 3, 1, 32
POSITIONS = "{side}/position_encodings/encodings"


class CTranslate2Engine:
    """Hears with onnxruntime and writes with CTranslate2, all in float32 in the end.

    CTranslate2 drafts in int8, which reads a quarter of the memory for each token. onnxruntime
    reads what it drafted in float32, all tokens at once; from the first one that float32 would not
    have written, it is drafted anew. What is written is what float32 writes.

    Args:
        folder: A complete folder of CTranslate2, see `is_complete`.
        name: What the user asked for.

    Raises:
        ImportError: CTranslate2 or onnxruntime is not installed.
        ValueError: The folder is damaged, or not a Whisper.
    """

    together = TOGETHER

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.folder = folder
        self.settings: Settings = read_settings(folder / "config.json")
        self.index = index = read_index(folder / "model.bin")
        if index.name != "WhisperSpec":
            raise ValueError(
                f"{folder} holds a {index.name}; expected a WhisperSpec. Name a Whisper."
            )
        size, dim = index.entries["decoder/embeddings/weight"].shape
        self.max_tokens = index.entries[POSITIONS.format(side="decoder")].shape[0]
        weights = NumpyWeights(index)
        known = "decoder/num_heads" in index.entries
        heads = weights.number("decoder/num_heads") if known else dim // HEAD_DIM
        with ThreadPoolExecutor(2) as pool:  # both leave the interpreter free meanwhile
            checked = pool.submit(check_offline_hash, folder)
            opened = pool.submit(self.open)
            self.vocabulary = read_vocabulary(find_tokenizer_file(folder, size), size)
            threads = count_threads(MOST_THREADS)
            self.encoder = OnnxEncoder(weights, heads, threads)
            aligned = self.settings.alignment_heads or []
            self.decoder = OnnxDecoder(weights, aligned, heads, threads)
            weights.release()
        checked.result()
        self.model = opened.result()
        self.rules = _rules(self.settings, self.vocabulary)
        self.log_mel = NumpyLogMel(self.encoder.mel_bins)

    def open(self) -> Any:
        """Load the model, of its kept copy in int8, as a library object of its own."""
        import ctranslate2  # pyright: ignore[reportMissingImports]

        ctranslate2.set_log_level(50)  # that float16 is computed in another type is meant
        folder = find_draft_folder(self.folder, self.index)
        try:
            return ctranslate2.models.Whisper(
                str(folder), compute_type="int8", intra_threads=count_threads(MOST_THREADS)
            )
        except (IndexError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"CTranslate2 cannot read {self.folder} ({error}); {EXPECTED} The torch engine may "
                "read it."
            ) from error

    def hear(self, mel: np.ndarray) -> "CTranslate2Window":
        """Run the encoder on [mel_bins, 3000]."""
        return CTranslate2Window(self, self.encoder(mel[None])[0])

    def guess_all(
        self,
        windows: Sequence["CTranslate2Window"],
        prompts: Sequence[list[int]],
        limits: Sequence[int],
    ) -> list[list[int]]:
        """Draft windows side by side in int8; see `Engine`.

        A matrix is then read once for a token of each: 7 windows are drafted in 0.55 of the time.
        """
        most = [w.count_most(p, n) for w, p, n in zip(windows, prompts, limits, strict=True)]
        view = _view(np.stack([window.states for window in windows]))
        drawn = self.generate(self.model, view, prompts, max(most))
        return [found.sequences_ids[0][:room] for found, room in zip(drawn, most, strict=True)]

    def guess(self, states: Any, tokens: list[int], limit: int) -> list[int]:
        """Write likely tokens in int8.

        Args:
            states: What the encoder made.
            tokens: The prompt, and what has been said after it.
            limit: The most tokens after the prompt.

        Returns:
            The tokens after the prompt, what has been said too, without the end of text.
        """
        return self.generate(self.model, states, [tokens], limit)[0].sequences_ids[0]

    def generate(
        self, model: Any, states: Any, tokens: Sequence[list[int]], limit: int, **settings: Any
    ) -> Any:
        """Write tokens one after the other, and return what the library tells of each window.

        Args:
            model: The one of this engine, or another one of the same folder.
            states: What the encoder made of one window or several.
            tokens: For each the prompt, and what has been said after it.
            limit: The most tokens after the prompt.
            settings: How they are drawn; without, the likeliest one is taken.
        """
        return model.generate(
            states,
            list(tokens),
            beam_size=1,
            length_penalty=0,  # the score is then a sum
            max_length=2 * limit,  # half of it is for a prompt of text before
            max_initial_timestamp_index=self.settings.latest_first_timestamp,
            **settings,
        )


class CTranslate2Window:
    """A window that the encoder has heard.

    Args:
        engine: What heard it.
        states: Encoder output, float32 [1500, dim].
    """

    def __init__(self, engine: CTranslate2Engine, states: np.ndarray):
        self.engine = engine
        self.states = states

    @cached_property
    def memory(self) -> Memory:
        """What the decoder's layers hear in it."""
        return self.engine.decoder.hear(self.states)

    @cached_property
    def view(self) -> Any:
        """The states as CTranslate2 takes them."""
        return _view(self.states[None])

    def guess_language(self) -> str:
        """Return the code of the likeliest language."""
        vocabulary, decoder = self.engine.vocabulary, self.engine.decoder
        (scores,) = decoder.score(decoder.read(self.memory, [vocabulary.start_of_text]))
        return max(vocabulary.languages, key=lambda code: scores[vocabulary.languages[code]])

    def count_most(self, prompt: list[int], limit: int | None) -> int:
        """Return how many tokens may follow a prompt."""
        most = self.engine.max_tokens - len(prompt) + 1
        return most if limit is None else min(limit, most)

    def write(self, prompt: list[int], limit: int | None, guess: Sequence[int] = ()) -> Attempt:
        """Decode greedily; see `HeardWindow`.

        Args:
            prompt: The tokens before the text.
            limit: The most tokens, or None.
            guess: What was drafted already; without, it is drafted.
        """
        engine, decoder = self.engine, self.engine.decoder
        most = self.count_most(prompt, limit)
        draft = Draft(engine.rules, engine.vocabulary, len(prompt), most, circles=limit is None)
        guess, drafted = list(guess), bool(guess)
        poor = 0
        while not draft.finished:
            before = len(draft.said)
            if not drafted and (len(guess) <= before or poor > MOST_POOR):
                room = 2 * before + GUESS if before else most
                guess = engine.guess(self.view, [*prompt, *draft.said], min(most, room))
                poor = 0
            drafted = False
            rows = decoder.read(self.memory, [*prompt, *guess][: engine.max_tokens])
            guess = draft.follow(guess, rows, decoder.score)
            poor = poor + 1 if len(draft.said) - before < LEAST_RIGHT else 0
        return draft.attempt()

    def sample(self, prompt: list[int], limit: int, sampling: Sampling) -> Attempt:
        """Draw at rising temperatures; see `HeardWindow`."""
        import ctranslate2  # pyright: ignore[reportMissingImports]

        engine = self.engine
        limit = min(limit, engine.max_tokens - len(prompt) + 1)
        ctranslate2.set_random_seed(sampling.seed)
        engine.model = engine.open()  # a seed counts for threads that begin after it
        attempt: Attempt | None = None
        for temperature in sampling.temperatures:
            drawn = engine.generate(
                engine.model,
                self.view,
                [prompt],
                limit,
                sampling_topk=0,
                sampling_temperature=temperature,
                return_scores=True,
                return_no_speech_prob=True,
            )[0]
            tokens = drawn.sequences_ids[0]
            ended = len(tokens) < limit
            mean = drawn.scores[0] / (len(tokens) + ended)
            attempt = Attempt(tokens, mean, drawn.no_speech_prob)
            if not sampling.finds_bad(attempt, engine.vocabulary.size):
                break
        assert attempt is not None
        return attempt

    def token_times(self, prompt: list[int], tokens: list[int], states: int) -> np.ndarray:
        """Find when tokens are said; see `HeardWindow`."""
        vocabulary = self.engine.vocabulary
        head = [*prompt, vocabulary.no_timestamps]
        told = [*head, *tokens, vocabulary.end_of_text]
        return trace_times(self.engine.decoder.attention(self.memory, told, states), len(head))


def _view(states: np.ndarray) -> Any:
    """Return states of windows, [windows, states, dim], as CTranslate2 takes them."""
    import ctranslate2  # pyright: ignore[reportMissingImports]

    return ctranslate2.StorageView.from_array(states)


def _rules(settings: Settings, vocabulary: Vocabulary) -> TokenRules:
    never = {*(settings.suppressed or []), vocabulary.no_timestamps}
    return TokenRules(
        sorted(never),
        sorted(never | {*(settings.suppressed_at_start or [])}),
        vocabulary.first_timestamp,
        vocabulary.end_of_text,
        settings.latest_first_timestamp,
    )
