"""Every adapter method, by name."""

from fusion.method import Adapter, PeftMethod
from fusion.methods.bottleneck import Bottleneck
from fusion.methods.hydra import Hydra
from fusion.methods.lora import Lora

METHODS: dict[str, type[Adapter] | type[PeftMethod]] = {
    "lora": Lora,
    "bottleneck": Bottleneck,
    "hydra": Hydra,
}
