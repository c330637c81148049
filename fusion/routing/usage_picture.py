"""A picture of which expert is used when along an utterance, with the noise under it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fusion.routing.report import Trace
from modalities.whole_file import replace_when_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".webp")
OVERLAP = 0.5  # of a spectrum with the next one
WINDOW_S = 0.032
RANGE_DB = 60.0  # what is shown under the loudest


@torch.no_grad()
def weights_along(trace: Trace, row: int = 0, sites: Sequence[str] | None = None) -> Tensor:
    """Return how much each expert had to say at each token of a row, mean over sites.

    Args:
        trace: What was watched; of a model that ran several times the first is taken.
        row: Number of the row of the batch.
        sites: Names of those to take, which read equally many tokens; None for all that weigh
            tokens by themselves.

    Returns:
        [tokens, experts], each token's weights divided by their sum; real tokens alone.

    Raises:
        ValueError: A site has not run, weighs whole samples, or reads other tokens.
    """
    decided = dict(reversed(trace.taken))
    wanted = list(dict.fromkeys(site for site, _ in trace.taken)) if sites is None else list(sites)
    if missing := [site for site in wanted if site not in decided]:
        raise ValueError(f"{missing[0]} has decided nothing; ran: {', '.join(decided) or 'none'}.")
    if sites is None:
        wanted = [site for site in wanted if decided[site].per_token]
    if not wanted or not all(decided[site].per_token for site in wanted):
        raise ValueError(
            "Weights are those of whole samples; expected a granularity of 'token' or "
            "'token_in_block'."
        )
    found = []
    for site in wanted:
        routing = decided[site]
        weights = routing.weights[row].float()  # [tokens, experts]
        found.append(weights if routing.mask is None else weights[routing.mask[row]])
    if len({len(weights) for weights in found}) > 1:
        tokens = ", ".join(f"{site}: {len(w)}" for site, w in zip(wanted, found, strict=True))
        raise ValueError(f"Sites read different numbers of tokens ({tokens}); name some alike.")
    mean = torch.stack(found).mean(0)
    return mean / mean.sum(1, keepdim=True)


def draw_usage(
    weights: Tensor,
    names: Sequence[str],
    duration_s: float,
    noise: Tensor,
    rate_hz: int,
    path: str | Path,
    *,
    spans: Mapping[str, tuple[float, float]] | None = None,
    title: str = "",
) -> None:
    """Draw the experts' parts over time, and under them the spectrogram of the noise.

    Args:
        weights: Of `weights_along`, [tokens, experts]; or of anything else that sums to 1.
        names: What the experts are called, in the order of their weights.
        duration_s: How long all tokens last together.
        noise: The noise, or whatever was heard, [samples].
        rate_hz: Samples of it per second.
        path: The picture to write, as .png or .webp.
        spans: Begin and end in seconds of what is named above the experts, such as kinds of noise.
        title: What stands above all; "" for nothing.

    Raises:
        ValueError: Names do not fit the experts, or the path has another ending.
        OSError: It cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path} ends with {path.suffix!r}; expected {' or '.join(FORMATS)}.")
    if len(names) != weights.shape[1]:
        raise ValueError(
            f"{len(names)} names came for {weights.shape[1]} experts; expected one each."
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_weights(above, weights, names, duration_s)
    for name, (begin_s, end_s) in (spans or {}).items():
        above.text((begin_s + end_s) / 2, 1.02, name, ha="center", va="bottom", fontsize=9)
        for edge_s in (begin_s, end_s):
            if 0 < edge_s < duration_s:
                above.axvline(edge_s, color="black", linestyle="--", linewidth=1)
                below.axvline(edge_s, color="black", linestyle="--", linewidth=1)
    _draw_noise(below, noise, rate_hz)
    if title:
        figure.suptitle(title, fontsize=10)
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower(), dpi=100)


def _draw_weights(axes: "Axes", weights: Tensor, names: Sequence[str], duration_s: float) -> None:
    tokens, experts = weights.shape
    edges = torch.linspace(0, duration_s, tokens + 1)
    sums = torch.cat([torch.zeros(tokens, 1), weights.detach().cpu().float().cumsum(1)], 1)
    for expert in range(experts):
        low, high = (torch.cat([part, part[-1:]]).numpy() for part in sums[:, expert:][:, :2].T)
        axes.fill_between(
            edges.numpy(), low, high, step="post", color=f"C{expert % 10}", label=names[expert],
            linewidth=0,
        )  # fmt: skip
    axes.set_xlim(0, duration_s)
    axes.set_ylim(0, 1)
    axes.set_ylabel("part of an expert")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)


def _draw_noise(axes: "Axes", noise: Tensor, rate_hz: int) -> None:
    size = 2 * round(WINDOW_S * rate_hz / 2)
    hop = max(1, round(size * (1 - OVERLAP)))
    noise = torch.nn.functional.pad(noise.detach().cpu().float(), (0, max(0, size - len(noise))))
    window = torch.hann_window(size)
    spectra = torch.stft(noise, size, hop, window=window, center=False, return_complex=True)
    level_db = 20 * spectra.abs().clamp_min(1e-9).log10()  # [bins, frames]
    loudest = float(level_db.max())
    axes.imshow(
        level_db.numpy(), origin="lower", aspect="auto", cmap="Greys", vmin=loudest - RANGE_DB,
        vmax=loudest, extent=(0, len(noise) / rate_hz, 0, rate_hz / 2000), interpolation="nearest",
    )  # fmt: skip
    axes.set_ylabel("kHz")
    axes.set_xlabel("seconds")
