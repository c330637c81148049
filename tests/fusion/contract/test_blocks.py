"""Maps of blocks that a user writes."""

from torch import nn

from fusion.adapters.interface import attach
from fusion.contract.blocks import Block, attention, mlp


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = 2
        self.query, self.key, self.value, self.out = (nn.Linear(64, 64) for _ in range(4))


class SasRecBlock(nn.Module):
    """A block of Adapter4Rec's user encoder, as an example of a foreign model."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.norm1, self.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
        self.widen, self.narrow = nn.Linear(64, 256), nn.Linear(256, 64)


def test_a_foreign_model_takes_a_map_of_its_blocks():
    block = Block(
        (
            attention("attention", "norm1", "query key value out"),
            mlp("widen", "narrow", "norm2"),
        )
    )
    model = nn.Sequential(SasRecBlock(), SasRecBlock())
    options = {"rank": 16, "activation": "relu"}
    adapters = attach(model, "bottleneck", options, blocks={"SasRecBlock": (block,)})
    assert adapters.count("default") == 8_512
