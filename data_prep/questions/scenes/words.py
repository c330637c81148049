"""All words of both worlds, and the small tokenizer that spells them."""

import re
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from data_prep.questions.scenes.people import SYNONYMS
from data_prep.questions.scenes.speaking import plural
from data_prep.questions.scenes.wording import NUMBERS, WORDINGS
from data_prep.questions.scenes.world import WORLDS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MARKS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
PROMPTS = ("vqa: ", "gpa: ", "nlvr: ", "caption: ")
ANSWERS = ("yes", "no", "true", "false", "left", "right", "above", "below", *"0123456789")
PART = re.compile(r"\{\w+\}")
WORD = re.compile(r"[a-z]+|[0-9]")
PIECE = re.compile(r"[a-z]+|[0-9]+|[!-/:-@[-`{-~]+")  # of any text
SPACE = "Ġ"  # how byte-level tokenizers write a space


def words_of(look: str) -> set[str]:
    """Return all words that a world may use, in questions, statements, captions and answers."""
    world, wording = WORLDS[look], WORDINGS[look]
    told = (*ANSWERS, *NUMBERS, "a", "an", "the", "and", wording.noun, plural(wording.noun))
    values = [value for axis in world.axes for value in world.values[axis]]
    templates = chain.from_iterable(
        ways for forms in wording.templates.values() for ways in forms.values()
    )
    texts = [
        *told,
        *map(plural, world.values["shape"]),
        *(wording.said.get(value, value) for value in values),
        *(SYNONYMS.get(value, "") for value in values),
        *wording.relations.values(),
        *(PART.sub(" ", template) for template in templates),
    ]
    return set(WORD.findall(" ".join(texts)))


def words_of_worlds() -> tuple[str, ...]:
    """Return the words of both worlds and of the prompts of tasks, sorted."""
    words = {*words_of("seen"), *words_of("unseen"), *WORD.findall(" ".join(PROMPTS))}
    return tuple(sorted(words))


def words_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the words and signs of texts, and of the prompts of tasks, in lower case, sorted."""
    return tuple(sorted({*PIECE.findall(" ".join([*texts, *PROMPTS, *ANSWERS]).lower())}))


def build_tokenizer(words: Iterable[str] | None = None) -> "PreTrainedTokenizerFast":
    """Build a tokenizer for a small BART, of about 470 entries.

    A word is one token; any other text is spelled in bytes, so that nothing is lost. All is lower
    case and every space single; the space before a text is not spelled back.

    Args:
        words: Each once, in lower case; None takes those of rendered scenes.

    Returns:
        One that puts <s> and </s> around texts and pads with <pad>; `save_pretrained` keeps it.
    """
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = list(MARKS.values())
    spaced = [SPACE + word for word in (words_of_worlds() if words is None else words)]
    entries = {
        entry: number for number, entry in enumerate([*marks[:4], *letters, *spaced, marks[4]])
    }
    # Without merges: a whole word is looked up, and else its bytes are taken.
    tokenizer = Tokenizer(BPE(entries, [], unk_token="<unk>", ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence(  # type: ignore[assignment]
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(  # type: ignore[assignment]
        add_prefix_space=True
    )
    tokenizer.decoder = decoders.Sequence(  # type: ignore[assignment]
        [decoders.ByteLevel(), decoders.Strip(" ", 1, 0)]
    )
    ends = [(mark, entries[mark]) for mark in ("<s>", "</s>")]
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[assignment]
        single="<s> $A </s>", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **MARKS
    )
