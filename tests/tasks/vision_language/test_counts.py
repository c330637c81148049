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
    ("bart", IMAGE, "vl_pet", "single", 6_052_416, 145_606_464, 4.16),
    ("bart", VIDEO, "adapter", "single", 4_901_952, 144_426_816, 3.39),
    ("bart", VIDEO, "lora", "single", 7_607_040, 147_055_104, 5.17),
    ("bart", VIDEO, "prompt", "single", 1_664_288, 141_238_304, 1.18),
    ("t5", IMAGE, "adapter", "single", 19_333_632, 242_292_480, 7.98),
    ("t5", IMAGE, "lora", "single", 18_170_112, 241_128_960, 7.54),
    ("t5", IMAGE, "prompt", "single", 2_842_400, 225_801_248, 1.26),
    ("t5", IMAGE, "vl_pet", "single", 17_582_208, 240_521_856, 7.31),
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


@pytest.mark.parametrize(("family", "sites", "matrices"), [("bart", 30, 36), ("t5", 60, 72)])
def test_adapters_are_at_every_sub_layer_and_lora_in_every_attention(family, sites, matrices):
    adapters = tune(full_size(family), "adapter", TASKS).adapters
    [part] = adapters.parts("all_tasks")
    assert len(part.sites) == sites
    assert all(s.endswith(("out_proj", "fc2", "Attention.o", "wo")) for s in part.sites)
    [part] = tune(full_size(family), "lora", TASKS).adapters.parts("all_tasks")
    assert len(part.sites) == matrices
    assert all(s.endswith(("q_proj", "v_proj", ".q", ".v")) for s in part.sites)


def test_a_single_adapter_is_24_megabytes():
    trained = tune(full_size("bart"), "adapter", TASKS).trained()
    size = sum(parameter.numel() * parameter.element_size() for parameter in trained)
    assert size == 4 * 6_081_600 == 24_326_400


def test_all_added_weights_are_in_the_denominator_and_tied_ones_count_once():
    tuned = tune(full_size("bart"), "adapter", TASKS)
    trained, total = tuned.count()
    plain = 139_420_416  # BART-base without all that is added; the first version divided by it
    assert 100 * trained / plain == pytest.approx(4.36, abs=0.005)
    assert total - plain == 200 * 768 + 1_582_848 + 30 * 148_320
    every = sum(p.numel() for p in tuned.vl.state_dict(keep_vars=True).values())
    assert every > total + 3 * 50_465 * 768  # one table, four times


def test_trained_norms_of_t5_would_give_another_percentage():
    tuned = tune(full_size("t5"), "adapter", TASKS, options={"norms": "all"})
    trained, total = tuned.count()
    assert 100 * trained / total == pytest.approx(8.00, abs=0.005)
