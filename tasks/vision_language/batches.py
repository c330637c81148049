"""Rows as a model reads them: texts with their prompts, tokens of pictures, and answers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_prep.questions.manifest import DESCRIBING, Question
from modalities.vision_language.tokens import Tokens
from modalities.vision_language.vl_model import LONGEST, VisionLanguage

OF_VIDEOS = ("tvqa", "how2qa", "tvc", "yc2c")
# Tokens of texts at most, by task, marks at their ends among them; None is as many as the model has
# places for. Those of questions, answers and videos as published.
LONGEST_TEXT: dict[str, int | None] = {
    **dict.fromkeys(("vqa", "gqa", "caption"), LONGEST),
    "nlvr2": None,
    **dict.fromkeys(OF_VIDEOS, 600),
}
LONGEST_ANSWER = {"caption": 40, "tvc": 20, "yc2c": 20}
LONGEST_OTHER = 10  # tokens of any other answer
IGNORED = -100  # where a target is padding

Look = Callable[[Sequence[str]], Tensor]  # from files to features, [files, tokens, dim]


class Asked(NamedTuple):
    """What a model is given of some rows.

    Attributes:
        tasks: The name of each row's task.
        ids: Tokens of the texts, each behind its task's prompt, [rows, text].
        mask: 1 where these are real, [rows, text].
        features: What the pictures show, [rows, tokens, dim].
        order: Which picture of its row each token is of, [rows, tokens].
        real: True where a token is no padding, [rows, tokens].
        cut: Numbers of the rows whose text was too long, and is cut at its end.
    """

    tasks: tuple[str, ...]
    ids: Tensor
    mask: Tensor
    features: Tensor
    order: Tensor
    real: Tensor
    cut: tuple[int, ...]

    @property
    def given(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What `VisionLanguage.encode` takes, in its order."""
        return self.ids, self.mask, self.features, self.order, self.real

    def to(self, device: torch.device | str) -> "Asked":
        """Move the tensors to a device."""
        moved = {k: v.to(device) for k, v in self._asdict().items() if isinstance(v, Tensor)}
        return self._replace(**moved)


class Reader:
    """Makes batches of rows.

    Args:
        model: Whose tokens they are.
        prefix: Returns what is written before the text of a task, as "vqa: "; "" for nothing.
        look: Returns what pictures show.
    """

    def __init__(self, model: VisionLanguage, prefix: Callable[[str], str], look: Look):
        self.model, self.prefix, self.look = model, prefix, look

    def ask(self, rows: Sequence[Question]) -> Asked:
        """Return what the model is given of rows, one or more.

        Raises:
            OSError: A picture cannot be read.
            ValueError: It is no picture.
        """
        return self._ask(rows, [row.images for row in rows])

    def ask_one(self, rows: Sequence[Question]) -> Asked:
        """Return what the model is given of rows about the same pictures, which are shown once.

        `features`, `order` and `real` have one row for all.
        """
        return self._ask(rows, [rows[0].images])

    def targets(self, rows: Sequence[Question], answers: Sequence[str]) -> Tensor:
        """Return the tokens of answers, [rows, longest], padded with -100.

        Answers longer than their task's are cut before their end mark.
        """
        limits = [LONGEST_ANSWER.get(row.task, LONGEST_OTHER) for row in rows]
        tokens = self._tokenize(answers, limits)
        return tokens.ids.masked_fill(tokens.mask == 0, IGNORED)

    def count_cut(self, rows: Sequence[Question]) -> tuple[int, int]:
        """Count the rows whose text is cut when it is asked, and those whose answer is cut."""
        tasks = dict.fromkeys(row.task for row in rows)
        asked = said = 0
        for task in tasks:
            some = [row for row in rows if row.task == task]
            texts = [self._text(row) for row in some]
            asked += len(self.model.tokenize(texts, LONGEST_TEXT[task]).cut)
            most = LONGEST_ANSWER.get(task, LONGEST_OTHER)
            answers = list(dict.fromkeys(text for row in some for text in row.answers))
            places = self.model.tokenize(answers, most).cut if answers else ()
            cut = {answers[place] for place in places}
            said += sum(any(text in cut for text in row.answers) for row in some)
        return asked, said

    def _ask(self, rows: Sequence[Question], pictures: Sequence[Sequence[str]]) -> Asked:
        tasks = tuple(row.task for row in rows)
        limits = [LONGEST_TEXT[task] for task in tasks]
        tokens = self._tokenize([self._text(row) for row in rows], limits)
        return Asked(tasks, tokens.ids, tokens.mask, *self._see(pictures), tokens.cut)

    def _text(self, row: Question) -> str:
        prefix = self.prefix(row.task)
        # Videos' texts are long and have their prompt last, as published.
        late = row.task in OF_VIDEOS
        return f"{row.text} {prefix}".strip() if late and prefix else f"{prefix}{row.text}"

    def _tokenize(self, texts: Sequence[str], limits: Sequence[int | None]) -> Tokens:
        """Turn texts into numbers, each with a limit of its own."""
        if len({*limits}) == 1:
            return self.model.tokenize(texts, limits[0])
        each = [self.model.tokenize([t], limit) for t, limit in zip(texts, limits, strict=True)]
        ids = pad([one.ids[0] for one in each], self._padding())
        mask = pad([one.mask[0] for one in each], 0)
        return Tokens(ids, mask, tuple(n for n, one in enumerate(each) if one.cut))

    def _padding(self) -> int:
        assert self.model.tokenizer is not None
        return int(self.model.tokenizer.pad_token_id)  # type: ignore[arg-type]

    def _see(self, pictures: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, order and whether they are real, a row for each row's pictures."""
        seen = self.look([name for names in pictures for name in names])
        tokens, most = seen.shape[1], max(map(len, pictures))
        features = seen.new_zeros(len(pictures), most * tokens, seen.shape[2])
        real = torch.zeros(len(pictures), most * tokens, dtype=torch.bool)
        start = 0
        for row, names in enumerate(pictures):
            length = len(names) * tokens
            features[row, :length] = seen[start : start + len(names)].flatten(0, 1)
            real[row, :length] = True
            start += len(names)
        order = torch.arange(most).repeat_interleave(tokens).expand(len(pictures), -1)
        return features, order, real


def pad(rows: Sequence[Tensor], value: int) -> Tensor:
    """Stack tensors of unequal length, [rows, longest], with a value behind the shorter ones."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)


def draw_answer(row: Question, random: np.random.Generator) -> tuple[str, float]:
    """Draw the answer that is learnt this time, and its weight.

    Answers to questions are drawn with probabilities proportional to their scores, and weigh their
    score; of captions one of all, which weighs 1.

    Args:
        row: With one answer or more whose score is above 0.
        random: Is drawn from.
    """
    if row.task in DESCRIBING:
        texts = row.references or tuple(row.answers)
        return texts[int(random.integers(len(texts)))], 1.0
    scores = np.array(list(row.answers.values()))
    number = int(random.choice(len(scores), p=scores / scores.sum()))
    return list(row.answers)[number], float(scores[number])


def tell_cut(reader: Reader, rows: Sequence[Question]) -> list[str]:
    """Return a line on texts that are longer than is read, and one on answers; none if none is."""
    asked, said = reader.count_cut(rows)
    told = (
        (asked, "have a text that is longer than the model reads, and is cut at its end"),
        (said, "have an answer that is longer than the model writes, and is cut at its end"),
    )
    return [f"{count} of {len(rows)} rows {what}" for count, what in told if count]
