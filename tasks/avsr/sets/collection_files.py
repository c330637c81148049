"""Names of the files that adapter sets have in common."""

COLLECTION = "collection.json"
AGREEMENT, SELECTOR, DOMAIN, FACES, KIND, LOUDNESS = (
    f"{name}.safetensors" for name in ("agreement", "selector", "domain", "faces", "kind", "level")
)
# What only describes and chooses; all else changes what sets recognise.
OF_SELECTOR = frozenset({SELECTOR, DOMAIN, KIND, LOUDNESS})
# Entries of collection.json and of a set's card that change nothing recognised.
TOLD = frozenset(
    {"data", "licence", "command", "scores", "parameters", "model_parameters", "seconds"}
)
