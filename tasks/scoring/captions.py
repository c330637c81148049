"""CIDEr: how like a caption is to what people wrote of the image, rare words weighing most."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from tasks.scoring.treebank_words import split_caption

LONGEST = 4  # words of an n-gram
LENGTH_SIGMA = 6.0  # words by which a caption may be longer or shorter until it costs 39 %
SCALE = 1000.0  # cosines are times ten in the usual number, of which 1.0 is 100 here
Form = Literal["cider_d", "cider"]
Ngram = tuple[str, ...]


@dataclass(frozen=True)
class CiderScore:
    """CIDEr of a set of captions, on the scale where 100 is the usual 1.0.

    Attributes:
        mean: Over images, each weighing the same; 0 to 1000, good captions of COCO have 110 to 140.
        of_each: By image, 0 to 1000.
    """

    mean: float
    of_each: dict[str, float]


@dataclass(frozen=True)
class _Weighted:
    """N-grams of a text by their length, 1 to 4: their weights, and the norms of these."""

    weights: list[dict[Ngram, float]]
    norms: list[float]
    pairs: int  # words in a row, two by two: what coco-caption takes for the length


def cider(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    form: Form = "cider_d",
) -> CiderScore:
    """Score captions by the n-grams that they share with references, one to four words long.

    An n-gram weighs the more the fewer images have it in their references, and nothing where all
    have it. A caption like its only reference has 1000; one of three words 750, as it has no
    n-gram of four. Scores depend on the set: compare them within one set of images only.

    Args:
        candidates: One caption of each image, by its name; any case and punctuation.
        references: One or more captions of each image, by the same names; their order is of no
            matter, and weights come from them alone.
        form: "cider_d" is what coco-caption and papers call CIDEr: an n-gram said too often counts
            as often as in the reference, and other lengths cost. "cider" has neither.

    Raises:
        ValueError: Names differ, an image has no reference, or there are not two images: of one,
            every n-gram is in all, weighs nothing, and any caption would have 0.

    Source:
        Vedantam et al., CIDEr (arXiv 1411.5726); pycocoevalcap 1.2, cider/cider_scorer.py.
    """
    _check(candidates, references)
    cooked = {
        name: [_count_ngrams(split_caption(text)) for text in texts]
        for name, texts in references.items()
    }
    images_with = Counter(ngram for texts in cooked.values() for ngram in set().union(*texts))
    of_each = {}
    for name, texts in cooked.items():
        said = _weigh(_count_ngrams(split_caption(candidates[name])), images_with, len(cooked))
        alike = [_compare(said, _weigh(text, images_with, len(cooked)), form) for text in texts]
        of_each[name] = SCALE * math.fsum(alike) / len(alike)
    return CiderScore(fmean(of_each.values()), of_each)


def _check(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    for held, others, what in (
        (references, candidates, "captions to score"),
        (candidates, references, "references"),
    ):
        missing = [name for name in held if name not in others]
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(held)} images have no {what}, {missing[0]!r} first; "
                "expected the same images in both. Caption all of them, or leave them out of both."
            )
    bare = [name for name, texts in references.items() if isinstance(texts, str) or not texts]
    if bare:
        raise ValueError(
            f"The references of image {bare[0]!r} are {references[bare[0]]!r}; expected a sequence "
            "of one or more captions. Leave the image out, or write one."
        )
    if len(references) < 2:
        raise ValueError(
            f"There are captions of {len(references)} image; expected two or more, as CIDEr weighs "
            "words by how few images have them, and of one image it is 0 whatever is said. Score "
            "it within its data set."
        )


def _count_ngrams(words: Sequence[str]) -> Counter[Ngram]:
    return Counter(
        tuple(words[start : start + length])
        for length in range(1, LONGEST + 1)
        for start in range(len(words) - length + 1)
    )


def _weigh(counts: Counter[Ngram], images_with: Mapping[Ngram, int], images: int) -> _Weighted:
    """Weigh n-grams by how often they are said and how few images have them."""
    weights: list[dict[Ngram, float]] = [{} for _ in range(LONGEST)]
    for ngram, count in counts.items():
        rarity = math.log(images) - math.log(max(1, images_with.get(ngram, 0)))
        weights[len(ngram) - 1][ngram] = count * rarity
    norms = [math.sqrt(sum(weight**2 for weight in some.values())) for some in weights]
    pairs = sum(count for ngram, count in counts.items() if len(ngram) == 2)
    return _Weighted(weights, norms, pairs)


def _compare(said: _Weighted, reference: _Weighted, form: Form) -> float:
    """Return the mean over lengths of n-grams of the cosine between two texts, 0 to 1."""
    clipped = form == "cider_d"
    total = 0.0
    for length in range(LONGEST):
        norms = said.norms[length] * reference.norms[length]
        others = reference.weights[length]
        for ngram, weight in said.weights[length].items():
            other = others.get(ngram, 0.0)
            if other:  # then both norms are above 0
                total += (min(weight, other) if clipped else weight) * other / norms
    if clipped:
        total *= math.exp(-((said.pairs - reference.pairs) ** 2) / (2 * LENGTH_SIGMA**2))
    return total / LONGEST
