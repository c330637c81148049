"""Pictures of a condition's training, with what they sound like and which attributes they have."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from data_prep.masks.images import read_image, to_8_bits
from data_prep.mixtures.manifest import MixedSound
from data_prep.mixtures.samples import load_sound
from modalities.audio.attribute_scale import SOUND_ATTRIBUTES, Bounds
from modalities.audio.sound_attributes import measure_attributes
from modalities.empty_name import refuse_empty_name
from tasks.audio_to_image.painting.condition_training.config import ConditionConfig
from tasks.audio_to_image.painting.examples import Size, fit_picture
from tasks.audio_to_image.painting.hearing import (
    Report,
    hear_examples,
    holds_mixtures,
    read_rows_of,
    see_examples,
)
from tasks.audio_to_image.painting.manifest import SoundedPicture, read_examples

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.painter import Painter

KEPT_BYTES = 512 * 1024**2  # of pictures that are read once
LEAST_ROWS = 2  # of which bounds are made


@dataclass
class ConditionExamples:
    """Rows, and what they look, sound and are like.

    Attributes:
        rows: With absolute paths.
        embeddings: What they sound like, [rows, sources, dim]; None for nothing.
        values: Attributes in their units, [rows, attributes]; None for none.
        left_out: A line on each row that lacks an attribute, and is not among the others.
    """

    rows: list[SoundedPicture]
    embeddings: Tensor | None
    values: Tensor | None
    left_out: tuple[str, ...] = ()
    _kept: dict[str, np.ndarray] = field(default_factory=dict)
    _room: int = KEPT_BYTES

    def picture(self, index: int, size: Size) -> np.ndarray:
        """Return a picture in a size, uint8 [*size, 3].

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It cannot be read.
        """
        path = self.rows[index].picture
        if path not in self._kept:
            plain = to_8_bits(read_image(path).values)
            if plain.nbytes > self._room:
                return fit_picture(plain / np.float32(255), size)
            self._kept[path] = plain
            self._room -= plain.nbytes
        return fit_picture(self._kept[path] / np.float32(255), size)


def find_rows(
    config: ConditionConfig, painter: "Painter", progress: Report | None = None
) -> ConditionExamples:
    """Find the pictures of a training, hear and measure their sounds where that is asked for.

    Args:
        config: Names a folder of mixtures, or of what `write_examples` wrote.
        painter: Hears, where `config.embeddings` names a folder.
        progress: Called with the mixtures heard, and all.

    Raises:
        FileNotFoundError: A manifest, sound or picture is not there.
        ValueError: One of them cannot be used, or there are no sounds where they are wanted.
        OSError: What is heard cannot be written.
    """
    folder = config.data.folder
    refuse_empty_name(folder, "folder of pictures (data.folder)")
    if not holds_mixtures(folder):
        if config.attributes or config.hears:
            raise ValueError(
                f"{folder} holds pictures without sounds; expected a manifest of mixtures, as "
                "`mcgurk prepare` writes it, where attributes or embeddings are wanted."
            )
        return ConditionExamples(read_examples(folder, with_sounds=False)[0], None, None)
    embeddings = None
    if config.hears:
        ear, sources = painter.ear, painter.adapter.options.sources
        whole = None if ear.separator else ear.audio_text
        rows, embeddings = hear_examples(
            folder, ear.separator, whole, config.embeddings, sources, progress
        )
    else:
        rows = see_examples(folder, "")
    if not config.attributes:
        return ConditionExamples(rows, embeddings, None)
    return _measured(rows, embeddings, read_rows_of(folder), config.attributes)


def _measured(
    rows: Sequence[SoundedPicture],
    embeddings: Tensor | None,
    mixtures: Sequence[MixedSound],
    names: Sequence[str],
) -> ConditionExamples:
    values: list[list[float]] = []
    kept: list[int] = []
    left_out: list[str] = []
    for number, mixture in enumerate(mixtures):
        try:
            found = measure_attributes(load_sound(mixture))
            values.append([found.take(name) for name in names])
            kept.append(number)
        except ValueError as error:
            left_out.append(f"{mixture.id}: {error}")
    if len(kept) < LEAST_ROWS:
        raise ValueError(
            f"Of {len(mixtures)} sounds {len(kept)} have {' and '.join(names)}; expected "
            f"{LEAST_ROWS} or more. {left_out[0] if left_out else ''}".rstrip()
        )
    return ConditionExamples(
        [rows[n] for n in kept],
        None if embeddings is None else embeddings[kept],
        torch.tensor(values, dtype=torch.float32),
        tuple(left_out),
    )


def bounds_of(values: Tensor, names: Sequence[str]) -> tuple[Bounds, ...]:
    """Return the least and the most of each attribute.

    Args:
        values: In their units, [rows, attributes].
        names: Names of `SOUND_ATTRIBUTES`.

    Raises:
        ValueError: One is the same in all rows.
    """
    return tuple(
        Bounds(
            name,
            SOUND_ATTRIBUTES[name].unit,
            float(column.min()),
            float(column.max()),
            SOUND_ATTRIBUTES[name].ratio,
        )
        for name, column in zip(names, values.T, strict=True)
    )
