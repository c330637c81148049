"""What processes that train together tell one another."""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import nn

from tasks.devices import find_device
from tasks.training.launched import count_processes

Value = TypeVar("Value")
# While the first process measures or exports, the others wait for it.
LONGEST_WAIT = timedelta(days=2)


class Processes:
    """The processes of a training; of a single one nothing is sent anywhere.

    Args:
        device: "auto" for a GPU, of several processes one each, where there are GPUs; "cpu",
            "cuda" or "mps".

    Attributes:
        count: How many there are, 1 or more.
        index: Which this one is, from 0.
        device: Where it computes, the CPU or a GPU that no other process of the machine has.

    Raises:
        ValueError: There is no such device here, or there are more processes than GPUs.
    """

    def __init__(self, device: str):
        self.count = count_processes()
        self.index = 0
        self.device: torch.device = find_device(device)
        if self.count == 1:
            return
        from accelerate import PartialState

        if self.device.type == "cuda":
            _check_gpus()
        # Without a GPU, Accelerate takes each for the only one, unless it is told of the CPU.
        self.state = PartialState(cpu=self.device.type != "cuda", timeout=LONGEST_WAIT)
        self.index = self.state.process_index
        self.device = torch.device(self.state.device or "cpu")

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, the first one's first."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(values, value)
        return values

    def of_first(self, value: Value) -> Value:
        """Return the value of the first process; those of the others do not count."""
        if self.count == 1:
            return value
        values: list[Any] = [value]
        torch.distributed.broadcast_object_list(values)
        return values[0]

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Make the gradients of each process the sum of all.

        What no process has a gradient of keeps none. DistributedDataParallel does this during the
        backward pass, but wrongly where a weight is used in some parts of a batch alone.
        """
        if self.count == 1:
            return
        present = [parameter.grad is not None for parameter in parameters]
        used = torch.tensor(present, dtype=torch.float32, device=self.device)
        torch.distributed.all_reduce(used)
        wanted = [p for p, count in zip(parameters, used.tolist(), strict=True) if count]
        if not wanted:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in wanted]
        summed = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(summed)
        sizes = [p.numel() for p in wanted]
        for parameter, values in zip(wanted, summed.split(sizes), strict=True):
            parameter.grad = values.view_as(parameter).to(parameter.dtype)

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            self.state.wait_for_everyone()


def _check_gpus() -> None:
    here, wanted = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if wanted > here:
        raise ValueError(
            f"{wanted} processes were started where there are {here} GPUs; start one for each, or "
            "take --device cpu."
        )
