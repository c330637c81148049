"""Reads a window until its speech is covered by words, where Whisper's decoder may stop before."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from modalities.speech.covering import (
    Stretch,
    find_missed,
    part_at_pauses,
    put_in,
    shorten,
    spread,
    without_doubles,
)
from modalities.speech.decoding import LEAST_ADVANCE, Begun, WindowDecoder, cut
from modalities.speech.segments import FRAME_S
from modalities.speech.timed_text import TimedText, WindowText, shift

CUT_OFF_S = 0.1  # speech that lasts to so little before the end of a window goes on after it
MARGIN_FRAMES = 20  # heard around a stretch that is looked at again
MOST_TRIES = 16  # in one window: 30 s hold no more stretches of over a second with speech between


class WindowReader:
    """Decodes windows whose speech is known.

    Whisper's decoder may end its text while somebody goes on speaking, or pass over a sentence.
    Where it ended too early it goes on from its last word, and a stretch of speech of more than a
    second without a word is read once more by itself; what looks bad then is left out. Words and
    stretches of text are no longer than what is said.

    Args:
        decoder: Has to align words.
    """

    def __init__(self, decoder: WindowDecoder):
        self.decoder = decoder

    def read(
        self,
        mel: np.ndarray,
        sound: int,
        speech: Sequence[Stretch],
        begun: Begun | None = None,
    ) -> WindowText:
        """Read a window to its end.

        Args:
            mel: [mel_bins, 3000].
            sound: How many frames hold sound; nothing that begins after them is kept.
            speech: Detected speech, seconds from the window's start, in order.
            begun: What the decoder's `begin_all` returned of this window, if it did.
        """
        texts: list[TimedText] = []
        seek = 0
        while seek < sound:
            found, seek = self._read_on(mel, seek, sound, speech, begun if not seek else None)
            texts += [text for text in found if text.start_s < sound * FRAME_S]
        return WindowText(self._complete(mel, texts, sound, speech), sound * FRAME_S)

    def read_once(self, mel: np.ndarray, sound: int, speech: Sequence[Stretch]) -> WindowText:
        """Read a window in one pass; `next_s` may lie before its end; else as `read`.

        Where somebody speaks on beyond the end, the last text is left to the next window, which
        hears the end of its words.
        """
        texts, seek = self._read_on(mel, 0, sound, speech)
        cut_off = bool(speech) and speech[-1][1] >= sound * FRAME_S - CUT_OFF_S
        if seek >= sound and cut_off and len(texts) > 1:
            start = int(texts[-1].start_s / FRAME_S)
            if start > sound // 2:
                texts, seek = texts[:-1], start
        return WindowText(self._complete(mel, texts, seek, speech), seek * FRAME_S)

    def _read_on(
        self,
        mel: np.ndarray,
        seek: int,
        sound: int,
        speech: Sequence[Stretch],
        begun: Begun | None = None,
    ) -> tuple[list[TimedText], int]:
        """Read once from a frame on; return what is said and the frame to go on from."""
        rest = cut(mel, seek, mel.shape[1])
        found = self.decoder.decode_once(rest, sound - seek, begun=begun)
        texts = _tidy([shift(text, seek * FRAME_S) for text in found.segments], speech)
        after = min(sound, seek + max(1, round(found.next_s / FRAME_S)))
        if not texts:
            return texts, after
        missed = find_missed(speech, texts[-1].words, texts[-1].end_s, after * FRAME_S)
        if missed and texts[-1].words:
            after = min(after, max(seek + LEAST_ADVANCE, int(missed[0][0] / FRAME_S)))
        return texts, after

    def _complete(
        self, mel: np.ndarray, texts: list[TimedText], end: int, speech: Sequence[Stretch]
    ) -> tuple[TimedText, ...]:
        """Read once more what was passed over before a frame, and put it in."""
        if any(text.text and not text.words for text in texts):
            return tuple(texts)  # more tokens than can be aligned: what is covered is not known
        texts = spread(texts, speech, end * FRAME_S)
        words = [word for text in texts for word in text.words]
        for stretch in find_missed(speech, words, 0.0, end * FRAME_S)[:MOST_TRIES]:
            again = self._read_again(mel, stretch, speech)
            new = without_doubles([w for text in again for w in text.words], stretch, words)
            if new:
                texts = put_in(texts, new, again[0])
        return tuple(texts)

    def _read_again(
        self, mel: np.ndarray, stretch: Stretch, speech: Sequence[Stretch]
    ) -> list[TimedText]:
        start = max(0, round(stretch[0] / FRAME_S) - MARGIN_FRAMES)
        stop = min(mel.shape[1], round(stretch[1] / FRAME_S) + MARGIN_FRAMES)
        texts: list[TimedText] = []
        while stop - start > LEAST_ADVANCE:
            found = self.decoder.decode_once(cut(mel, start, stop), stop - start, bad="drop")
            moved = [shift(text, start * FRAME_S) for text in found.segments]
            texts += [text for text in moved if _meet(text, stretch)]  # else only its margin
            start += max(LEAST_ADVANCE, round(found.next_s / FRAME_S))
        return _tidy(texts, speech)


def _meet(text: TimedText, stretch: Stretch) -> bool:
    return text.start_s < stretch[1] and text.end_s > stretch[0]


def _tidy(texts: Sequence[TimedText], speech: Sequence[Stretch]) -> list[TimedText]:
    """Shorten words to what is said, and stretches of text to their words."""
    short = [replace(text, words=shorten(text.words, speech)) for text in texts]
    return [part for text in short for part in part_at_pauses(text)]
