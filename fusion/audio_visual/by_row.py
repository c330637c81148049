"""A fusion module for each row of a batch, as adapters differ between rows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fusion.audio_visual.upstream import UpstreamFusion


class RowFusion:
    """Runs each module on its rows alone.

    Args:
        fusions: One per row; None leaves a row as it is. A module may be that of several rows.
    """

    def __init__(self, fusions: Sequence[nn.Module | None]):
        self.upstream: dict[UpstreamFusion, list[int]] = {}
        self.joint: dict[nn.Module, list[int]] = {}
        for row, fusion in enumerate(fusions):
            if isinstance(fusion, UpstreamFusion):
                self.upstream.setdefault(fusion, []).append(row)
            elif fusion is not None:
                self.joint.setdefault(fusion, []).append(row)

    def clean(self, mel: Tensor, crops: Tensor | None, mask: Tensor) -> Tensor:
        """Run the modules that come before the encoder.

        Args:
            mel: [batch, mel_bins, frames].
            crops: uint8 grey, [batch, video_frames, 96, 96]; None where no module reads them.
            mask: [batch, video_frames], bool, True where a mouth is seen.

        Returns:
            [batch, mel_bins, frames].
        """
        for fusion, rows in self.upstream.items():
            assert crops is not None
            some = torch.tensor(rows, device=mel.device)
            mel = mel.index_copy(0, some, fusion(mel[some], crops[some], mask[some]))
        return mel

    def join(self, states: Tensor, lips: Tensor, mask: Tensor, signs: Tensor) -> Tensor:
        """Run the modules that add lips to the encoder's states; see `JointFusion.forward`.

        Args:
            states: [batch, 2 * video_frames, dim].
            lips: [batch, video_frames, lip_dim].
            mask: [batch, video_frames], bool, True where a mouth is seen.
            signs: [batch, video_frames, SIGNS].

        Returns:
            [batch, 2 * video_frames, dim].
        """
        for fusion, rows in self.joint.items():
            some = torch.tensor(rows, device=states.device)
            made = fusion(states[some], lips[some], mask[some], signs[some])
            states = states.index_copy(0, some, made)
        return states
