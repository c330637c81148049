"""How good painted pictures are, from features of them: FID, CLIP-FID, KID, AIS, IIS, z-scores.

What a feature is decides what a number is called: FID and KID are of Inception's 2048, CLIP-FID is
of CLIP ViT-B/32's, before they are brought to length 1; AIS is of sound and picture in one space,
IIS of the painted and the true picture in CLIP's.
"""

from dataclasses import dataclass

import numpy as np

KID_SUBSETS, KID_SIZE = 100, 1000  # of clean-fid, by which numbers are published
Z_RULE = (
    "The z-score of a clip is how many standard deviations (of a population) the likeness to its "
    "own picture lies above the mean likeness to the pictures that were painted for all other "
    "clips; 0 where it is like all of them alike."
)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features as if they were Gaussians.

    The root of the product of both covariances is never taken: its trace is the sum of the
    singular values of one set's triangle times the other's, in float64, which is exact with fewer
    pictures than features, too.

    Args:
        first: Features of painted pictures, [pictures, dim].
        second: Features of true pictures, [pictures, dim].

    Returns:
        0 or more, 0 for the same mean and covariance. It falls with the number of pictures:
        compare it for the same number alone.

    Raises:
        ValueError: Fewer than two pictures, another width, or features that are no numbers.

    Source:
        Heusel et al. (2017, arXiv 1706.08500), equation 6; features as in clean-fid.
    """
    one, other = _features(first, "first", 2), _features(second, "second", 2)
    _same_width(one, other)
    gap = one.mean(0) - other.mean(0)
    triangles = []
    for features in (one, other):
        centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        triangles.append(np.linalg.qr(centred, mode="r"))  # its square is the covariance
    crossed = np.linalg.svd(triangles[0] @ triangles[1].T, compute_uv=False).sum()
    total = gap @ gap + sum((t * t).sum() for t in triangles) - 2 * crossed
    return max(0.0, float(total))


@dataclass(frozen=True)
class KernelDistance:
    """The kernel distance of two sets of features.

    Attributes:
        mean: Over subsets, unbiased: below 0 at times where both are alike.
        deviation: Over subsets, by n - 1; 0 for one subset.
        subsets: How many were drawn.
        size: Pictures of each set in a subset.
    """

    mean: float
    deviation: float
    subsets: int
    size: int


def kernel_distance(
    first: np.ndarray,
    second: np.ndarray,
    subsets: int = KID_SUBSETS,
    size: int = KID_SIZE,
    seed: int = 0,
) -> KernelDistance:
    """Return the kernel inception distance: squared MMD under the cubic kernel (x·y / dim + 1)^3.

    Args:
        first: Features of painted pictures, [pictures, dim].
        second: Features of true pictures, [pictures, dim].
        subsets: How many are drawn, 1 or more.
        size: Pictures of each set in a subset, 2 or more; fewer pictures are taken whole.
        seed: Fixes which are drawn; no other generator is touched.

    Raises:
        ValueError: Fewer than two pictures, another width, features that are no numbers, or no
            subset.

    Source:
        Binkowski et al. (2018, arXiv 1801.01401); subsets as in clean-fid.
    """
    one, other = _features(first, "first", 2), _features(second, "second", 2)
    _same_width(one, other)
    if subsets < 1 or size < 2:
        raise ValueError(f"{subsets} subsets of {size} pictures; expected 1 or more of 2 or more.")
    size = min(size, len(one), len(other))
    random = np.random.default_rng(seed)
    if len(one) == len(other) == size:
        subsets = 1  # all of both, whatever is drawn
    found = [
        _unbiased_mmd(*(of[random.choice(len(of), size, replace=False)] for of in (one, other)))
        for _ in range(subsets)
    ]
    spread = float(np.std(found, ddof=1)) if subsets > 1 else 0.0
    return KernelDistance(float(np.mean(found)), spread, subsets, size)


def _unbiased_mmd(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the squared distance of the means in the kernel's space, [size, dim] each."""
    kernels = [_kernel(of, of) for of in (one, other)]
    within = sum(kernel.sum() - np.trace(kernel) for kernel in kernels)
    size = len(one)
    return float(within / (size * (size - 1)) - 2 * _kernel(one, other).mean())


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one @ other.T / one.shape[1] + 1) ** 3


@dataclass(frozen=True)
class Likeness:
    """How alike what belongs together is: AIS of sounds, IIS of true pictures.

    Attributes:
        mean: Cosine of each clip and its own picture, averaged over clips, -1 to 1.
        z: z-score by `Z_RULE`, averaged over clips; 0 for pictures painted without listening.
        of_each: Cosine of each clip and its own picture, [clips].
        z_of_each: z-score of each clip, [clips].
    """

    mean: float
    z: float
    of_each: np.ndarray
    z_of_each: np.ndarray


def measure_likeness(clips: np.ndarray, painted: np.ndarray) -> Likeness:
    """Measure how alike clips and the pictures painted for them are, AIS or IIS, and its z-score.

    Args:
        clips: What the pictures should be like, [clips, dim]: sounds in the space of pictures for
            AIS, true pictures for IIS. Their length does not count.
        painted: The picture that was painted for each, [clips, dim].

    Returns:
        Cosines and z-scores; which pictures a clip's own is held against depends on the set, so
        z-scores are compared on the same clips alone.

    Raises:
        ValueError: Fewer than three clips, other numbers of pictures, another width, a vector
            without length, or features that are no numbers.

    Source:
        The published evaluation of MACS (2503.10287): cosine, mean and population deviation.
    """
    one, other = _features(clips, "clips", 3), _features(painted, "painted", 3)
    _same_width(one, other)
    if len(one) != len(other):
        raise ValueError(
            f"{len(one)} clips and {len(other)} pictures; expected one picture for each clip. "
            "Average or choose first where several were painted."
        )
    alike = _unit(one, "clips") @ _unit(other, "painted").T  # [clips, pictures]
    own = np.diag(alike).copy()
    others = alike[~np.eye(len(alike), dtype=bool)].reshape(len(alike), -1)
    z = _standardise(own, others)
    return Likeness(float(own.mean()), float(z.mean()), own, z)


def _standardise(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return z-scores of [clips] against [clips, others]; 0 where there is no difference at all.

    Raises:
        ValueError: The others are all one picture, and the own is not.
    """
    gaps, deviations = own - others.mean(1), others.std(1)
    flat = deviations < 1e-9  # below what rounding leaves of cosines
    if odd := np.flatnonzero(flat & (np.abs(gaps) > 1e-9)).tolist():
        raise ValueError(
            f"All pictures but that of clip {odd[0]} are as like it as each other, so there is no "
            "deviation to measure by; expected different pictures. Paint more clips."
        )
    return np.where(flat, 0.0, gaps / np.where(flat, 1.0, deviations))


def _features(values: np.ndarray, name: str, least: int) -> np.ndarray:
    features = np.asarray(values, np.float64)
    if features.ndim != 2 or len(features) < least or not features.shape[1]:
        raise ValueError(
            f"{name} has shape {list(features.shape)}; expected [pictures, dim] with {least} rows "
            "or more. Flatten what is no vector, and give more pictures."
        )
    if not np.isfinite(features).all():
        bad = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
        raise ValueError(f"Row {bad} of {name} has values that are no numbers. Leave it out.")
    return features


def _same_width(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape[1] != other.shape[1]:
        raise ValueError(
            f"Features of {one.shape[1]} and of {other.shape[1]} numbers; expected the same. Embed "
            "both by one model."
        )


def _unit(features: np.ndarray, name: str) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            f"Row {int(np.flatnonzero(lengths[:, 0] == 0)[0])} of {name} has length 0, and no "
            "direction. Leave it out."
        )
    return features / lengths
