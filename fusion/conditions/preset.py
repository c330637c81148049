"""A published way of telling conditions: its injectors with their settings, and its count."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fusion.conditions.contract import Injector


@dataclass(frozen=True)
class Part:
    """An injector of a preset.

    Attributes:
        kind: Its class.
        options: An instance of the kind's `Options`, as published.
    """

    kind: type[Injector]
    options: Any


@dataclass(frozen=True)
class Preset:
    """A published way of telling conditions.

    Attributes:
        parts: Its injectors by the names that conditions call them by.
        trained: How many weights are trained, by the names of `BACKBONES` that this is told of.
        published: What its authors or their code say of the count; "" where nothing is known.
        title: Paper, year and arXiv number.
        training: Published settings of its training, in words.
        ours: What no source states, or what differs here; "" where nothing.
    """

    parts: Mapping[str, Part]
    trained: Mapping[str, int]
    published: str
    title: str
    training: str
    ours: str = ""

    def build(self, model: Any, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Injector]:
        """Build its injectors for a denoiser, by name.

        Args:
            model: The denoiser.
            changes: Options that differ from the published ones, by name of the part.

        Raises:
            ValueError: A denoiser that it does not know, no such part, or options that do not fit.
        """
        if odd := [name for name in changes if name not in self.parts]:
            raise ValueError(f"No part {odd[0]!r}; known: {', '.join(self.parts)}.")
        built = {}
        for name, part in self.parts.items():
            try:
                options = replace(part.options, **changes.get(name, {}))
            except TypeError as error:
                known = ", ".join(vars(part.options))
                raise ValueError(
                    f"{name!r} has no such option ({error}); known: {known}."
                ) from None
            built[name] = part.kind(model, options)
        return built
