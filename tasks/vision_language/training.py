"""Train a frozen language model with adapters to answer questions about pictures."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data_prep.questions.manifest import Question
from modalities.spelling import count_things
from modalities.vision_language.vl_files import load_vision_language
from tasks.training.batches import to_device
from tasks.training.goals import check_known
from tasks.training.options import GOALS
from tasks.vision_language.answerer_files import save_answerer
from tasks.vision_language.answers import answer_rows
from tasks.vision_language.batches import Asked, Reader, draw_answer, tell_cut
from tasks.vision_language.card import AnswererCard
from tasks.vision_language.config import AVERAGE, VisionLanguageConfig
from tasks.vision_language.data import ByTask, check_answers, find_questions, keep_learnt
from tasks.vision_language.looking import Looking, open_eyes
from tasks.vision_language.losses import answer_loss
from tasks.vision_language.sampling import Draw, count_batches, draw_epoch
from tasks.vision_language.scores import score_answers, scored_tasks, summarise
from tasks.vision_language.tuned import Tuned, tune

MEASURED_AT_ONCE = 64  # rows


class Learner(nn.Module):
    """A tuned model that returns the loss of a batch.

    Args:
        tuned: What is trained.
    """

    def __init__(self, tuned: Tuned):
        super().__init__()
        self.tuned = tuned

    def forward(self, batches: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Return "loss", the mean over batches as `VisionLanguageTraining.load` makes them."""
        return {"loss": torch.stack([self._loss(batch) for batch in batches]).mean()}

    def _loss(self, batch: dict[str, Any]) -> Tensor:
        asked, tuned = Asked(**{name: batch[name] for name in Asked._fields}), self.tuned
        with tuned.use(asked.tasks):
            logits = tuned.vl.logits(tuned.vl.encode(*asked.given), batch["targets"])
        return answer_loss(logits, batch["targets"], batch["weights"], asked.tasks)


class VisionLanguageTraining:
    """The task; see `tasks.training.contract.Trainable`. An example is a batch of rows.

    Attributes:
        ordered: True: tasks take turns as `SamplingOptions` says.

    Args:
        config: Model, method, questions, and how they are trained.

    Raises:
        FileNotFoundError: Questions, pictures or the model are not there.
        ValueError: Questions cannot be used, or the method does not fit.
    """

    ordered = True

    def __init__(self, config: VisionLanguageConfig):
        self.config = config
        questions = find_questions(config.data, config.images)
        self.eyes: Looking = open_eyes(config.images, config.features)
        model = load_vision_language(config.model, self.eyes.dim, fresh=config.fresh_embedding)
        model.check_longest(config.writing.longest)
        parts, unspelt = check_answers(questions, model, skip=config.data.skip_bad)
        self.parts, unlearnt = keep_learnt(parts)
        self.left_out = [*questions.left_out, *unspelt, *unlearnt]
        check_goals(config, first_rows(self.parts["validation"], config.data.measured))
        self.tasks = tuple(self.parts["train"])
        self.tuned = tune(
            model, config.method, self.tasks, config.sharing, config.options, config.loop.seed
        )
        self.module: nn.Module = Learner(self.tuned)
        self.reader = Reader(model, self.tuned.prefix, self._look)
        self.rows = {task: len(rows) for task, rows in self.parts["train"].items()}
        self.size = count_batches(self.rows, config.sampling)
        self.draw = lru_cache(maxsize=2)(self._draw)  # an epoch, and the next one read ahead

    @property
    def notes(self) -> list[str]:
        """How many of the texts that are learnt are longer than is read or written."""
        return tell_cut(self.reader, [r for rows in self.parts["train"].values() for r in rows])

    def _look(self, paths: Sequence[str]) -> Tensor:
        return self.eyes.to(self._device).of(paths)

    def _draw(self, epoch: int) -> list[Draw]:
        return draw_epoch(self.rows, self.config.sampling, self.config.loop.seed, epoch)

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return a batch, with an answer drawn for each row.

        Args:
            index: Its place, counted through all epochs.
            random: Is drawn from.

        Returns:
            What `Asked` has, "targets" [rows, longest] and "weights" [rows].
        """
        epoch, place = divmod(index, self.size)
        draw = self.draw(epoch)[place]
        rows = [self.parts["train"][task][number] for task, number in draw]
        drawn = [draw_answer(row, random) for row in rows]
        return self._batch(rows, [text for text, _ in drawn], [weight for _, weight in drawn])

    def _batch(
        self, rows: Sequence[Question], texts: Sequence[str], weights: Sequence[float]
    ) -> dict[str, Any]:
        targets = self.reader.targets(rows, texts)
        asked = self.reader.ask(rows)._asdict()
        return {**asked, "targets": targets, "weights": torch.tensor(weights)}

    def collate(self, examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the batches of a step as they are: they are learnt one by one."""
        return list(examples)

    def measure(self) -> dict[str, float]:
        """Score the validation rows, and how surprising their best answers are."""
        rows = first_rows(self.parts["validation"], self.config.data.measured)
        if not rows:
            return {}
        answered = [row for row in rows if any(row.answers.values())]
        loss = {"validation_loss": self._loss(answered)} if answered else {}
        return {**self._scores(rows), **loss}

    def _scores(self, rows: Sequence[Question]) -> dict[str, float]:
        answers = answer_rows(self.tuned, self.reader, rows, self.config.writing, self._device)
        return summarise(score_answers(rows, answers, respell=self.tuned.vl.respell))

    @torch.no_grad()
    def _loss(self, rows: Sequence[Question]) -> float:
        """Return the mean loss over rows that have answers, each with its best one."""
        losses = []
        for start in range(0, len(rows), MEASURED_AT_ONCE):
            some = rows[start : start + MEASURED_AT_ONCE]
            best = [max(row.answers, key=lambda text: row.answers[text]) for row in some]
            batch = self._batch(some, best, [1.0] * len(some))
            losses += [float(self.module(to_device([batch], self._device))["loss"])] * len(some)
        return float(np.mean(losses))

    @property
    def _device(self) -> torch.device:
        return next(self.module.parameters()).device

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the answerer, scored on the test rows."""
        rows = first_rows(self.parts["test"], self.config.data.tested)
        self.test_scores = self._scores(rows) if rows else {}  # a study writes "test_" before them
        self.eyes.flush()
        told = {f"test_{name}": score for name, score in self.test_scores.items()}
        save_answerer(folder, self.tuned, self._card({**measured, **told}))

    def _card(self, measured: dict[str, float]) -> AnswererCard:
        config = self.config
        trained, total = self.tuned.count()
        known = {*config.measures, "seconds"} - {"loss"}
        counts = ", ".join(f"{rows} of {task}" for task, rows in self.rows.items())
        return AnswererCard(
            model=config.model,
            images=config.images,
            fresh_embedding=config.fresh_embedding,
            seen=self.eyes.identity,
            method=config.method,
            sharing=config.sharing,
            options=dict(config.options),
            tasks=self.tasks,
            writing=asdict(config.writing),
            data=f"{counts} ({', '.join(config.data.manifests)})",
            questions=asdict(config.data),
            licence=config.licence,
            command=f"mcgurk train, seed {config.loop.seed}",
            trained=trained,
            parameters=total,
            scores={name: value for name, value in measured.items() if name in known},
            left_out=tuple(self.left_out),
        )


def check_goals(config: VisionLanguageConfig, rows: Sequence[Question]) -> None:
    """Check that what a training is to follow can be measured, before its first epoch has gone.

    Args:
        config: Whose goals.
        rows: That validate.

    Raises:
        ValueError: There are no rows for it, or captions of one picture alone.
    """
    tasks = scored_tasks(rows)
    known = ["loss", *tasks, *([AVERAGE] if tasks else [])]
    known += ["validation_loss"] if any(any(row.answers.values()) for row in rows) else []
    for option in GOALS:
        try:
            check_known(option, getattr(config.loop, option), known)
        except ValueError as error:
            raise ValueError(
                f"{error} So much do {count_things(len(rows), 'row')} measure that validate; "
                "captions take two pictures or more. Add rows of the fold validation, hold a "
                f"larger share of pictures back than data.validation={config.data.validation}, or "
                f"do without: loop.{option}=''."
            ) from None


def first_rows(part: ByTask, most: int) -> list[Question]:
    """Return the first rows of each task, all where `most` is 0."""
    return [row for rows in part.values() for row in (rows[:most] if most else rows)]
