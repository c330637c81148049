"""The adapter parts of VL-Adapter's rows (2112.06825), and of VL-PET's (2308.09804).

The visual embedding and what is trained of the model's own come on top, see
`tasks.vision_language.variants`.
"""

from typing import Any

from fusion.papers.models import Attached, Published

GELU: dict[str, Any] = {"activation": "gelu_tanh"}
ADAPTER = (Attached("bottleneck", {"rank": 96, **GELU}),)
KRONECKER: dict[str, Any] = {"terms": 2, "shared": False, "factor_rank": 0}
COMPACTER = (Attached("compacter", {"rank": 96, **KRONECKER, **GELU}),)
LORA = (Attached("lora", {"rank": 128}),)
PROMPTS = (Attached("shallow_prompts", {"tokens": 40, "hidden": 800}),)


def _vl_pet(rank: int) -> tuple[Attached, ...]:
    """Gated bottlenecks in the encoder, and beside the values that the decoder takes from it."""
    return (
        Attached(
            "bottleneck",
            {"rank": rank, "gate_rank": rank, **GELU},
            ("encoder.attention", "encoder.mlp"),
        ),
        Attached("bottleneck", {"rank": 96, "mode": "parallel", **GELU}, ("cross.v",)),
    )


VL_ADAPTER = (
    Published(
        "single adapter, 30 sites",
        "BART-base",
        ADAPTER,
        4_449_600,
        "4.18 % with visual embedding (v. e.) and norms",
    ),
    Published("single compacter", "BART-base", COMPACTER, 2_238_240, "2.70 % with v. e. and norms"),
    Published(
        "multiple compacters, 4 tasks",
        "BART-base",
        COMPACTER,
        8_952_960,
        "7.05 % with v. e. and norms",
        adapters=4,
    ),
    Published(
        "hyperformer, 4 tasks",
        "BART-base",
        (Attached("hyperformer", {"rank": 96, "tasks": 4}),),
        6_947_088,
        "5.79 % with v. e. and norms",
    ),
    Published(
        "multiple adapters, 4 tasks",
        "BART-base",
        ADAPTER,
        17_798_400,
        "12.22 % with v. e. and norms",
        adapters=4,
    ),
    Published(
        "half-shared adapters, 4 tasks",
        "BART-base",
        ADAPTER,
        11_093_760,
        "8.36 % with v. e. and norms",
        adapters=4,
        tied="up",
    ),
    Published(
        "half-shared adapters, 4 tasks, down in common",
        "BART-base",
        ADAPTER,
        11_154_240,
        "",
        adapters=4,
        tied="down",
    ),
    Published("norms", "BART-base", (Attached("norm_tuning"),), 49_152),
    Published("BitFit", "BART-base", (Attached("bitfit"),), 125_952, "1.21 % with v. e."),
    Published("LoRA, 36 matrices", "BART-base", LORA, 7_077_888, "5.93 % with v. e. and biases"),
    Published(
        "multiple LoRA, 4 tasks",
        "BART-base",
        LORA,
        28_311_552,
        "17.72 % with v. e. and biases, which make 17.71",
        adapters=4,
    ),
    Published("prompts 40", "BART-base", PROMPTS, 1_261_088, "2.00 % with v. e."),
    Published(
        "multiple prompts 40, 4 tasks",
        "BART-base",
        PROMPTS,
        5_044_352,
        "4.53 % with v. e.",
        adapters=4,
    ),
    Published(
        "VL-PET-large",
        "BART-base",
        _vl_pet(96),
        4_449_600,
        "4.16 % with v. e. and the encoder's norms",
    ),
    Published(
        "single adapter, 60 sites",
        "T5-base",
        (Attached("bottleneck", {"rank": 192}),),
        17_752_320,
        "7.98 % with v. e.",
    ),
    Published(
        "LoRA, 72 matrices",
        "T5-base",
        (Attached("lora", {"rank": 150}),),
        16_588_800,
        "7.54 % with v. e.",
    ),
    Published("prompts 40", "T5-base", PROMPTS, 1_261_088, "1.26 % with v. e."),
    Published(
        "VL-PET-large",
        "T5-base",
        _vl_pet(192),
        15_981_696,
        "7.31 % with v. e. and the encoder's norms",
    ),
)
