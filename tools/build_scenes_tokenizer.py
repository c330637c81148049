"""Learn the tokenizer of the `scenes` model: `python -m tools.build_scenes_tokenizer DST`.

It is CLIP's kind, byte-level pairs, of about a thousand entries instead of 49,408: words of the
rendered scenes and of the prompts that the medical sets come with are one or few tokens, and any
other text can still be written, letter by letter. `CLIPTokenizer.from_pretrained(DST)` loads it.

CLIPSeg reads a prompt's meaning at its end token. transformers finds that either as the highest id
(where `text_config.eos_token_id` is 2) or as the first `text_config.eos_token_id`: both are right
with this tokenizer, as its end token is the highest id, if the config says
`bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id`.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.masks.scenes import ask, render_scene
from modalities.whole_file import folder_when_whole

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

Pair = tuple[str, str]
SIZE = 1280  # entries
LENGTH = 77  # tokens of a prompt, the two at its ends included
SCENES = 1500
START, END, LAST = "<|startoftext|>", "<|endoftext|>", "</w>"
# Words of the prompts p1 to p9 of the medical sets, by what is seen.
GRAMMAR = {
    "any": """one two three four five six seven eight nine many no small medium large tiny huge
        located in the center centre middle top bottom left right upper lower corner of image
        picture which is a an often that and with on at to from white black red pink brown yellow
        grey gray dark bright light round oval circle square rectangle triangle star heart shaped
        triangular circular rectangular regular irregular it region area object part everything
        background segment find show where""",
    "polyps": """polyp polyps projecting growth tissue bumpy flesh rectum small lump lining colon
        resemble mushroom like stalks stalk abnormal growths mucous mucosa membrane endoscopy
        colonoscopy bowel flat sessile""",
    "ultrasound": """tumor tumour tumors benign malignant breast ultrasound lesion lesions mass
        masses nodule nodules cyst regular-shaped irregular-shaped hypoechoic hyperechoic cancer
        normal healthy""",
    "skin": """skin melanoma mole lesion lesions spot pigment cancer asymmetric uneven border
        colour color evolving changing nevus keratosis dermoscopy""",
    "feet": """foot feet ulcer ulcers diabetic wound wounds open sore sores toe toes sole plantar
        heel infection skin""",
    "hearts": """left right ventricle ventricular cavity myocardium atrium atrial heart cardiac
        echocardiography chamber two-chamber four-chamber view end diastole systole cycle male
        female year years old forty fifty sixty seventy good medium poor quality""",
    "chest": """chest x-ray xray radiograph frontal lateral view lung lungs airspace opacity
        atelectasis cardiomegaly consolidation edema enlarged cardiomediastinum pleural effusion
        pneumothorax support devices pneumonia fracture pathology patient""",
}


def main() -> None:
    """Learn it, write it, and say how many tokens words take."""
    parser = argparse.ArgumentParser(prog="python -m tools.build_scenes_tokenizer")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--size", type=int, default=SIZE, help="entries at most")
    given = parser.parse_args()
    try:
        tokenizer = learn_tokenizer(read_scene_words(SCENES), given.size)
        with folder_when_whole(given.folder) as folder:
            tokenizer.save_pretrained(folder)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    words = sorted(set(" ".join(GRAMMAR.values()).split()))
    lengths = Counter(len(tokenizer(word).input_ids) - 2 for word in words)
    print(f"{len(tokenizer):,} entries; tokens of {len(words)} words: {sorted(lengths.items())}")


def read_scene_words(scenes: int) -> Iterator[str]:
    """Yield the prompts of so many scenes; pictures are drawn small, as nobody looks at them."""
    for seed in range(scenes):
        for prompt in ask(render_scene(seed, 48), seed):
            yield from prompt.wordings


def learn_tokenizer(texts: Iterable[str], size: int = SIZE) -> "CLIPTokenizer":
    """Learn pairs from texts and from `GRAMMAR`, every word counting about the same.

    Args:
        texts: Prompts.
        size: Entries at most: 512 for single bytes, 2 for the ends, the rest for pairs.

    Returns:
        A tokenizer that cuts nothing by itself; with `truncation=True`, at 77 tokens.

    Raises:
        ValueError: The size leaves no room for pairs.
    """
    if size < 600:
        raise ValueError(f"size is {size}; expected 600 entries or more, 514 are bytes and ends.")
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    # All bytes, or an unknown one would become the end token in the middle of a prompt.
    letters = sorted(ByteLevel.alphabet())
    alphabet = letters + [letter + LAST for letter in letters]
    merges = _learn_merges(_weigh_words(texts), size - len(alphabet) - 2)
    entries = [*alphabet, *(first + second for first, second in merges), START, END]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    # The annotation says list[str]; what it hands on are pairs.
    pairs: Any = merges
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=LENGTH)


def _weigh_words(texts: Iterable[str]) -> dict[tuple[str, ...], float]:
    """Return the words of texts and of `GRAMMAR`, spelled in bytes, with their weights."""
    from transformers import CLIPTokenizer

    bare = CLIPTokenizer().backend_tokenizer
    assert bare.normalizer and bare.pre_tokenizer
    counts: Counter[str] = Counter()
    for text in (*texts, *GRAMMAR.values()):
        normal = bare.normalizer.normalize_str(text)
        counts.update(piece for piece, _ in bare.pre_tokenizer.pre_tokenize_str(normal))
    # A word that is said a hundred times as often weighs ten times as much.
    return {(*word[:-1], word[-1] + LAST): 1 + count**0.5 for word, count in sorted(counts.items())}


def _learn_merges(words: dict[tuple[str, ...], float], most: int) -> list[Pair]:
    """Return pairs in the order in which they are joined, the heaviest first.

    The trainer of `tokenizers` breaks ties by chance, so two runs give two tokenizers.
    """
    merges: list[Pair] = []
    while len(merges) < most:
        weights: dict[Pair, float] = {}
        for word, weight in words.items():
            for pair in zip(word, word[1:], strict=False):
                weights[pair] = weights.get(pair, 0) + weight
        if not weights:
            break  # every word is one token
        pair = max(weights, key=lambda pair: (weights[pair], pair))
        words = {_join(word, pair): weight for word, weight in words.items()}
        merges.append(pair)
    # Two pairs may make one entry, and each entry has one number: the first pair keeps it.
    return list({first + second: (first, second) for first, second in reversed(merges)}.values())[
        ::-1
    ]


def _join(word: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in word:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


if __name__ == "__main__":
    main()
