"""Questions and captions of pictures in three verbs: fit, answer (or caption), evaluate."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Self

import torch

from data_prep.questions.manifest import Question, find_fault
from modalities.empty_name import refuse_empty_name
from tasks.devices import find_device
from tasks.reports import Evaluated, OpenBar, no_bar
from tasks.vision_language.answerer_files import load_answerer
from tasks.vision_language.answers import (
    STATEMENTS,
    Answer,
    answer_rows,
    rank_answers,
)
from tasks.vision_language.batches import Reader, tell_cut
from tasks.vision_language.card import AnswererCard, find_folder
from tasks.vision_language.config import MOST_BEAMS, WritingOptions
from tasks.vision_language.looking import Looking
from tasks.vision_language.tuned import Tuned

if TYPE_CHECKING:
    from tasks.training.loop import Progress
    from tasks.vision_language.config import VisionLanguageConfig
    from tasks.vision_language.evaluation.config import VisionLanguageEvaluationConfig

QUESTIONS, CAPTION = ("vqa", "gqa"), "caption"
AT_ONCE = 256  # ways to go on that are looked into together, of all questions


@dataclass(frozen=True)
class Answered:
    """What was answered to one question or statement.

    Attributes:
        question: As it was given.
        answers: Likeliest first, one or more.
        cut: Whether the question was longer than the model reads, and its end was left out.
    """

    question: str
    answers: tuple[Answer, ...]
    cut: bool = False

    @property
    def text(self) -> str:
        """The likeliest answer."""
        return self.answers[0].text


class Answerer:
    """A frozen language model with adapters that answers questions about pictures.

    Threads may share it; one answers, and the others wait.

    Args:
        tuned: Trained.
        eyes: What sees the pictures it was trained with.
        card: What is known about it.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ValueError: There is no such device.
    """

    def __init__(self, tuned: Tuned, eyes: Looking, card: AnswererCard, device: str = "auto"):
        self.device = find_device(device)
        self.tuned, self.card = tuned.to(self.device).eval(), card
        self.eyes = eyes.to(self.device)
        self.reader = Reader(tuned.vl, tuned.prefix, eyes.of)
        self._alone = RLock()  # which adapter works is set on the model itself

    @classmethod
    def load(cls, name: str | Path, device: str = "auto", model: str | None = None) -> Self:
        """Load an answerer.

        Args:
            name: A folder that `mcgurk train` wrote; else the name of one that comes with mcgurk.
            device: "auto", "cpu", "cuda" or "mps".
            model: Another name or place of the frozen language model.

        Raises:
            FileNotFoundError: A folder is not there, or not whole.
            ValueError: The name is empty; damaged, of another model, or no such device.
        """
        refuse_empty_name(name, "answerer")
        folder = find_folder(name)
        return cls(*load_answerer(folder, model), device)

    @classmethod
    def fit(
        cls,
        config: "VisionLanguageConfig",
        folder: str | Path,
        progress: "Progress | None" = None,
        device: str = "auto",
    ) -> Self:
        """Train, or go on with a training that was interrupted, and return what came of it.

        Args:
            config: What to train, on which questions.
            folder: For checkpoints, curves and the answerer.
            progress: Called with the steps done, and all.
            device: "auto", "cpu", "cuda" or "mps".

        Raises:
            FileNotFoundError: Questions, pictures or the model are not there.
            ValueError: Questions cannot be used, or the method does not fit.
        """
        from tasks.training.loop import train
        from tasks.vision_language.training import VisionLanguageTraining

        train(VisionLanguageTraining(config), config.loop, folder, progress, device, asdict(config))
        return cls.load(folder, device)

    @property
    def asks(self) -> str:
        """The task by which questions are answered.

        Raises:
            ValueError: It was trained for none.
        """
        return self._task(QUESTIONS, "questions about a picture")

    def answer(
        self, image: str | Path, questions: Sequence[str], top: int = 1, task: str = ""
    ) -> list[Answered]:
        """Answer questions about one picture, which is looked at once for all of them.

        Args:
            image: A file.
            questions: One or more, each with words in it.
            top: How many answers of each, 1 to 100.
            task: "vqa" or "gqa"; "" takes the first that it was trained for.

        Returns:
            As many as questions, in their order.

        Raises:
            OSError: The picture cannot be read.
            ValueError: It is no picture; an empty question; not trained for questions, or for such.
        """
        if task and (task not in QUESTIONS or task not in self.card.tasks):
            known = [name for name in QUESTIONS if name in self.card.tasks]
            raise ValueError(
                f"No task {task!r} of questions about a picture; known: "
                f"{', '.join(known) or 'none'}. `judge` is for statements about two pictures, and "
                "`caption` for captions."
            )
        return self._rank((str(image),), questions, top, task or self.asks)

    def judge(
        self, left: str | Path, right: str | Path, statements: Sequence[str]
    ) -> list[Answered]:
        """Say whether statements about two pictures are true.

        Args:
            left: A file.
            right: Another, or the same.
            statements: One or more, each with words in it.

        Returns:
            For each both answers, "true" and "false", with how likely they are beside each other.

        Raises:
            OSError: A picture cannot be read.
            ValueError: One is no picture; an empty statement; not trained for statements.
        """
        task = self._task((STATEMENTS,), "statements about two pictures")
        return self._rank((str(left), str(right)), statements, 2, task)

    def caption(
        self, images: Sequence[str | Path], writing: WritingOptions | None = None
    ) -> list[str]:
        """Describe pictures, a sentence each.

        Args:
            images: A list of files; none gives no captions.
            writing: How; None as it was trained to be scored.

        Raises:
            OSError: A picture cannot be read.
            ValueError: One is no picture; not trained for captions.
        """
        task = self._task((CAPTION,), "captions")
        if isinstance(images, str | Path):
            raise ValueError(
                f"Images are {str(images)!r}; expected a list of files, as [{str(images)!r}]."
            )
        rows = [Question(str(n), task, (str(image),)) for n, image in enumerate(images)]
        return self.answer_rows(rows, writing)

    def answer_rows(
        self, rows: Sequence[Question], writing: WritingOptions | None = None
    ) -> list[str]:
        """Answer rows of any tasks that it was trained for; see `answer_rows` of the module.

        Raises:
            OSError: A picture cannot be read.
            ValueError: A task that it was not trained for, a row that is not whole, as a statement
                about one picture, or a file that is no picture.
        """
        for row in rows:
            self._check(row)
        how = writing or WritingOptions(**self.card.writing)
        with self._alone:
            return answer_rows(self.tuned, self.reader, rows, how, self.device)

    def check_writing(self, writing: WritingOptions) -> None:
        """Check that captions can be written so, before anything is answered.

        Raises:
            ValueError: They are to be longer than the model has places for.
        """
        self.tuned.vl.check_longest(writing.longest)

    def respell(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the model would write them, see `VisionLanguage.respell`."""
        return self.tuned.vl.respell(texts)

    def tell_cut(self, rows: Sequence[Question]) -> list[str]:
        """Return a line on texts of rows that are longer than is read, and one on answers."""
        return tell_cut(self.reader, rows)

    def evaluate(
        self,
        config: "VisionLanguageEvaluationConfig",
        folder: str | Path,
        open_bar: OpenBar = no_bar,
    ) -> Evaluated:
        """Score it on questions whose answers are known, and write a report.

        Args:
            config: Which questions; which answerer it names is passed over.
            folder: To write to, made where it is not there.
            open_bar: Opens a progress bar.

        Raises:
            OSError: A file is not there, or cannot be written.
            ValueError: Questions are not what is expected.
        """
        from tasks.vision_language.evaluation.run import run_evaluation

        named = replace(config, answerer=config.answerer or self.card.model)
        return run_evaluation(named, Path(folder), open_bar, lambda name, device: self)

    @torch.no_grad()
    def _rank(
        self, images: tuple[str, ...], texts: Sequence[str], top: int, task: str
    ) -> list[Answered]:
        words = not isinstance(texts, str) and all(isinstance(t, str) and t.strip() for t in texts)
        if not words or not texts:
            raise ValueError(
                f"Questions are {texts!r}; expected a list of one or more, with words."
            )
        if not isinstance(top, int) or not 1 <= top <= MOST_BEAMS:
            raise ValueError(f"top is {top!r}; expected 1 to {MOST_BEAMS} answers.")
        rows = [Question(str(n), task, images, text) for n, text in enumerate(texts)]
        for row in rows:
            self._check(row)
        together = max(1, AT_ONCE // max(4, 2 * top))
        found: list[Answered] = []
        with self._alone:
            for start in range(0, len(rows), together):
                found += self._rank_some(rows[start : start + together], top, task)
        return found

    def _rank_some(self, rows: Sequence[Question], top: int, task: str) -> list[Answered]:
        asked = self.reader.ask_one(rows).to(self.device)
        ranked = rank_answers(self.tuned, task, asked, top)
        return [
            Answered(row.text, tuple(answers), number in asked.cut)
            for number, (row, answers) in enumerate(zip(rows, ranked, strict=True))
        ]

    def _check(self, row: Question) -> None:
        if fault := find_fault(row):
            raise ValueError(
                f"{row.text!r} about {', '.join(row.images)} {fault}; expected words and files."
            )

    def _task(self, tasks: Sequence[str], what: str) -> str:
        known = [task for task in tasks if task in self.card.tasks]
        if not known:
            raise ValueError(
                f"The model was trained for {', '.join(self.card.tasks)}, and not for {what}; "
                f"expected one of {', '.join(tasks)}. Take another model."
            )
        return known[0]
