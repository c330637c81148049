"""Write anew what coco-caption answers to the captions in caption_answers.json.

Run by hand where Java is and, in an environment of its own, pycocoevalcap 1.2 and numpy:
pip install --no-deps pycocoevalcap==1.2 numpy.
"""

import inspect
import json
from pathlib import Path

from pycocoevalcap.cider import cider_scorer
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

ANSWERS = Path(__file__).with_name("caption_answers.json")
COMMAND = "python tests/tasks/scoring/write_caption_answers.py, with pycocoevalcap==1.2 and Java"
CLIPPED = "min(vec_hyp[n][ngram], vec_ref[n][ngram])"
NO_PENALTY = 1e9  # a sigma so great that no difference of lengths costs


def split(texts: dict[str, list[str]]) -> dict[str, list[str]]:
    return PTBTokenizer().tokenize(
        {name: [{"caption": text} for text in some] for name, some in texts.items()}
    )


def plain_scorer() -> type:
    """Make the scorer of CIDEr without the D: vrama91/cider has it thus, for Python 2."""
    source = inspect.getsource(cider_scorer).replace(CLIPPED, "vec_hyp[n][ngram]")
    names: dict[str, type] = {}
    exec(source, names)  # noqa: S102
    return names["CiderScorer"]


def score(images: list[dict], scorer: type, sigma: float) -> list[float]:
    names = [str(number) for number in range(len(images))]
    said = split({n: [image["candidate"]] for n, image in zip(names, images, strict=True)})
    known = split({n: image["references"] for n, image in zip(names, images, strict=True)})
    scores = scorer(sigma=sigma)
    for name in names:
        scores += (said[name][0], known[name])
    return [float(value) for value in scores.compute_score()[1]]


def main() -> None:
    found = json.loads(ANSWERS.read_text("utf-8"))
    texts = [answer["text"] for answer in found["words"]]
    words = split({str(number): [text] for number, text in enumerate(texts)})
    found["words"] = [
        {"text": text, "words": words[str(number)][0]} for number, text in enumerate(texts)
    ]
    for images in found["sets"]:
        deeds = (("cider_d", cider_scorer.CiderScorer, 6.0), ("cider", plain_scorer(), NO_PENALTY))
        for form, scorer, sigma in deeds:
            for image, value in zip(images, score(images, scorer, sigma), strict=True):
                image[form] = value
    found["made_by"] = COMMAND
    ANSWERS.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
