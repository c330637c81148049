"""Spectrograms of a mixture and its sources, gathered piece by piece, and the picture of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modalities.whole_file import replace_when_whole

WINDOW_S = 0.064  # of a spectrum; rounded to a power of two samples
HOPS = 16  # steps from one spectrum to the next in a window
BANDS = 128  # of mel frequency
COLUMNS = 1200  # at most, even; as many as the picture is wide
RANGE_DB = 70.0  # below the loudest value of the mixture all is black
TICKS_HZ = {0: "0", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k", 16000: "16k"}
# Seconds from one number of the axis of time to the next: from a minute on, as a clock is read.
STEPS_S = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
MOST_STEPS = 8
INK, FAINT = "#222222", "#666666"
DPI = 130


@dataclass(frozen=True)
class Caption:
    """What is written above a spectrogram.

    Attributes:
        title: On the left, in bold.
        note: On the right.
    """

    title: str
    note: str = ""


class Spectrograms:
    """Mel spectrograms of several sounds of one length, in memory that does not grow with it.

    Where they have become too long for a picture, two columns of each are made one, again and
    again.

    Args:
        rows: How many sounds there are.
        rate_hz: Samples per second.
    """

    def __init__(self, rows: int, rate_hz: int):
        from librosa.filters import mel

        self.rate_hz = rate_hz
        self.fft = 1 << round(np.log2(WINDOW_S * rate_hz))
        self.hop = self.fft // HOPS
        self.filters = mel(sr=rate_hz, n_fft=self.fft, n_mels=BANDS, norm=None)
        self.sums = np.zeros((rows, BANDS, COLUMNS), np.float32)
        self.frames, self.per_column = 0, 1
        # Half a window before the first sample: a spectrum is about its middle.
        self.waiting = np.zeros((rows, self.fft // 2), np.float32)

    def add(self, sounds: np.ndarray) -> None:
        """Take more of them, float32 [rows, samples], any number of samples."""
        for start in range(0, sounds.shape[1], self.rate_hz):
            self._add(sounds[:, start : start + self.rate_hz])

    def result(self) -> np.ndarray:
        """Return their mean power when they have ended, [rows, bands, columns], one or more."""
        self._add(np.zeros((len(self.waiting), self.fft // 2), np.float32))
        columns = max(1, -(-self.frames // self.per_column))
        counts = np.full(columns, self.per_column, np.float32)
        counts[-1] = max(1, self.frames - (columns - 1) * self.per_column)
        return self.sums[..., :columns] / counts

    @property
    def column_s(self) -> float:
        """Seconds of a column."""
        return self.hop * self.per_column / self.rate_hz

    def _add(self, sounds: np.ndarray) -> None:
        from librosa import stft

        self.waiting = np.concatenate([self.waiting, sounds], axis=1)
        count = (self.waiting.shape[1] - self.fft) // self.hop + 1
        if count < 1:
            return
        spectra = stft(self.waiting, n_fft=self.fft, hop_length=self.hop, center=False)
        self.waiting = self.waiting[:, count * self.hop :]
        self._sum(self.filters @ np.square(np.abs(spectra)), count)  # [rows, bands, count]

    def _sum(self, power: np.ndarray, count: int) -> None:
        while self.frames + count > COLUMNS * self.per_column:
            halved = self.sums[..., ::2] + self.sums[..., 1::2]
            self.sums = np.concatenate([halved, np.zeros_like(halved)], axis=-1)
            self.per_column *= 2
        places = np.arange(self.frames, self.frames + count) // self.per_column
        first, last = int(places[0]), int(places[-1])
        chosen = places[:, None] == np.arange(first, last + 1)  # [count, columns]
        self.sums[..., first : last + 1] += power @ chosen.astype(np.float32)
        self.frames += count


def draw_spectrograms(found: Spectrograms, captions: Sequence[Caption], path: Path) -> None:
    """Draw them under each other on one axis of time, in decibels below the loudest of the first.

    Args:
        found: Heard to their end; the mixture first.
        captions: One for each.
        path: A PNG, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    power = found.result()
    figure = Figure(figsize=(12, 1.0 + 1.75 * len(power)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(power), 1, sharex=True, squeeze=False)[:, 0]
    loudest = float(power[0].max()) or 1.0
    families = _find_families(captions)
    meshes = [_draw_one(axes, one / loudest, found) for axes, one in zip(rows, power, strict=True)]
    for axes, caption in zip(rows, captions, strict=True):
        style: dict[str, Any] = dict(fontsize=12, pad=5, family=families)
        axes.set_title(caption.title, loc="left", fontweight="bold", color=INK, **style)
        axes.set_title(caption.note, loc="right", color=FAINT, **style)
    duration_s = power.shape[-1] * found.column_s
    rows[-1].set_xlabel(_unit_of(duration_s), fontsize=12, color=INK)
    if step_s := find_step(duration_s):
        rows[-1].xaxis.set_major_locator(MultipleLocator(step_s))
    figure.supylabel("frequency, Hz", fontsize=12, color=INK)
    figure.get_layout_engine().set(hspace=0.03, h_pad=0.06)  # pyright: ignore
    bar = figure.colorbar(
        meshes[0], ax=list(rows), aspect=14 * len(power), pad=0.012, fraction=0.03
    )
    bar.set_label("dB, against the loudest of the mixture", fontsize=12, color=INK)
    bar.ax.tick_params(labelsize=11, colors=FAINT)
    bar.outline.set_visible(False)  # pyright: ignore
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=DPI)


def _draw_one(axes: Any, power: np.ndarray, found: Spectrograms) -> Any:
    from librosa import mel_frequencies, power_to_db
    from librosa.display import specshow

    highest = found.rate_hz / 2
    mesh = specshow(
        power_to_db(power, ref=1.0, amin=1e-12, top_db=None),
        x_coords=np.arange(power.shape[1] + 1) * found.column_s,
        y_coords=mel_frequencies(len(power) + 1, fmax=highest),
        sr=found.rate_hz,
        x_axis="time",
        y_axis="mel",
        ax=axes,
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0.0,
    )
    ticks = [hz for hz in TICKS_HZ if hz < 0.9 * highest]
    axes.set_yticks(ticks, [TICKS_HZ[hz] for hz in ticks])
    axes.set_ylabel("")
    axes.set_xlabel("")
    axes.tick_params(labelsize=11, colors=FAINT)
    axes.label_outer()
    for side in axes.spines.values():
        side.set_visible(False)
    return mesh


def _unit_of(duration_s: float) -> str:
    """Return the label of the axis of time, as librosa writes its numbers."""
    if duration_s > 3600:
        return "time, h:min:s"
    return "time, min:s" if duration_s > 60 else "time, s"


def find_step(duration_s: float) -> int | None:
    """Return how many seconds lie between numbers on the axis of time; None below a minute."""
    if duration_s < STEPS_S[3]:
        return None
    return next((step for step in STEPS_S if duration_s <= MOST_STEPS * step), None)


def _find_families(captions: Sequence[Caption]) -> list[str]:
    """Return the names of fonts that have the letters of all captions, as far as there are any."""
    from matplotlib import font_manager

    from tasks.pictures.fonts import find_fonts

    letters = {letter for one in captions for letter in one.title + one.note}
    found = find_fonts({letter for letter in letters if not letter.isspace()}, ())[0]
    for path in found:
        font_manager.fontManager.addfont(path)
    return [font_manager.get_font(str(path)).family_name for path in found]
