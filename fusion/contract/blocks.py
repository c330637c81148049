"""Where the parts of a Transformer block lie, by the class of the block."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SubLayer:
    """Attention or feed-forward, with names relative to the block.

    Attributes:
        role: "attention" or "mlp".
        parts: Role to name: q, k, v, o of attention; fc1, fc2 and perhaps gate of an mlp.
        norm: The normalisation that goes with it, or "".
        module: The attention as a module of its own, or "" where there is none.
        cross: Whether it attends to another sequence.
        norm_first: Whether the normalisation comes before the sub-layer.
    """

    role: str
    parts: dict[str, str]
    norm: str = ""
    module: str = ""
    cross: bool = False
    norm_first: bool = True


@dataclass(frozen=True)
class Block:
    """A Transformer block.

    Attributes:
        sublayers: In the order of their use.
        attends: Whether its attention goes through transformers' attention interface, which
            prefixes and prompts need.
    """

    sublayers: tuple[SubLayer, ...]
    attends: bool = False


def attention(
    module: str, norm: str, names: str = "q_proj k_proj v_proj out_proj", *, cross: bool = False
) -> SubLayer:
    """Name an attention whose four layers are inside one module."""
    parts = {r: f"{module}.{n}" for r, n in zip("qkvo", names.split(), strict=True)}
    return SubLayer("attention", parts, norm, module, cross)


def mlp(fc1: str, fc2: str, norm: str, gate: str = "") -> SubLayer:
    """Name a feed-forward part."""
    parts = {"fc1": fc1, "fc2": fc2} | ({"gate": gate} if gate else {})
    return SubLayer("mlp", parts, norm)


def norm_last(block: Block) -> Block:
    """Say that a block normalises after its sub-layers."""
    sublayers = tuple(replace(sublayer, norm_first=False) for sublayer in block.sublayers)
    return replace(block, sublayers=sublayers)


OWN = attention("self_attn", "self_attn_layer_norm")
CROSS = attention("encoder_attn", "encoder_attn_layer_norm", cross=True)
INLINE_MLP = mlp("fc1", "fc2", "final_layer_norm")
ENCODER = Block((OWN, INLINE_MLP), attends=True)
DECODER = Block((OWN, CROSS, INLINE_MLP), attends=True)
VIT = Block(
    (
        attention("attention", "layernorm_before", "q_proj k_proj v_proj o_proj"),
        mlp("mlp.fc1", "mlp.fc2", "layernorm_after"),
    ),
    attends=True,
)
CLIP = Block(
    (attention("self_attn", "layer_norm1"), mlp("mlp.fc1", "mlp.fc2", "layer_norm2")),
    attends=True,
)
BERT_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
}
BERT = Block(
    (
        SubLayer("attention", BERT_PARTS, "attention.output.LayerNorm", "attention.self"),
        mlp("intermediate.dense", "output.dense", "output.LayerNorm"),
    ),
    attends=True,
)
CLAP_AUDIO = Block(
    (
        SubLayer("attention", BERT_PARTS, "layernorm_before", "attention.self"),
        mlp("intermediate.dense", "output.dense", "layernorm_after"),
    )
)
LLAMA = Block(
    (
        attention("self_attn", "input_layernorm", "q_proj k_proj v_proj o_proj"),
        mlp("mlp.up_proj", "mlp.down_proj", "post_attention_layernorm", "mlp.gate_proj"),
    ),
    attends=True,
)
T5_OWN = attention("layer.0.SelfAttention", "layer.0.layer_norm", "q k v o")
T5_CROSS = attention("layer.1.EncDecAttention", "layer.1.layer_norm", "q k v o", cross=True)


def t5_mlp(layer: str, gated: bool) -> SubLayer:
    """Name T5's feed-forward part; that of version 1.1 is gated."""
    dense, norm = f"{layer}.DenseReluDense", f"{layer}.layer_norm"
    if gated:
        return mlp(f"{dense}.wi_1", f"{dense}.wo", norm, f"{dense}.wi_0")
    return mlp(f"{dense}.wi", f"{dense}.wo", norm)


# The decoder's first, since an encoder's parts are found in it too.
T5 = tuple(
    Block((*attentions, t5_mlp(layer, gated)), attends=True)
    for attentions, layer in (((T5_OWN, T5_CROSS), "layer.2"), ((T5_OWN,), "layer.1"))
    for gated in (False, True)
)

# By class name, so that no family's code is imported. T5 has one class for both: the first whose
# parts are all there is taken.
BLOCKS: dict[str, tuple[Block, ...]] = {
    "WhisperEncoderLayer": (ENCODER,),
    "WhisperDecoderLayer": (DECODER,),
    "BartEncoderLayer": (norm_last(ENCODER),),
    "BartDecoderLayer": (norm_last(DECODER),),
    "ASTLayer": (VIT,),
    "ViTLayer": (VIT,),
    "CLIPEncoderLayer": (CLIP,),
    "CLIPSegEncoderLayer": (CLIP,),
    "BertLayer": (norm_last(BERT),),
    "RobertaLayer": (norm_last(BERT),),
    "ClapTextLayer": (norm_last(BERT),),
    "ClapAudioLayer": (CLAP_AUDIO,),
    "LlamaDecoderLayer": (LLAMA,),
    "MistralDecoderLayer": (LLAMA,),
    "T5Block": T5,
}
