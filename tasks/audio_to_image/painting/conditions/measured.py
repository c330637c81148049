"""What is asked of a picture, made what adapters are told: edges read, attributes measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.media import stream_audio
from modalities.audio.attribute_scale import Bounds
from modalities.audio.full_scale import SILENCE
from modalities.audio.sound_attributes import SoundAttributes, measure_attributes
from tasks.audio_to_image.painting.conditions.asked import Asked, check_kinds_there
from tasks.audio_to_image.painting.conditions.card import SIZE, ConditionCard
from tasks.audio_to_image.painting.conditions.edges import read_edges
from tasks.audio_to_image.painting.examples import Size

MIDDLE = 0.5  # of an attribute that neither was told nor is to be had of the sound
MOST_S = 300  # of a sound that are measured
BLOCK_S = 1.0


@dataclass(frozen=True)
class Told:
    """What a painter is told beside sounds.

    Attributes:
        edges: 1 on edges and 0 elsewhere, [height, width]; None for any.
        attributes: All that the adapters know of which one was asked for, by name, 0 to 1.
        size: Height and width that are painted; None for the painter's own.
        notes: What is to be told about it, clauses without a full stop.
    """

    edges: np.ndarray | None
    attributes: Mapping[str, float]
    size: tuple[int, int] | None
    notes: tuple[str, ...]


def take_conditions(
    cards: Sequence[ConditionCard],
    asked: Asked,
    size: tuple[int, int],
    sound: str | Path,
    audio_track: int | None = None,
) -> Told:
    """Read the edges and measure the attributes that are asked for.

    Args:
        cards: Those of the painter's adapters.
        asked: What pictures are to be like.
        size: Height and width of what is painted where no other is asked for.
        sound: The media file that is painted.
        audio_track: Index of one of several sound tracks; None for the main one.

    Raises:
        FileNotFoundError: The picture or the sound is not there.
        ValueError: There is no adapter for what is asked; the picture has no edges; the sound has
            not what is to be measured.
    """
    check_kinds_there(asked, cards)
    painted, edges, notes = asked.size or size, None, []
    if asked.edges is not None:
        edges, note = read_edges(asked.edges, painted)
        notes += [f"the edges of {asked.edges.name} were {note}"] if note else []
    if asked.size and asked.size != size and (note := _tell_size(asked.size, size, cards)):
        notes.append(note)
    asks = dict(asked.attributes)
    wanted = {
        b.name for c in cards if any(b.name in asks for b in c.attributes) for b in c.attributes
    }
    needs = any(asks.get(name) is None for name in wanted)
    measured = measure_file(sound, audio_track) if needs else None
    attributes, more = complete_attributes(asks, cards, measured)
    return Told(edges, attributes, painted, (*notes, *more))


def _tell_size(asked: Size, own: Size, cards: Sequence[ConditionCard]) -> str:
    """Say that a size was never learnt, a clause; "" where it was."""
    sizing = [card for card in cards if card.kind == SIZE]
    if not sizing:
        return f"the painter learnt {own[1]} x {own[0]} pixels alone and has no adapter for others"
    learnt = [one for card in sizing for one in card.sizes]
    if not learnt or asked in learnt:
        return ""
    known = ", ".join(f"{width} x {height}" for height, width in (own, *learnt))
    return f"{asked[1]} x {asked[0]} pixels were never learnt, {known} were"


def measure_file(sound: str | Path, audio_track: int | None = None) -> SoundAttributes | None:
    """Measure what the first five minutes of a media file sound like; None where they are silent.

    Args:
        sound: Any media file with sound.
        audio_track: Index of one of several sound tracks; None for the main one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no sound that can be decoded.
    """
    blocks = []
    for block in stream_audio(sound, BLOCK_S, audio_track):
        blocks.append(block)
        if len(blocks) * BLOCK_S >= MOST_S:
            break
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if np.abs(waveform).max(initial=0) <= SILENCE:
        return None
    return measure_attributes(waveform)


def complete_attributes(
    asked: Mapping[str, float | None],
    cards: Iterable[ConditionCard],
    measured: SoundAttributes | None,
) -> tuple[dict[str, float], list[str]]:
    """Return all attributes of the adapters that are told one of them.

    What is not told is as the sound has it; beyond the bounds it is what the bound is.

    Args:
        asked: By name where each lies between its bounds, 0 to 1; None for as the sound is.
        cards: Those of the adapters.
        measured: What the sound is like; None where it is silent.

    Returns:
        By name, 0 to 1; and what is to be told about it, clauses.

    Raises:
        ValueError: One that is to be as the sound is cannot be measured.
    """
    found: dict[str, float] = {}
    notes: list[str] = []
    for card in cards:
        if any(one.name in asked for one in card.attributes):
            for bounds in card.attributes:
                told = asked.get(bounds.name)
                if told is None:
                    told, note = _of_sound(bounds, measured, bounds.name in asked)
                    notes += [note] if note else []
                found[bounds.name] = told
    return found, notes


def _of_sound(bounds: Bounds, measured: SoundAttributes | None, needed: bool) -> tuple[float, str]:
    """Return where an attribute of the sound lies, 0 to 1, and what is to be told about it."""
    try:
        if measured is None:
            raise ValueError("there is no sound in it")
        value = measured.take(bounds.name)
    except ValueError as error:
        if needed:
            reason = str(error).rstrip(".")
            raise ValueError(
                f"{bounds.name} cannot be measured: {reason}; expected a sound that has it. Say "
                f"it, as in --attribute {bounds.name}=0.5."
            ) from error
        return MIDDLE, f"the sound has no {bounds.name}, so that the middle is taken"
    share = bounds.share(value)
    inside = min(max(share, 0.0), 1.0)
    beyond = (
        f"its {bounds.name} of {value:.4g} {bounds.unit} is beyond the {bounds} that was learnt"
    )
    return inside, "" if inside == share else beyond
