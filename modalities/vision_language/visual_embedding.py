"""What turns features of pictures into tokens beside the words."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BOX = 5  # left, right, top, bottom, area
MOST = 200  # rows at the end of the token table that stand for places, not for words


class VisualEmbedding(nn.Module):
    """A token for each feature vector: what is there, where, in which picture and at which place.

    The place within the picture is a row of the language model's own token table, counted from its
    end. The table is given anew with each call and belongs to the language model alone: trained
    and counted by this module's name, it would be 38.8 million weights more.

    Args:
        feature_dim: Length of a feature vector.
        dim: Width of the language model.
        norm: Builds the norm that follows each of the two projections, for this width.
        images: Pictures that one text can be about.

    Source:
        Cho et al. (2021, arXiv 2102.02779), VL-T5; Sung et al. (2022, arXiv 2112.06825).
    """

    def __init__(
        self, feature_dim: int, dim: int, norm: Callable[[int], nn.Module], images: int = 2
    ):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(feature_dim, dim), norm(dim))
        self.boxes = nn.Sequential(nn.Linear(BOX, dim), norm(dim))
        self.image_order = nn.Embedding(images, dim)

    @property
    def feature_dim(self) -> int:
        """Length of a feature vector."""
        return self.features[0].in_features  # type: ignore[return-value]

    @property
    def images(self) -> int:
        """Pictures that one text can be about."""
        return self.image_order.num_embeddings

    def forward(
        self,
        features: Tensor,
        words: Tensor,
        image_order: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> Tensor:
        """Embed features.

        Args:
            features: [batch, tokens, feature_dim], of any floating type.
            words: The language model's token table, [vocabulary, dim].
            image_order: Which picture each token is of, from 0, [tokens] or [batch, tokens]; None
                says that all are of one.
            boxes: Left, right, top and bottom of what each token shows, from 0 to 1,
                [batch, tokens, 4]; None, for the cells of a grid, is all zeros.

        Returns:
            [batch, tokens, dim].

        Raises:
            ValueError: Features of another length, more pictures than the module knows, or more
                tokens of one picture than there are places.
        """
        self._check(features)
        tokens, kind = features.shape[1], self.image_order.weight.dtype
        if image_order is None:
            image_order = features.new_zeros(tokens, dtype=torch.long)
            places = torch.arange(tokens, device=features.device)
        else:
            self._check_order(image_order, tokens)
            places = count_places(image_order)
        if tokens and int(places.max()) >= MOST:
            raise ValueError(
                f"{int(places.max()) + 1} tokens of one image; expected at most {MOST}, as many as "
                "there are places. Pool the features to a coarser grid or a lower rate."
            )
        seen = self.features(features.to(kind)) + self.boxes(_with_area(features, boxes).to(kind))
        return seen + self.image_order(image_order) + words[len(words) - 1 - places].to(kind)

    def _check(self, features: Tensor) -> None:
        if features.ndim != 3 or features.shape[-1] != self.feature_dim:
            raise ValueError(
                f"Features of shape {list(features.shape)}; expected [batch, tokens, "
                f"{self.feature_dim}]. Extract them with the extractor that the model was made for."
            )

    def _check_order(self, image_order: Tensor, tokens: int) -> None:
        if image_order.shape[-1] != tokens:
            raise ValueError(
                f"An image order of {image_order.shape[-1]} tokens for features of {tokens}; "
                "expected one number for each token."
            )
        if tokens and not 0 <= int(image_order.min()) <= int(image_order.max()) < self.images:
            raise ValueError(
                f"Image numbers from {int(image_order.min())} to {int(image_order.max())}; "
                f"expected 0 to {self.images - 1}, as this model takes {self.images} images."
            )


def count_places(image_order: Tensor) -> Tensor:
    """Number the tokens of each picture from 0.

    Args:
        image_order: Which picture each token is of, [..., tokens].

    Returns:
        How many tokens of the same picture come before each, [..., tokens].
    """
    same = image_order[..., :, None] == image_order[..., None, :]  # [..., tokens, tokens]
    return same.long().tril(-1).sum(-1)


def _with_area(features: Tensor, boxes: Tensor | None) -> Tensor:
    """Return boxes and the area of each, [batch or 1, tokens, 5]."""
    if boxes is None:
        return features.new_zeros(1, features.shape[1], BOX)
    if boxes.shape[-1] != BOX - 1 or boxes.shape[-2] != features.shape[1]:
        raise ValueError(
            f"Boxes of shape {list(boxes.shape)} for {features.shape[1]} tokens; expected left, "
            "right, top and bottom of each."
        )
    left, right, top, bottom = boxes.unbind(-1)
    return torch.cat([boxes, ((bottom - top) * (right - left))[..., None]], -1)
