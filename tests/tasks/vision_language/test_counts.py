"""Full-size models, without weights: counts and percentages are those of the papers."""

import pytest
import torch

from modalities.vision_language.vl_files import random_vision_language
from tasks.vision_language.tuned import tune

TASKS = ("vqa", "gqa", "nlvr2", "caption")
IMAGE, VIDEO = 2048, 512  # length of the features
COUNTS = [
    # family, features, method, sharing, trained, all, and the percentage of the paper
    ("bart", IMAGE, "adapter", "single", 6_081_600, 145_606_464, 4.18),
    ("bart", IMAGE, "adapter", "multiple", 19_430_400, 158_955_264, 12.22),
    ("bart", IMAGE, "adapter", "half_up", 12_725_760, 152_250_624, 8.36),
    ("bart", IMAGE, "adapter", "half_down", 12_786_240, 152_311_104, 8.39),
    ("bart", IMAGE, "hyperformer", "single", 8_579_088, 148_103_952, 5.79),
    ("bart", IMAGE, "compacter", "single", 3_870_240, 143_395_104, 2.70),
    ("bart", IMAGE, "compacter", "multiple", 10_584_960, 150_109_824, 7.05),
    ("bart", IMAGE, "lora", "single", 8_786_688, 148_234_752, 5.93),
    ("bart", IMAGE, "lora", "multiple", 30_020_352, 169_468_416, 17.71),  # printed: 17.72
    ("bart", IMAGE, "prompt", "single", 2_843_936, 142_417_952, 2.00),
    ("bart", IMAGE, "prompt", "multiple", 6_627_200, 146_201_216, 4.53),
    ("bart", IMAGE, "bitfit", "single", 1_708_800, 141_156_864, 1.21),
    ("bart", IMAGE, "full", "single", 141_156_864, 141_156_864, 100),
    ("bart", VIDEO, "adapter", "single", 4_901_952, 144_426_816, 3.39),
    ("bart", VIDEO, "lora", "single", 7_607_040, 147_055_104, 5.17),
    ("bart", VIDEO, "prompt", "single", 1_664_288, 141_238_304, 1.18),
    ("t5", IMAGE, "adapter", "single", 19_333_632, 242_292_480, 7.98),
    ("t5", IMAGE, "lora", "single", 18_170_112, 241_128_960, 7.54),
    ("t5", IMAGE, "prompt", "single", 2_842_400, 225_801_248, 1.26),
]


def full_size(family, feature_dim=IMAGE):
    with torch.device("meta"):
        return random_vision_language(family, feature_dim=feature_dim)


@pytest.mark.parametrize(
    ("family", "features", "method", "sharing", "trained", "total", "percent"), COUNTS
)
def test_counts_are_the_published_ones(family, features, method, sharing, trained, total, percent):
    tuned = tune(full_size(family, features), method, TASKS, sharing)
    assert tuned.count() == (trained, total)
    assert 100 * trained / total == pytest.approx(percent, abs=0.005)
