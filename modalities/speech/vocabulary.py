"""What the numbers of a Whisper's tokens stand for; loads no library of models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import Tokenizer

from modalities.speech.tokenizer import number_of, unreadable

FIRST_MULTILINGUAL_VOCABULARY = 51_865
LATEST_FIRST_TIMESTAMP = 50  # steps of 0.02 s: Whisper's first timestamp is at most 1.00 s


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one Whisper.

    Attributes:
        backend: Spells them.
        size: How many the model knows, with its timestamps.
        start_of_text: The token that comes first.
        end_of_text: The one that comes last; all below it are text.
        no_timestamps: The one before the timestamps.
        transcribe: What asks for the language that is spoken; None in an English-only model.
        languages: Tokens by code; none in an English-only model.
    """

    backend: Tokenizer = field(repr=False)
    size: int
    start_of_text: int
    end_of_text: int
    no_timestamps: int
    transcribe: int | None = None
    languages: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_timestamp(self) -> int:
        """The token of 0.00 s; each further one is 0.02 s later."""
        return self.no_timestamps + 1

    @property
    def no_speech(self) -> int:
        """The token that stands for silence."""
        return self.no_timestamps - 1

    def spell(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; special ones, timestamps apart, are written as they are."""
        return self.backend.decode(list(tokens), skip_special_tokens=False)

    def prompt(self, language: str | None) -> list[int]:
        """Return the tokens before the text.

        Args:
            language: A code among `languages`; an English-only model takes no notice of it.
        """
        if not self.languages:
            return [self.start_of_text]
        assert language is not None and self.transcribe is not None
        return [self.start_of_text, self.languages[language], self.transcribe]

    def language_of(self, prompt: Sequence[int]) -> str:
        """Return the code that a prompt names; English where it names none."""
        return next((code for code, token in self.languages.items() if token in prompt), "en")


def read_vocabulary(path: Path, size: int) -> Vocabulary:
    """Read a tokenizer.json.

    Args:
        path: The file.
        size: How many tokens the model knows; 51865 and more are multilingual.

    Raises:
        ValueError: The file is damaged, or lacks a special token.
    """
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises Exception itself
        raise unreadable(path, error) from error
    names = ("<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>")
    start, end, last = (number_of(backend, name) for name in names)
    if size < FIRST_MULTILINGUAL_VOCABULARY:
        return Vocabulary(backend, size, start, end, last)
    transcribe, translate = (number_of(backend, f"<|{t}|>") for t in ("transcribe", "translate"))
    numbers = range(start + 1, min(transcribe, translate))
    languages = {str(backend.id_to_token(number)).strip("<|>"): number for number in numbers}
    return Vocabulary(backend, size, start, end, last, transcribe, languages)
