"""Every module that joins lips and sound, by name, with its options."""

from torch import nn

from fusion.audio_visual.joint import JointFusion, JointFusionOptions
from fusion.audio_visual.options import JOINT, UPSTREAM
from fusion.audio_visual.upstream import UpstreamFusion, UpstreamFusionOptions

FUSIONS: dict[str, tuple[type[nn.Module], type]] = {
    JOINT: (JointFusion, JointFusionOptions),
    UPSTREAM: (UpstreamFusion, UpstreamFusionOptions),
}
