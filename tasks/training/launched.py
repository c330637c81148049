"""What the launcher of several processes says of this one, which may also be the only one.

`python -m torch.distributed.run --nproc_per_node 2 -m tasks train CONFIG` starts two, and tells
each its number in the environment. When one ends in an error, the launcher ends the others, which
would wait for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

# In this time a process that has failed is surely gone, and the launcher has ended the others.
LAUNCHER_S = 15.0


def count_processes() -> int:
    """Return how many processes train together; 1 where no launcher has started this one."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_first() -> bool:
    """Return whether this is the process that prints, measures and writes."""
    return count_processes() == 1 or int(os.environ.get("RANK", 0)) == 0


@contextmanager
def told_once() -> Iterator[None]:
    """Leave it to one process to tell what goes wrong in the block.

    A mistake of the user is mostly met in all processes, and a process that ends breaks off what
    the others exchange with it, which is an error there. So the first tells a mistake at once, and
    all else waits a moment, in which the launcher ends it. What is still there after that has
    something of its own to tell.
    """
    try:
        yield
    except Exception as error:
        mistake = isinstance(error, ValueError | OSError)
        if count_processes() > 1 and not (mistake and is_first()):
            sleep(LAUNCHER_S)
        raise
