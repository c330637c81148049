"""How well sources were taken out of a mixture: SI-SDR, its improvement, and their order."""

from dataclasses import dataclass

import numpy as np

from modalities.separation.matching import deal_out, match_best

LIMIT_DB = 100.0  # float64 has no more digits
SILENT = 1e-10  # mean square below which a recording counts as silence


@dataclass(frozen=True)
class SeparationScore:
    """What separation did to one mixture.

    Attributes:
        matches: The estimate that was taken for each source, by its number.
        si_sdr: Of the source's estimate, dB for each source; NaN for a silent source.
        improvement: What that is above the SI-SDR of the mixture itself, dB for each source; NaN
            for a silent source, and where the mixture is nothing but that source.
        grouped: The improvement where each estimate is dealt out to one of the sources and those of
            a source are added up, dB for each source: sources in pieces lose nothing by it.
        silent: How many sources are silent.
    """

    matches: tuple[int, ...]
    si_sdr: np.ndarray
    improvement: np.ndarray
    grouped: np.ndarray
    silent: int


def measure_si_sdr(estimates: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the scale-invariant ratio of signal to distortion of each estimate to each reference.

    It is computed in float64 and depends on no level. Silence has none.

    Args:
        estimates: [estimates, samples].
        references: [references, samples].

    Returns:
        dB, [estimates, references], -100 to 100; -100 for silent estimates, NaN for silent
        references.

    Source:
        Le Roux et al., SDR: half-baked or well done? (2019), arXiv 1811.02508.
    """
    estimates, references = (np.asarray(of, np.float64) for of in (estimates, references))
    energy, wanted = (np.square(of).sum(1) for of in (estimates, references))
    return _ratio(estimates @ references.T, energy[:, None], wanted, references.shape[1])


def score_separation(estimates: np.ndarray, references: np.ndarray) -> SeparationScore:
    """Score what a mixture was taken apart into, in any order.

    Args:
        estimates: [estimates, samples], as many as there are references or more.
        references: The sources at the level that they have in the mixture, which is their sum,
            [references, samples].

    Raises:
        ValueError: Shapes do not fit together, or there are too many to try all groups: up to
            65,536 ways, references to the power of estimates.
    """
    if estimates.shape[1] != references.shape[1] or len(estimates) < len(references):
        raise ValueError(
            f"Estimates have the shape {list(estimates.shape)}, references "
            f"{list(references.shape)}; expected equal samples, and as many estimates or more."
        )
    ratios = measure_si_sdr(estimates, references)
    matches = match_best(np.nan_to_num(ratios.T, nan=0.0).tolist())
    found = ratios[matches, np.arange(len(references))]
    mixed = measure_si_sdr(references.sum(0, keepdims=True), references)[0]
    mixed[mixed > LIMIT_DB - 1] = np.nan  # the mixture is that source
    silent = int(np.isnan(ratios[0]).sum())
    grouped = _best_groups(estimates, references) - mixed
    return SeparationScore(tuple(matches), found, found - mixed, grouped, silent)


def _best_groups(estimates: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the SI-SDR of each reference where all estimates are dealt out in the best way."""
    estimates, references = (np.asarray(of, np.float64) for of in (estimates, references))
    ways = deal_out(len(estimates), len(references)).double().numpy()
    agreement = np.einsum("wre,re->wr", ways, references @ estimates.T)
    energy = np.einsum("wre,ef,wrf->wr", ways, estimates @ estimates.T, ways)
    wanted = np.square(references).sum(1)
    ratios = _ratio(agreement, energy, wanted, references.shape[1])  # [ways, references]
    return ratios[np.nansum(ratios, 1).argmax()]


def _ratio(
    agreement: np.ndarray, energy: np.ndarray, wanted: np.ndarray, samples: int
) -> np.ndarray:
    """Return dB from inner products and sums of squares."""
    wanted = np.where(wanted > SILENT * samples, wanted, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(energy > 0, np.square(agreement) / (energy * wanted), 0 * wanted)
        ratio = 10 * np.log10(share / (1 - share).clip(0))
    return ratio.clip(-LIMIT_DB, LIMIT_DB)


def rank_agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return Spearman's correlation of two orders of the same sources.

    Args:
        found: A number for each source, [sources]; equal ones share a rank.
        wanted: The numbers that it should be ordered as, [sources].

    Returns:
        -1 to 1; NaN where one side has no order, as with fewer than two sources.
    """
    ranks = [_mean_ranks(np.asarray(values, np.float64)) for values in (found, wanted)]
    centred = [rank - rank.mean() for rank in ranks]
    size = np.sqrt(np.prod([np.square(rank).sum() for rank in centred]))
    return float(centred[0] @ centred[1] / size) if size > 0 else float("nan")


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    below = (values[:, None] > values).sum(1)
    return below + ((values[:, None] == values).sum(1) - 1) / 2
