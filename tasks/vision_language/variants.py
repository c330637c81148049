"""Ways to tune a vision-and-language model, and the published rows that each is in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modalities.spelling import did_you_mean

SHARINGS = ("single", "multiple", "half_up", "half_down")
NORMS = ("all", "encoder", "none")
FULL, BITFIT, PROMPT, HYPERFORMER, VL_PET = "full", "bitfit", "prompt", "hyperformer", "vl_pet"
# What is said before a text where tasks share their weights; "gpa" is what was published for GQA.
PREFIXES = {"gqa": "gpa: ", "nlvr2": "nlvr: "}


@dataclass(frozen=True)
class Piece:
    """One adapter method, at some places.

    Attributes:
        method: A name of `fusion.methods.catalog.METHODS`.
        where: Roles of `fusion.contract.sites`; none for the method's own.
        options: By family of the language model, "bart" and "t5": those of the method, as
            published; what is set of the way to tune replaces them.
    """

    method: str
    where: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tuning:
    """A way to tune: what is put on the language model, and what of its own is trained.

    The visual embedding is always trained as well.

    Attributes:
        pieces: What is put on it.
        norms: By family, which of the language model's norms are trained: "all", "encoder" or
            "none".
        biases: Whether its biases are trained.
        sharings: How tasks can share it, names of `SHARINGS`.
        prefix: Whether the text says the task where tasks share everything.
    """

    pieces: tuple[Piece, ...] = ()
    norms: Mapping[str, str] = field(default_factory=dict)
    biases: bool = False
    sharings: tuple[str, ...] = ("single",)
    prefix: bool = True


def _narrow(options: Mapping[str, Any], **of_bart: Any) -> dict[str, dict[str, Any]]:
    """Return options of a bottleneck: an eighth of 768 features in BART, a quarter in T5."""
    return {"bart": {"rank": 96, **options, **of_bart}, "t5": {"rank": 192, **options}}


_GELU = {"activation": "gelu_tanh"}
# BART's own start was drawn over that of adapters; T5's left them alone, and ours begin at nothing.
_BOTTLENECK = _narrow(_GELU, init="normal", std=0.02)
_GATED = {
    "bart": {**_BOTTLENECK["bart"], "gate_rank": 96},
    "t5": {**_BOTTLENECK["t5"], "gate_rank": 192, "input": "norm"},
}
_BESIDE = {
    family: {**options, "rank": 96, "mode": "parallel"} for family, options in _BOTTLENECK.items()
}
# T5's script asks for trained norms and gets none: it looks for a class that its model has not.
_ALL_NORMS = {"bart": "all", "t5": "none"}
_LORA = {"rank": 128, "alpha": 32.0, "dropout": 0.1}
_PROMPT = {"tokens": 40, "hidden": 800, "keep": True}

TUNINGS: dict[str, Tuning] = {
    "adapter": Tuning(
        (Piece("bottleneck", options=_BOTTLENECK),), norms=_ALL_NORMS, sharings=SHARINGS
    ),
    "compacter": Tuning(
        (
            Piece(
                "compacter",
                options=_narrow({**_GELU, "terms": 2, "shared": False, "factor_rank": 0}),
            ),
        ),
        norms=_ALL_NORMS,
        sharings=SHARINGS,
    ),
    # Its network reads the task, so no text has to say it.
    HYPERFORMER: Tuning((Piece("hyperformer", options=_narrow(_GELU)),), _ALL_NORMS, prefix=False),
    "lora": Tuning(
        (Piece("lora", options={"bart": _LORA, "t5": {**_LORA, "rank": 150}}),),
        biases=True,
        sharings=("single", "multiple"),
    ),
    PROMPT: Tuning(
        (Piece("shallow_prompts", options={"bart": _PROMPT, "t5": _PROMPT}),),
        sharings=("single", "multiple"),
    ),
    BITFIT: Tuning(biases=True),
    VL_PET: Tuning(
        (
            Piece("bottleneck", ("encoder.attention", "encoder.mlp"), _GATED),
            Piece("bottleneck", ("cross.v",), _BESIDE),
        ),
        norms={"bart": "encoder", "t5": "encoder"},
    ),
    FULL: Tuning(),
}


def find_tuning(method: str, sharing: str, family: str) -> Tuning:
    """Return a way to tune.

    Args:
        method: A name of `TUNINGS`.
        sharing: A name of `SHARINGS`.
        family: "bart" or "t5".

    Raises:
        ValueError: No such way, or tasks cannot share it so.
    """
    if method not in TUNINGS:
        guess = did_you_mean(method, TUNINGS)
        raise ValueError(f"No way to tune {method!r}; known: {', '.join(TUNINGS)}.{guess}")
    found = TUNINGS[method]
    if sharing not in found.sharings:
        guess = did_you_mean(sharing, found.sharings) if sharing not in SHARINGS else ""
        raise ValueError(
            f"Method {method!r} has no sharing {sharing!r}; known: {', '.join(found.sharings)}."
            f"{guess}"
        )
    if method == BITFIT and family == "t5":
        raise ValueError("T5 has no biases that 'bitfit' could train. Take 'adapter' or 'lora'.")
    return found


@dataclass(frozen=True)
class Row:
    """A published row.

    Attributes:
        title: As the paper writes it.
        method: A name of `TUNINGS`.
        sharing: A name of `SHARINGS`.
        rate: Learning rate on four tasks with images, BART-base; `RATES` has others.
    """

    title: str
    method: str
    sharing: str
    rate: float


ROWS: dict[str, Row] = {
    "full": Row("Full fine-tuning", FULL, "single", 1e-4),
    "bitfit": Row("BitFit", BITFIT, "single", 1e-3),
    "multiple_adapters": Row("Multiple Adapters", "adapter", "multiple", 3e-4),
    "half_shared_adapters": Row("Half-shared Adapters", "adapter", "half_up", 3e-4),
    "single_adapter": Row("Single Adapter", "adapter", "single", 1e-3),
    "hyperformer": Row("Hyperformer", HYPERFORMER, "single", 1e-3),
    "multiple_compacters": Row("Multiple Compacters", "compacter", "multiple", 1e-3),
    "single_compacter": Row("Single Compacter", "compacter", "single", 1e-3),
    "multiple_lora": Row("Multiple LoRA", "lora", "multiple", 1e-3),
    "single_lora": Row("Single LoRA", "lora", "single", 1e-3),
    "multiple_prompts": Row("Multiple Prompts", PROMPT, "multiple", 1e-3),
    "single_prompt": Row("Single Prompt", PROMPT, "single", 1e-3),
    "vl_pet_large": Row("VL-PET-large", VL_PET, "single", 1e-3),
}
# By the row's method: with a T5, and on tasks with videos; others are as in `ROWS`.
T5_RATES = {"adapter": 3e-4, "lora": 3e-4, PROMPT: 3e-3, FULL: 1e-4}
VIDEO_RATES = {FULL: 3e-5}
VIDEO_RATE = 3e-4
