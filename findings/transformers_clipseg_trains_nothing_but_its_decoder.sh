#!/usr/bin/env bash
# Versions: transformers 5.23.0, peft 0.21.2, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: CLIPSegForImageSegmentation.forward calls both of CLIP's encoders under torch.no_grad(). All 150 million
#   parameters have requires_grad=True, the model is in train(), the optimiser takes them all, and the loss falls; but only
#   the decoder's ever get a gradient. Every weight of the encoders is after the training what it was before, to the bit.
#   Adapters in the encoders fare likewise: a LoRA at the vision encoder's q_proj, put there by PEFT, counts as trainable;
#   where the decoder is trained beside it the loss falls and the LoRA does not move, and no word is said. Alone it ends
#   in torch's "does not require grad", which names neither CLIPSeg nor the cause.
#
# Expected: that model.train() and an optimiser over model.parameters() train the model, as with every other model of the
#   library, where whoever wants a part frozen sets requires_grad; or a warning, or a word in the documentation.
#
# Who is hurt: whoever fine-tunes CLIPSeg "end to end", or compares that with training the decoder alone or with adapters:
#   these are one and the same experiment under three names, with 150, 1.1 or 4 million "trainable parameters" beside it.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    transformers==5.23.0 peft==0.21.2 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import warnings

import torch
from peft import LoraConfig, inject_adapter_in_model
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

LAYER = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2)
CONFIG = CLIPSegConfig(
    projection_dim=32, reduce_dim=16, extract_layers=[1, 2, 3], decoder_num_attention_heads=2,
    decoder_intermediate_size=32, initializer_factor=0.3,
    vision_config=dict(LAYER, image_size=64, patch_size=16),
    text_config=dict(LAYER, vocab_size=60, max_position_embeddings=8, bos_token_id=0, eos_token_id=2, pad_token_id=1),
)
torch.manual_seed(0)
PIXELS = torch.randn(4, 3, 64, 64)
PROMPTS = torch.tensor([[0, 5, 9, 2], [0, 7, 8, 2], [0, 3, 4, 2], [0, 6, 6, 2]])
MASKS = (PIXELS[:, 0] > 0).float()


def build() -> CLIPSegForImageSegmentation:
    torch.manual_seed(1)
    return CLIPSegForImageSegmentation(CONFIG).train()


def loss_of(model) -> torch.Tensor:
    return model(input_ids=PROMPTS, pixel_values=PIXELS, labels=MASKS).loss


def train(model) -> dict[str, object]:
    """Twenty steps over all that says it is trainable; what moved, and what was said."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    optimiser = torch.optim.AdamW(trained.values(), 3e-3, weight_decay=0)
    losses = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(20):
            loss = loss_of(model)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    parts = {}
    for part, belongs in (("encoders", lambda n: not n.startswith("decoder.")), ("decoder", lambda n: n.startswith("decoder."))):
        names = [name for name in trained if belongs(name)]
        parts[part] = (
            len(names),
            sum(trained[name].grad is not None for name in names),
            sum(not torch.equal(trained[name], before[name]) for name in names),
        )
    return {"losses": (losses[0], losses[-1]), "told": [str(t.message) for t in told], **parts}


def with_lora() -> CLIPSegForImageSegmentation:
    model = build()
    names = [n for n, _ in model.named_modules() if n.startswith("clip.vision") and n.endswith("q_proj")]
    return inject_adapter_in_model(LoraConfig(r=4, target_modules=names), model)


beside = with_lora()
beside.decoder.requires_grad_(True)
holds = True
for title, model in (("the whole model", build()), ("LoRA in the vision encoder, and the decoder", beside)):
    found = train(model)
    first, last = found["losses"]
    print(f"{title}: loss {first:.3f} -> {last:.3f}; warned: {found['told']}")
    for part in ("encoders", "decoder"):
        count, reached, moved = found[part]
        print(f"  {part}: {count} tensors say requires_grad, {reached} have a gradient, {moved} moved")
    count, reached, moved = found["encoders"]
    holds &= count > 0 and reached == moved == 0 and not found["told"]
    holds &= found["decoder"][2] > 0 and last < first
try:
    loss_of(with_lora()).backward()
    told = "nothing"
except RuntimeError as error:
    told = str(error)
print(f"LoRA in the vision encoder alone: {told}")
holds &= "does not require grad" in told
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
