"""Work that several threads want at once, done in batches by whichever thread comes first."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(eq=False)
class _Wanted:
    item: Any
    done: bool = False
    found: Any = None
    error: Exception | None = None


class Together(Generic[Item, Found]):
    """Calls of several threads, joined into batches while an earlier one is at work.

    Items are taken in the order in which they came, so that nobody waits for more than what was
    there before. A batch that fails is done anew one by one: an item that is bad fails alone.

    Args:
        run: Does a batch: items to what is found of each, in order. What it finds of one must not
            depend on the others.
        lock: Held while it runs.
        most: Items of a batch.
    """

    def __init__(
        self, run: Callable[[list[Item]], Sequence[Found]], lock: threading.Lock, most: int
    ):
        self.run, self.lock, self.most = run, lock, most
        self.waiting: deque[_Wanted] = deque()

    def __call__(self, items: Sequence[Item]) -> list[Found]:
        """Do items, with those of others that wait; what `run` raises of one of them is raised."""
        wanted = [_Wanted(item) for item in items]
        self.waiting.extend(wanted)
        while not all(one.done for one in wanted):
            with self.lock:
                if not all(one.done for one in wanted):
                    self._do(self._take())
        for one in wanted:
            if one.error is not None:
                raise one.error
        return [one.found for one in wanted]

    def _take(self) -> list[_Wanted]:
        count = min(self.most, len(self.waiting))  # only who holds the lock takes any away
        return [self.waiting.popleft() for _ in range(count)]

    def _do(self, batch: list[_Wanted]) -> None:
        try:
            found = self.run([one.item for one in batch])
            for one, result in zip(batch, found, strict=True):
                one.found = result
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
            else:
                for one in batch:
                    self._do([one])
        for one in batch:
            one.done = True
