"""Temperature scaling: probabilities that mean what they say."""

import torch
from torch import Tensor
from torch.nn import functional

LOWEST, HIGHEST, STEPS = 0.05, 20.0, 400


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the temperature that makes the right classes of held-back sounds likeliest.

    Args:
        logits: [sounds, classes].
        labels: [sounds].

    Returns:
        What logits are to be divided by, 0.05 to 20.

    Source:
        Guo et al., On Calibration of Modern Neural Networks (2017, arXiv 1706.04599).
    """
    tried = torch.logspace(
        torch.log10(torch.tensor(LOWEST)), torch.log10(torch.tensor(HIGHEST)), STEPS
    )
    losses = torch.stack([functional.cross_entropy(logits / t, labels) for t in tried])
    return float(tried[losses.argmin()])
