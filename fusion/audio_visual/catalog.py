"""Every module that joins lips and sound, by name, with its options."""

from torch import nn

from fusion.audio_visual.aligned import AlignedFusion, AlignedFusionOptions
from fusion.audio_visual.joint import JointFusion, JointFusionOptions
from fusion.audio_visual.options import ALIGNED, JOINT, UPSTREAM
from fusion.audio_visual.upstream import UpstreamFusion, UpstreamFusionOptions

FUSIONS: dict[str, tuple[type[nn.Module], type]] = {
    JOINT: (JointFusion, JointFusionOptions),
    ALIGNED: (AlignedFusion, AlignedFusionOptions),
    UPSTREAM: (UpstreamFusion, UpstreamFusionOptions),
}
