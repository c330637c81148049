"""Who talks when: stretches of speech, and for each of them the face that says it.

A shot is cut where the sound pauses. Each face has a score in each stretch, and the sequence of
talkers is the one with the highest scores in all, where every change costs something: a short
stretch that says little does not break off a talk, one that says much does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from modalities.rates import VIDEO_RATE_HZ
from modalities.speech.speech_spans import SpanFinder, SpeechSpan, VoiceActivityConfig

if TYPE_CHECKING:
    from modalities.speech.voice_activity import SpeechDetector, SpeechNetwork

NOBODY = -1
LONGEST = 50  # frames; longer stretches of speech are cut where they are quietest
HOLD = 50  # frames that a face stays the talker before it begins to talk and after it ends
FAR = 25  # frames further off than that make a stretch of their own
PAUSE = 5  # frames; a shorter pause may lie within a word
CHANGE_COST = 6.0  # a change of the talker pays from so much score times frames
STILL_COST = 10.0  # a still face loses so many times what a silent one does
# Shorter pauses than for a recogniser: another may take over in them.
VOICES = VoiceActivityConfig(least_silence_s=0.2, pad_s=0.1)
QUIET = 4.6  # natural logarithm of energy: so far below the speech (20 dB) it is silence

Span = tuple[int, int]


@dataclass(frozen=True)
class Turn:
    """A stretch in which one face talks, or none.

    Attributes:
        start: First frame.
        stop: The frame after the last one; the next turn starts there.
        voice: First frame of the speech in it, and the one after the last.
        heard: Whether there is sound in it that can be speech.
    """

    start: int
    stop: int
    voice: Span
    heard: bool = True


class SpeechTimes:
    """Finds the stretches of speech while sound arrives, and keeps those not yet asked for.

    Args:
        heard: The spans of a detector that hears the same sound, at least as early; it is then
            not heard a second time. See `VOICES`.
        first_frame: The frame on the clock of `heard` with which this one's count begins.
    """

    def __init__(self, heard: SpanFinder | None = None, first_frame: int = 0):
        self.first_frame = first_frame
        self._heard = heard
        self._detector: SpeechDetector | None = None
        self._waiting: list[np.ndarray] = []  # few large blocks are faster than many small ones
        self._spans: list[SpeechSpan] = []

    def push(self, waveform: np.ndarray) -> None:
        """Take the next samples, float32 at 16 kHz."""
        if self._detector is not None or self._heard is None:
            self._waiting.append(waveform)

    def between(self, start: int, stop: int) -> list[Span]:
        """Give the speech of some frames, and forget what lies before their end.

        Args:
            start: First frame, at 25 Hz.
            stop: The frame after the last one.

        Returns:
            First frame of each stretch and the one after its last, counted from `start`.
        """
        if self._heard is None:
            self._detector = _open_detector()
            self._heard = self._detector.spans
        if self._detector is not None and self._waiting:
            self._spans += self._detector.push(np.concatenate(self._waiting))
            self._waiting = []
        self._spans += self._heard.take()
        start, stop = start + self.first_frame, stop + self.first_frame
        spans = [(span.start_s, span.end_s) for span in self._spans]
        if self._heard.is_sure and self._heard.open_start_s is not None:
            spans.append((self._heard.open_start_s, stop / VIDEO_RATE_HZ))
        self._spans = [span for span in self._spans if span.end_s * VIDEO_RATE_HZ > stop]
        frames = [
            (max(start, round(a * VIDEO_RATE_HZ)), min(stop, round(b * VIDEO_RATE_HZ)))
            for a, b in spans
        ]
        return [(a - start, b - start) for a, b in frames if b > a]


def cut_turns(frames: int, speech: Sequence[Span], loudness: np.ndarray) -> list[Turn]:
    """Cut a shot, or a piece of one, into stretches that one face says.

    Args:
        frames: Its length.
        speech: First frame of each stretch of speech and the one after its last, in order.
        loudness: [frames, bands], logarithm of the energy.

    Returns:
        Turns without a gap between them. Without any speech it is one: a moving mouth may talk
        even where noise hides the voice.
    """
    if not speech:
        return [Turn(0, frames, (0, frames))]
    total = loudness.max(axis=1)
    voices = [part for span in speech for part in _cut_at_quiet(span, total)]
    level = np.median(np.concatenate([total[a:b] for a, b in voices]))
    turns: list[Turn] = []
    done = 0
    for number, (first, last) in enumerate(voices):
        if number == 0 and first > HOLD + FAR:
            turns.append(_unclear(0, first - HOLD, total, level))
            done = first - HOLD
        after = voices[number + 1][0] if number + 1 < len(voices) else None
        far = (frames - last if after is None else after - last) > (
            HOLD + FAR if after is None else 2 * HOLD
        )
        end = last + HOLD if far else (frames if after is None else (last + after) // 2)
        turns.append(Turn(done, end, (first, last)))
        done = end
        if far:
            end = frames if after is None else after - HOLD
            turns.append(_unclear(done, end, total, level))
            done = end
    return [turn for turn in turns if turn.stop > turn.start]


def choose_talkers(
    turns: Sequence[Turn], gains: np.ndarray, last: int = NOBODY, change_cost: float = CHANGE_COST
) -> list[int]:
    """Find the sequence of talkers with the highest gain, less the cost of changes.

    Args:
        turns: Stretches in order.
        gains: [turns, faces]; nobody gains 0.
        last: The face that talked before the first turn, or NOBODY.
        change_cost: What it costs that the talker changes.

    Returns:
        For each turn the number of a face, or NOBODY. Of equal sequences a face is preferred.
    """
    faces = gains.shape[1]
    if faces == 0:
        return [NOBODY] * len(turns)
    # The last column is nobody.
    gains = np.concatenate([gains, np.zeros((len(turns), 1))], axis=1)
    best = gains[0].copy()
    if last != NOBODY:
        best -= change_cost * (np.arange(faces + 1) != last)
    came_from = np.zeros((len(turns), faces + 1), int)
    for number in range(1, len(turns)):
        leap = int(best.argmax())
        stays = best >= best[leap] - change_cost
        came_from[number] = np.where(stays, np.arange(faces + 1), leap)
        best = np.where(stays, best, best[leap] - change_cost) + gains[number]
    path = [int(best.argmax())]
    for number in range(len(turns) - 1, 0, -1):
        path.append(int(came_from[number, path[-1]]))
    return [NOBODY if face == faces else face for face in reversed(path)]


def place_changes(turns: Sequence[Turn], talkers: Sequence[int], motion: np.ndarray) -> list[Turn]:
    """Move the ends of turns that follow without a pause to where the motion changes over.

    Args:
        turns: Stretches in order.
        talkers: The face of each, or NOBODY.
        motion: [frames, faces + 1], of the mouth over the upper face; last that of nobody.

    Returns:
        The turns, as many.
    """
    moved = list(turns)
    for number in range(1, len(turns)):
        before, after = moved[number - 1], moved[number]
        old, new = talkers[number - 1], talkers[number]
        if old == new or after.voice[0] - before.voice[1] > PAUSE:
            continue
        first, last = before.voice[0], after.voice[1]
        lead = np.cumsum(motion[first:last, old] - motion[first:last, new])
        edge = first + 1 + int(lead.argmax())
        edge = min(max(edge, before.start + 1), after.stop - 1)
        moved[number - 1] = replace(before, stop=edge)
        moved[number] = replace(after, start=edge)
    return moved


def _cut_at_quiet(span: Span, total: np.ndarray) -> list[Span]:
    """Cut speech that is too long for one turn where it is quietest."""
    start, stop = span
    parts = []
    while stop - start > LONGEST:
        low, high = start + LONGEST // 2, min(start + LONGEST, stop - LONGEST // 4)
        middle = low + int(total[low:high].argmin())
        parts.append((start, middle))
        start = middle
    return [*parts, (start, stop)]


def _unclear(start: int, stop: int, total: np.ndarray, level: float) -> Turn:
    """A stretch without detected speech: silence, or noise that may hide a voice."""
    heard = float(np.median(total[start:stop])) > level - QUIET
    return Turn(start, stop, (start, stop), heard)


def _open_detector() -> "SpeechDetector":
    from modalities.speech.voice_activity import SpeechDetector

    return SpeechDetector(_network(), VOICES)


@cache
def _network() -> "SpeechNetwork":
    """Load the network, once a process, without torch where that can be."""
    from modalities.speech.engines import AUTOMATIC, choose_engine, load_speech_network

    return load_speech_network(choose_engine(AUTOMATIC, "cpu").name)
