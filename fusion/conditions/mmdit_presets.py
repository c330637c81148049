"""Published ways of telling conditions to MM-DiTs, FLUX and Stable Diffusion 3."""

from typing import Any

from fusion.conditions.instructed_branch import InstructedBranch, InstructedOptions
from fusion.conditions.preset import Part, Preset
from fusion.conditions.routing.routed_experts import RoutedExperts, RoutedOptions
from fusion.conditions.token_branch import ALIGNED, KEYWORD, OFFSET, BranchOptions, TokenBranch

GATES = "a gate for each attention, which begins at 0; without gates it is as published"
_EASY = "EasyControl (2025, arXiv 2503.07027)"
_EASY_TRAINING = "1e-4, 4 at once, noise 1,024 px, conditions 512 px, flow matching as SD3's"
_PKA = "PKA (2026, arXiv 2602.06850)"
_PKA_TRAINING = "4 at once, times logit-normal (0.5, 1.5)"
_UNIC = "UNIC-Adapter (2024, arXiv 2412.18928)"
_UNIC_TRAINING = "100,000 steps on 16 GPUs, 20 wordings of each instruction"


def _branch(**options: Any) -> Part:
    return Part(TokenBranch, BranchOptions(**options))


MMDIT_PRESETS: dict[str, Preset] = {
    "easycontrol": Preset(
        {"map": _branch(chained=True)},
        {"flux_dev": 149_422_137},
        "15 M, which is rank 13; the script's rank 128 is 149.4 M",
        _EASY,
        _EASY_TRAINING,
        f"{GATES}, 149,422,080",
    ),
    "easycontrol_subject": Preset(
        {"subject": _branch(chained=True, positions=OFFSET)},
        {"flux_dev": 149_422_137},
        "15 M, which is rank 13; the script's rank 128 is 149.4 M",
        _EASY,
        _EASY_TRAINING,
        f"{GATES}; it lies just below the picture",
    ),
    "easycontrol_16": Preset(
        {"map": _branch(rank=16, alpha=16.0)},
        {"flux_dev": 18_677_817},
        "15 M, which is rank 13",
        _EASY,
        _EASY_TRAINING,
        f"{GATES}, 18,677,760; the last layer's change reads what that reads",
    ),
    "pka": Preset(
        {
            "map": _branch(rank=16, alpha=16.0, read=ALIGNED),
            "subject": _branch(rank=16, alpha=16.0, read=KEYWORD, positions=OFFSET),
        },
        {"flux_dev": 37_355_634},
        "",
        _PKA,
        _PKA_TRAINING,
        f"{GATES}; rank; one softmax over the token at a place and all else; the keyword's places "
        "are those of the step itself",
    ),
    "unic_adapter": Preset(
        {"map": Part(InstructedBranch, InstructedOptions())},
        {"sd3_medium": 1_192_711_704},
        "about 1.2 B",
        _UNIC,
        _UNIC_TRAINING,
        f"{GATES}",
    ),
    "unic_adapter_low_rank": Preset(
        {"map": Part(InstructedBranch, InstructedOptions(rank=16, embedders=False))},
        {"sd3_medium": 18_726_936},
        "",
        _UNIC,
        "",
        f"changes of rank 16 in place of copies; {GATES}",
    ),
    "care_edit": Preset(
        {"edit": Part(RoutedExperts, RoutedOptions(task_dim=16))},
        {"flux_dev": 96_300_256},
        "",
        "CARE-Edit (2026, arXiv 2603.08589)",
        "AdamW 1e-4, 100,000 steps of 16, the last 60,000 on several tasks",
        "all widths; no LoRA, conditions enter by experts alone; experts see tokens of the picture "
        "behind every third block, and what is edited at their own position; scores are smoothed "
        "and masks repainted from layer to layer; "
        "a mixture stands for the last router; experts begin by adding 0",
    ),
}
