"""A frozen vision-and-language model with what is trained of it for some tasks."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.options import build_options
from fusion.contract.selection import selection_of
from fusion.contract.sites import find_sites
from fusion.methods.catalog import find_method
from fusion.methods.hyperformer import select_task
from fusion.procedures.sharing import tie
from modalities.vision_language.vl_model import VisionLanguage
from tasks.vision_language.variants import (
    FULL,
    HYPERFORMER,
    NORMS,
    PREFIXES,
    TUNINGS,
    Tuning,
    find_tuning,
)
from tasks.vision_language.words import LearntWords

SHARED = "all_tasks"  # name of the adapter that they have in common
DROPOUT = 0.1  # of the language model everywhere, in the published runs
TIED = {"half_up": "up", "half_down": "down"}
OWN_OPTIONS: dict[str, Any] = {"norms": NORMS, "prefix": (True, False)}


class Tuned(nn.Module):
    """A model, and which of its parameters are trained for which task.

    Outside of `use` the adapters are those of the first task.

    Args:
        vl: With all adapters on it, and the gradients of what is trained turned on.
        tasks: Names of the tasks, in the order of their adapters.
        method: A name of `TUNINGS`.
        sharing: A name of `SHARINGS`.
        options: What was set of the method.
        identity: A hash of the frozen model, see `VisionLanguage.identity`; "" where it is
            one without weights, to be counted.
        says_task: Whether texts begin with the name of their task.
        words: What is learnt of its words, if any.
    """

    def __init__(
        self,
        vl: VisionLanguage,
        tasks: Sequence[str],
        method: str,
        sharing: str,
        options: Mapping[str, Any],
        identity: str,
        says_task: bool,
        words: LearntWords | None = None,
    ):
        super().__init__()
        self.vl, self.tasks, self.method = vl, tuple(tasks), method
        self.sharing, self.options, self.identity = sharing, dict(options), identity
        self.says_task, self.words = says_task, words
        self.adapters = Adapters(vl)
        self._task_numbers: tuple[int, ...] = (0,)
        self.eval()

    def prefix(self, task: str) -> str:
        """Return what stands before a task's text, such as "vqa: "; "" where adapters differ.

        Raises:
            ValueError: No such task.
        """
        self._check([task])
        return PREFIXES.get(task, f"{task}: ") if self.says_task else ""

    @contextmanager
    def use(self, tasks: str | Sequence[str]) -> Iterator[None]:
        """Say of which task each row of a batch is, for all that is done inside.

        Beams need nothing more: each has the adapters of the row that it is of.

        Args:
            tasks: One for all rows, or one for each.

        Raises:
            ValueError: No such task.
        """
        names = [tasks] if isinstance(tasks, str) else list(tasks)
        self._check(names)
        with self._chosen(names):
            yield

    def _chosen(self, names: list[str]) -> AbstractContextManager[None]:
        if self.method == HYPERFORMER:
            return self._generated([self.tasks.index(name) for name in names])
        if self.adapters.names in ([], [SHARED]):
            return nullcontext()
        if len({*names}) == 1:
            return self._switched(names[0])
        return self.adapters.rows(names, each=True)

    @contextmanager
    def _switched(self, name: str) -> Iterator[None]:
        before = self.adapters.active
        self.adapters.use(name)
        try:
            yield
        finally:
            self.adapters.use(before)

    @contextmanager
    def _generated(self, numbers: Sequence[int]) -> Iterator[None]:
        before = self._task_numbers
        self._task_numbers = tuple(numbers if len({*numbers}) > 1 else numbers[:1])
        select_task(self.adapters, SHARED, self._task_numbers, each=True)
        try:
            yield
        finally:
            self._task_numbers = before
            select_task(self.adapters, SHARED, before, each=True)

    def _check(self, names: Sequence[str]) -> None:
        wrong = [name for name in names if name not in self.tasks]
        if wrong or not names:
            raise ValueError(
                f"{f'No task {wrong[0]!r}' if wrong else 'No task was given'}; the model is tuned "
                f"for: {', '.join(self.tasks)}."
            )

    def named_trained(self) -> dict[str, nn.Parameter]:
        """Return what is trained by name; what several tasks share is there once."""
        return {n: p for n, p in self.named_parameters() if p.requires_grad}

    def trained(self) -> list[nn.Parameter]:
        """Return what is trained, what several tasks share once."""
        return list(self.named_trained().values())

    def count(self) -> tuple[int, int]:
        """Count the parameters that are trained, and all, those that were added among them."""
        trained = sum(parameter.numel() for parameter in self.trained())
        return trained, sum(parameter.numel() for parameter in self.parameters())

    def train(self, mode: bool = True) -> Self:
        """Turn dropout on, that of the language model too, or with False off."""
        super().train(mode)
        self.vl.model.train(mode)  # which the frozen model around it keeps from it
        return self


def tune(
    vl: VisionLanguage,
    method: str,
    tasks: Sequence[str],
    sharing: str = "single",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Tuned:
    """Get a model ready to be trained for some tasks.

    Args:
        vl: Is changed, and belongs to what is returned: its visual embedding, and with most methods
            its norms or biases, are trained in place. Take another one for another run.
        method: A name of `TUNINGS`.
        tasks: Their names, as manifests of questions have them.
        sharing: What tasks share: "single" all, "multiple" nothing, "half_up" the layer up and
            "half_down" the layer down of their bottlenecks.
        options: Of the method, where they differ from the published ones; besides "norms" ("all",
            "encoder" or "none": which of the language model's are trained), "prefix" (whether
            texts say their task where tasks share all), "dropout_everywhere" (of the language
            model in training, 0.1 as published; small models learn more with less) and "words"
            (a list of words that the model does not know well yet, which it learns for all tasks
            together; see `LearntWords`. Not published).
        seed: Fixes what is drawn; torch's own generator is left as it was.

    Raises:
        ValueError: No such method, sharing or option, no task or one twice, or a model that is
            tuned already.
    """
    family = vl.model.config.model_type
    tuning, set_options = find_tuning(method, sharing, family), dict(options or {})
    _check_tasks(tasks)
    norms, says_task = _take_own(tuning, family, sharing, set_options)
    dropout, words = _take_dropout(set_options), _take_words(set_options, method)
    if set_options and not tuning.pieces:
        raise ValueError(
            f"Method {method!r} has no option {next(iter(set_options))!r}; it puts nothing on the "
            f"model. Known: {', '.join((*OWN_OPTIONS, 'dropout_everywhere', 'words'))}."
        )
    if selection_of(vl).adapters or any(p.requires_grad for p in vl.parameters()):
        raise ValueError(f"{vl.name} is tuned already. Load it anew for another run.")
    identity = "" if any(p.is_meta for p in vl.parameters()) else vl.identity
    own = _trained_of(vl, tuning, method, norms)
    learnt = LearntWords(vl, words) if words else None
    _set_dropout(vl.model, dropout)
    names = [SHARED] if sharing == "single" else list(tasks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in names:
            _attach(vl, method, set_options, name, len(tasks))
    if sharing in TIED:
        tie(Adapters(vl), names, TIED[sharing])
    for parameter in own:
        parameter.requires_grad_(True)
    if tuning.pieces:
        Adapters(vl).use(names[0])
    return Tuned(vl, tasks, method, sharing, options or {}, identity, says_task, learnt)


def _check_tasks(tasks: Sequence[str]) -> None:
    twice = [task for task, times in Counter(tasks).items() if times > 1]
    if twice or not tasks or isinstance(tasks, str):
        raise ValueError(f"Tasks are {tasks!r}; expected a list of one or more names, each once.")


def _take_own(
    tuning: Tuning, family: str, sharing: str, options: dict[str, Any]
) -> tuple[str, bool]:
    """Take what is no adapter's out of options; return which norms train, and if texts say tasks.

    Raises:
        ValueError: One has a value that it cannot have.
    """
    for name, known in OWN_OPTIONS.items():
        if name in options and options[name] not in known:
            raise ValueError(
                f"Option {name!r} is {options[name]!r}; known: {', '.join(map(str, known))}."
            )
    norms = options.pop("norms", tuning.norms.get(family, "none"))
    return norms, options.pop("prefix", tuning.prefix) and sharing == "single"


def _take_dropout(options: dict[str, Any]) -> float:
    """Take the dropout of the language model out of options.

    Raises:
        ValueError: It is no share below 1.
    """
    share = options.pop("dropout_everywhere", DROPOUT)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise ValueError(
            f"Option 'dropout_everywhere' is {share!r}; expected 0 to below 1, 0.1 as published."
        )
    return float(share)


def _take_words(options: dict[str, Any], method: str) -> list[str]:
    """Take the words that are to be learnt out of options.

    Raises:
        ValueError: The method learns all words as it is.
    """
    words = options.pop("words", None) or []
    if words and method == FULL:
        raise ValueError(f"Method {method!r} learns all words already. Leave out option 'words'.")
    return words


def _attach(
    vl: VisionLanguage, method: str, options: Mapping[str, Any], name: str, tasks: int
) -> None:
    tuning, family = TUNINGS[method], vl.model.config.model_type
    published = [dict(piece.options.get(family, {})) for piece in tuning.pieces]
    named = {option for of_piece in published for option in of_piece}
    for piece, of_piece in zip(tuning.pieces, published, strict=True):
        if piece.method == HYPERFORMER:
            of_piece["tasks"] = tasks
        # Where pieces differ, an option is for those that are published with it.
        ours = {n: v for n, v in options.items() if n in of_piece or n not in named}
        kind = find_method(piece.method).Options
        built = build_options(method, kind, {**of_piece, **ours})  # named as it was asked for
        attach(vl, piece.method, built, piece.where or None, name=name)


def _trained_of(vl: VisionLanguage, tuning: Tuning, method: str, norms: str) -> list[nn.Parameter]:
    """Return what is trained of a model's own, before adapters are on it."""
    if method == FULL:
        return list(vl.parameters())
    found = list(vl.visual_embedding.parameters())
    if norms != "none":
        where = "norm" if norms == "all" else "encoder.norm"
        for site in find_sites(vl.model, (where,)):
            found += site.module.parameters(recurse=False)
    if tuning.biases:
        found += [p for name, p in vl.model.named_parameters() if name.endswith(".bias")]
    return found


def _set_dropout(model: nn.Module, share: float) -> None:
    """Set the dropout that training is to have, of all layers, attention and activations."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)
