"""What a separator is taught by, each a value for every clip."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, pad

from modalities.separation.matching import deal_one_each, deal_out

MOST_DB = 60.0  # of SI-SDR: beyond, float32 has no more digits
LEAST = 1e-18  # of a reference's energy: an estimate below is nothing
EMPTY = 1e-3  # 30 dB under the mixture is silent enough where nothing is to be heard
SILENT = 1e-10  # mean square below which a reference is taken for silence
CERTAINTY = 100.0  # how strongly a source goes to the text that is like it


def si_sdr(
    agreement: Tensor, energy: Tensor, reference_energy: Tensor, most_db: float = MOST_DB
) -> Tensor:
    """Return the scale-invariant ratio of signal to distortion, -60 to 60 dB.

    It depends on the level of neither side, however low; an estimate of nothing gets -60 dB, or
    minus `most_db`.

    Args:
        agreement: Inner products of estimates and references, of any shape.
        energy: Sums of squares of the estimates, in the same shape.
        reference_energy: Sums of squares of the references, above 0, in the same shape.
        most_db: What it comes close to, but does not pass, on either side.

    Source:
        Le Roux et al., SDR: half-baked or well done? (2019), arXiv 1811.02508: with r the cosine of
        both, it is r^2 / (1 - r^2).
    """
    tiny = torch.finfo(energy.dtype).tiny
    share = (agreement / reference_energy.clamp_min(tiny)) * (
        agreement / (energy + LEAST * reference_energy).clamp_min(tiny)
    )
    share = share.clamp(0, 1)
    bound = 10 ** (-most_db / 10)
    return 10 * torch.log10((share + bound) / (1 - share + bound))


def mixit_loss(
    sources: Tensor, references: Tensor, split: bool = True, most_db: float = MOST_DB
) -> Tensor:
    """Return how badly sources can be put together to what was mixed, by the best way to do so.

    All ways are measured at once by inner products of sources, without adding up any waveform.

    Args:
        sources: Estimates, [batch, sources, samples].
        references: What was mixed, [batch, mixtures, samples]: clips, which may be mixtures
            themselves, or single sources that are known.
        split: Whether sources may be added up to one reference. Without, each reference is one
            source and those that are left are silent, as single sounds should come out; that is
            permutation-invariant training.
        most_db: Of each SI-SDR; what comes near to it has little left to teach.

    Returns:
        [batch]: minus the SI-SDR in dB, summed over the mixtures. A silent one counts by how loud
        what is dealt out to it is beside everything: -30 dB where that is nothing.

    Raises:
        ValueError: There are too many ways; see `deal_out` and `deal_one_each`.

    Source:
        Wisdom et al., Unsupervised Sound Separation Using Mixture Invariant Training (2020), arXiv
        2006.12701; of silent references, What's All the FUSS (2021), arXiv 2011.00803;
        without splitting Yu et al., Permutation Invariant Training (2017), arXiv 1607.00325.
    """
    sources, references = sources.float(), references.float()
    if split:
        ways = deal_out(sources.shape[1], references.shape[1]).to(sources)
    else:
        references = pad(references, (0, 0, 0, sources.shape[1] - references.shape[1]))
        ways = deal_one_each(sources.shape[1]).to(sources)
    inner = sources @ sources.mT  # [batch, sources, sources]
    crossed = references @ sources.mT  # [batch, mixtures, sources]
    agreement = torch.einsum("wms,bms->bwm", ways, crossed)
    energy = torch.einsum("wms,bst,wmt->bwm", ways, inner, ways).clamp_min(0)
    target = references.square().sum(-1)  # [batch, mixtures]
    heard = target > SILENT * references.shape[-1]
    distortion = -si_sdr(agreement, energy, target[:, None].expand_as(energy), most_db)
    whole = references.sum(1).square().sum(-1).clamp_min(SILENT)[:, None, None]
    nothing = 10 * torch.log10(energy / whole + EMPTY)
    return torch.where(heard[:, None], distortion, nothing).sum(2).amin(1)


def alignment_loss(sounds: Tensor, texts: Tensor, known: Tensor, scale: Tensor) -> Tensor:
    """Return how badly sources can be told apart by the texts that they go to.

    Each source is given the mean of its clip's texts, weighed by how like it they are; then each is
    to find its own among those of all sources, and each text its source.

    Args:
        sounds: Embeddings of the sources, [batch, sources, dim], of length 1.
        texts: Embeddings of the texts that go with a clip, [batch, texts, dim], of length 1.
        known: [batch, texts], bool, True where a text is real; padding is weighed 0.
        scale: What cosines are multiplied by, a scalar above 0.

    Returns:
        [batch]; 0 for a clip without texts.
    """
    likeness = CERTAINTY * sounds @ texts.mT  # [batch, sources, texts]
    likeness = likeness.masked_fill(~known[:, None], torch.finfo(likeness.dtype).min)
    softly = normalize(likeness.softmax(-1) @ texts, dim=-1)  # [batch, sources, dim]
    logits = scale * sounds @ softly.mT  # [batch, sources, sources]
    own = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    both = [cross_entropy(way, own, reduction="none").mean(1) for way in (logits, logits.mT)]
    return torch.where(known.any(1), (both[0] + both[1]) / 2, 0.0)


def soft_rank(values: Tensor, temperature: float) -> Tensor:
    """Return ranks that have gradients: 1 for the least value, as many as there are for the most.

    Args:
        values: [..., values].
        temperature: How far apart values are told apart for certain, above 0; towards 0 the ranks
            become whole numbers.

    Returns:
        [..., values], which sum to that of the whole ranks.
    """
    above = (values.unsqueeze(-1) - values.unsqueeze(-2)) / temperature
    return above.sigmoid().sum(-1) + 0.5  # a value is neither above nor below itself


def ranking_loss(significance: Tensor, temperature: float) -> Tensor:
    """Return how far the sources of each clip are from coming in order, the first the greatest.

    Args:
        significance: [batch, sources].
        temperature: For `soft_rank`.

    Returns:
        [batch], 1 minus Spearman's correlation of the ranks and the places: 0 to 2. Each clip is
        ranked and normalised by itself.
    """
    ranks = soft_rank(significance, temperature)
    wanted = torch.arange(ranks.shape[1], 0, -1, device=ranks.device, dtype=ranks.dtype)
    wanted = normalize(wanted - wanted.mean(), dim=0)
    ranks = normalize(ranks - ranks.mean(1, keepdim=True), dim=1)
    return 1 - ranks @ wanted
