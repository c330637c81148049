"""Tell whether pieces show two faces, where each shows one."""

import torch
from torch import Tensor

# Chosen on GRID: pieces of one talker, 8 to 30 of them in 60 draws of two talkers, lie apart by at
# most 0.40; of ten pairs of talkers one by 0.31, all others by 0.43 to 0.68.
APART = 0.41
LEAST, LEAST_OF_ONE = 8, 3  # pieces, and pieces of one face, by which two are told
ROUNDS = 50  # in which the groups settle


def find_other_face(faces: Tensor) -> Tensor | None:
    """Return which rows show another face than the rest; None where all may be of one talker.

    One talker recorded in quite other light can look like two.

    Args:
        faces: What a lip encoder sees in each piece, [pieces, dim].

    Returns:
        bool [pieces], True for the smaller group.
    """
    if len(faces) < LEAST:
        return None
    apart = torch.cdist(faces, faces)
    other = _part(faces, apart)
    if min(int(other.sum()), int((~other).sum())) < LEAST_OF_ONE:
        return None
    if _silhouette(apart, other) < APART:
        return None
    return other if int(other.sum()) * 2 <= len(faces) else ~other


def _part(faces: Tensor, apart: Tensor) -> Tensor:
    """Part rows into two by 2-means, from the two that lie farthest apart; bool [rows]."""
    first, second = divmod(int(apart.argmax()), len(faces))
    other = apart[second] < apart[first]
    for _ in range(ROUNDS):
        if not other.any() or other.all():
            break
        means = torch.stack([faces[~other].mean(0), faces[other].mean(0)])
        before, other = other, torch.cdist(faces, means).argmin(1).bool()
        if torch.equal(before, other):
            break
    return other


def _silhouette(apart: Tensor, other: Tensor) -> float:
    """Return by how much rows lie nearer to their own group than to the other, -1 to 1.

    Source:
        Rousseeuw 1987, doi 10.1016/0377-0427(87)90125-7.
    """
    alike = other[:, None] == other
    own = (apart * alike).sum(1) / (alike.sum(1) - 1)
    across = (apart * ~alike).sum(1) / (~alike).sum(1)
    return float(((across - own) / torch.maximum(own, across)).mean())
