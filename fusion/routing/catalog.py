"""The tables of routing: forms of experts, routers, rules of weights, granularities."""

from dataclasses import dataclass

from fusion.routing.contract import ExpertForm, Router
from fusion.routing.forms.bottleneck import BottleneckExperts
from fusion.routing.forms.lora import LoraExperts
from fusion.routing.forms.mixed_lora import MixedLora
from fusion.routing.forms.pyramid import PyramidExperts
from fusion.routing.routers.arrow import ArrowRouter
from fusion.routing.routers.features import FeatureRouter
from fusion.routing.routers.given import GivenRouter
from fusion.routing.routers.task_embedding import TaskEmbeddingRouter
from fusion.routing.routers.tasks import TaskRouter
from fusion.routing.weight_rules import (
    ConstantSubset,
    OneHot,
    RelaxedBernoulli,
    SoftmaxTopK,
    TopKSoftmax,
)


@dataclass(frozen=True)
class Granularity:
    """What is decided together.

    Attributes:
        shared: What has one router: each "site", each "block", or the "model".
        per_token: Whether tokens are weighed by themselves; else a whole sample is.
    """

    shared: str
    per_token: bool


FORMS: dict[str, type[ExpertForm]] = {
    "lora": LoraExperts,
    "mixed_lora": MixedLora,
    "pyramid": PyramidExperts,
    "bottleneck": BottleneckExperts,
}
ROUTERS: dict[str, type[Router]] = {
    "features": FeatureRouter,
    "tasks": TaskRouter,
    "task_embedding": TaskEmbeddingRouter,
    "given": GivenRouter,
    "arrow": ArrowRouter,
}
RULES: dict[str, type] = {
    "relaxed_bernoulli": RelaxedBernoulli,
    "softmax_top_k": SoftmaxTopK,
    "top_k_softmax": TopKSoftmax,
    "constant_subset": ConstantSubset,
    "one_hot": OneHot,
}
GRANULARITIES: dict[str, Granularity] = {
    "model": Granularity("model", per_token=False),
    "block": Granularity("block", per_token=False),
    "sample": Granularity("site", per_token=False),
    "token": Granularity("site", per_token=True),
    "token_in_block": Granularity("block", per_token=True),
}
