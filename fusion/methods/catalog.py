"""Every adapter method, by name."""

from fusion.contract.method import Adapter, Method
from fusion.methods.bias_scale import BiasScale
from fusion.methods.bitfit import BitFit
from fusion.methods.bottleneck import Bottleneck
from fusion.methods.compacter import Compacter
from fusion.methods.conformer import Conformer
from fusion.methods.convpass import Convpass
from fusion.methods.corda import Corda
from fusion.methods.gated_prompts import GatedPrompts
from fusion.methods.hydra import Hydra
from fusion.methods.hyperformer import Hyperformer
from fusion.methods.ia3 import Ia3
from fusion.methods.invertible import Invertible
from fusion.methods.lora import Lora
from fusion.methods.moa import DenseMoa, SoftMoa
from fusion.methods.mosa import Mosa
from fusion.methods.norm_tuning import NormTuning
from fusion.methods.p_adapters import PrefixPrompts, RewritePrompts
from fusion.methods.paca import Paca
from fusion.methods.prefix import Prefix
from fusion.methods.prompts import DeepPrompts, ShallowPrompts
from fusion.methods.scale_shift import ScaleShift
from fusion.methods.shira import Shira
from fusion.methods.sparse_tuning import SparseTuning
from fusion.methods.tera import Tera
from fusion.methods.vlsm import Vlsm
from modalities.spelling import did_you_mean

METHODS: dict[str, type[Method]] = {
    # low-rank and sparse changes of linear layers
    "lora": Lora,
    "corda": Corda,
    "hydra": Hydra,
    "shira": Shira,
    "paca": Paca,
    "tera": Tera,
    "sparse_tuning": SparseTuning,
    # vectors
    "ia3": Ia3,
    "bitfit": BitFit,
    "norm_tuning": NormTuning,
    "scale_shift": ScaleShift,
    "bias_scale": BiasScale,
    # networks beside or after a sub-layer
    "bottleneck": Bottleneck,
    "mosa": Mosa,
    "soft_moa": SoftMoa,
    "dense_moa": DenseMoa,
    "compacter": Compacter,
    "hyperformer": Hyperformer,
    "convpass": Convpass,
    "conformer": Conformer,
    "vlsm": Vlsm,
    # what attention and the first block read
    "prefix": Prefix,
    "shallow_prompts": ShallowPrompts,
    "deep_prompts": DeepPrompts,
    "gated_prompts": GatedPrompts,
    "prefix_prompts": PrefixPrompts,
    "rewrite_prompts": RewritePrompts,
    "invertible": Invertible,
}

# Methods of higher storeys, which put themselves here when they are imported: `fusion.routing`.
OF_HIGHER_STOREYS: dict[str, type[Method]] = {}


def find_method(name: str) -> type[Method]:
    """Return a method.

    Raises:
        ValueError: No such method; the message lists those there are.
    """
    methods = METHODS | OF_HIGHER_STOREYS
    if name not in methods:
        guess = did_you_mean(name, methods)
        known = ", ".join(sorted(methods))
        raise ValueError(f"No adapter method {name!r}; known: {known}.{guess}")
    return methods[name]


def our_method(name: str) -> type[Adapter]:
    """Return a method of ours.

    Raises:
        ValueError: No such method, or it is one of PEFT's.
    """
    method = find_method(name)
    if not issubclass(method, Adapter):
        raise ValueError(f"Method {name!r} is PEFT's own; expected one of ours.")
    return method


def method_of_type(peft_type: str) -> str:
    """Return the name of the method that PEFT knows by a type of its own, such as "LORA".

    Raises:
        ValueError: There is none, or the storey that has it was not imported.
    """
    for name, method in (METHODS | OF_HIGHER_STOREYS).items():
        if method.peft_type == peft_type:
            return name
    raise ValueError(
        f"No adapter method of PEFT's type {peft_type} here; that of POLY comes with "
        "fusion.routing.peers, which has to be imported."
    )
