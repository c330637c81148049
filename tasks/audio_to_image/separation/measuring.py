"""What a separator makes of mixtures whose sources are known."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from modalities.separation.network import SeparatorOptions
from modalities.separation.spectrum import separate_ideally
from tasks.scoring.separation import rank_agreement, score_separation

Separate = Callable[[Tensor], tuple[np.ndarray, np.ndarray | None]]


def measure_separation(
    separate: Separate, mixtures: Iterable[np.ndarray], options: SeparatorOptions
) -> dict[str, float]:
    """Measure how well mixtures are taken apart.

    Args:
        separate: Takes a mixture, [samples], and returns sources, [sources, samples], and how
            significant each is, [sources], or None.
        mixtures: Their sources, float32 [references, samples] each, at their levels in it.
        options: Frames of the spectrum that ideal masks are laid on.

    Returns:
        Means over sources and mixtures in dB: "sisdri", the improvement of SI-SDR, by the best
        estimate for each source; "grouped_sisdri", where estimates may be added up; "bound_sisdri",
        by ideal ratio masks; and "rank_agreement", Spearman's correlation of the significance of
        the sources and their energy, a mean over mixtures, -1 to 1. What cannot be measured, as of
        single sources, is left out.
    """
    rows: dict[str, list[float]] = {}
    for references in mixtures:
        sources, significance = separate(torch.from_numpy(references.sum(0)))
        score = score_separation(sources, references)
        ideal = separate_ideally(torch.from_numpy(references), options.fft, options.hop).numpy()
        rows.setdefault("sisdri", []).extend(score.improvement)
        rows.setdefault("grouped_sisdri", []).extend(score.grouped)
        rows.setdefault("bound_sisdri", []).extend(score_separation(ideal, references).improvement)
        if significance is not None:
            order = significance[list(score.matches)]
            agreement = rank_agreement(order, np.square(references).sum(1))
            rows.setdefault("rank_agreement", []).append(agreement)
    known = {name: np.asarray(values)[~np.isnan(values)] for name, values in rows.items()}
    return {name: float(values.mean()) for name, values in known.items() if len(values)}
