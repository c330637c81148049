"""The tables of training measures."""

from collections.abc import Sequence

from modalities.diffusion.measure.contract import Coupling, PairWeight, SizeSampler
from modalities.diffusion.measure.couplings import (
    ExactTransport,
    Given,
    Independent,
    SinkhornTransport,
)
from modalities.diffusion.measure.sizes import EvenSizes, FarSizes
from modalities.diffusion.measure.times import (
    Cubic,
    IndependentPair,
    Late,
    LevelSampler,
    LogitNormal,
    QuantileMatched,
    Uniform,
)
from modalities.diffusion.measure.weights import Gibbs, MinSnr, Ones

TIMES: dict[str, type[LevelSampler]] = {
    "uniform": Uniform,
    "late": Late,
    "cubic": Cubic,
    "logit_normal": LogitNormal,
}
# Those of two levels, which are built of two of the above.
PAIRED_TIMES: dict[str, type[IndependentPair] | type[QuantileMatched]] = {
    "independent_pair": IndependentPair,
    "quantile_matched": QuantileMatched,
}
WEIGHTS: dict[str, type[PairWeight]] = {"ones": Ones, "gibbs": Gibbs, "min_snr": MinSnr}
COUPLINGS: dict[str, type[Coupling]] = {
    "given": Given,
    "independent": Independent,
    "exact": ExactTransport,
    "sinkhorn": SinkhornTransport,
}
SIZES: dict[str, type[SizeSampler]] = {"even": EvenSizes, "res_adapter": FarSizes}


def build_sizes(
    name: str, native: tuple[int, int], sizes: Sequence[tuple[int, int]]
) -> EvenSizes | FarSizes:
    """Build what draws sizes of pictures.

    Args:
        name: A name of SIZES.
        native: Height and width that the model was made for, in pixels.
        sizes: Those that are drawn.

    Raises:
        ValueError: There is no size to draw.
    """
    return EvenSizes(sizes) if SIZES[name] is EvenSizes else FarSizes(native, sizes)
