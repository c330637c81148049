"""Vision-and-language models by name, folder or hub id, or of any size with random weights."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modalities.hub import reason_of
from modalities.pretrained import find_folder, load_model, read_known_type
from modalities.tensor_file import read_tensors, write_tensors
from modalities.vision_language.catalog import FAMILIES
from modalities.vision_language.tokens import read_tokenizer
from modalities.vision_language.visual_embedding import VisualEmbedding
from modalities.vision_language.vl_model import VisionLanguage
from modalities.vision_language.vl_vocabulary import add_tokens, resize

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SHIPPED = {"scenes": Path(__file__).parent / "weights" / "vl_scenes"}
LANGUAGE_MODELS = {
    "bart-base": "facebook/bart-base",
    "bart-large": "facebook/bart-large",
    "t5-small": "google-t5/t5-small",
    "t5-base": "google-t5/t5-base",
    "t5-large": "google-t5/t5-large",
    "flan-t5-base": "google/flan-t5-base",
}
# Sizes of the published models, for `random_vision_language`.
SIZES: dict[str, dict[str, Any]] = {
    "bart-base": dict(
        d_model=768,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
        vocab_size=50265,
    ),
    "t5-base": dict(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12, vocab_size=32128),
}
VISUAL = "visual_embedding.safetensors"
FEATURE_DIM = 2048  # of CLIP's RN101, before its pooling
TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))


def load_vision_language(
    name: str | Path,
    feature_dim: int | None = None,
    images: int | None = None,
    seed: int = 0,
    *,
    fresh: bool = False,
) -> VisionLanguage:
    """Load a BART or T5, with a visual embedding.

    Args:
        name: A folder that transformers or `save_vision_language` wrote; else "scenes", which comes
            with mcgurk, or a name of `LANGUAGE_MODELS`; else a hub id.
        feature_dim: Length of the features that will be shown; None takes that of the folder's
            visual embedding, or 2048.
        images: Pictures that one text can be about; None takes the folder's, or 2.
        seed: Fixes what the folder has not: rows of added tokens, and the visual embedding.
        fresh: Whether the folder's visual embedding is left out for a new one, as for features of
            another kind.

    Raises:
        ValueError: No such model, damaged, not to be had without network, or made for other
            features.
    """
    from transformers import AutoTokenizer

    shipped = SHIPPED.get(str(name)) if not Path(name).is_dir() else None
    if shipped is not None and not shipped.is_dir():
        raise ValueError(
            f"The model {str(name)!r} is not there yet; in a checkout `make "
            "vision-language-weights` trains it. Take a folder, or a name of the hub."
        )
    folder = shipped or find_folder(name, {**LANGUAGE_MODELS, **dict.fromkeys(SHIPPED, "")})
    family = FAMILIES[found := read_known_type(folder, FAMILIES)]
    model = load_model(family.classes()[1], folder, (found,))
    tokenizer = read_tokenizer(AutoTokenizer, folder, TOKENIZER_FILES)
    if len(tokenizer) > len(model.get_input_embeddings().weight):
        raise ValueError(
            f"{folder} has a tokenizer of {len(tokenizer)} tokens and a model of "
            f"{len(model.get_input_embeddings().weight)}; expected the tokenizer that the model "
            "was saved with. Save or download both again."
        )
    state = {} if fresh else _read_visual(folder)
    feature_dim, images = _fit(folder, state, feature_dim, images)
    built = build_vision_language(model, tokenizer, feature_dim, images, seed, str(name))
    if state:
        _load_visual(built.visual_embedding, state, folder)
    return built


def random_vision_language(
    family: str,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    config: Mapping[str, Any] | None = None,
    feature_dim: int = FEATURE_DIM,
    images: int = 2,
    seed: int = 0,
) -> VisionLanguage:
    """Build a model with random weights.

    Args:
        family: "bart" or "t5".
        tokenizer: Its vocabulary is the model's; a copy gets the added tokens. None is for models
            that are only counted: then `config` tells the size of the vocabulary before them.
        config: Sizes for transformers' BartConfig or T5Config, as `SIZES` has them; None takes
            those of BART-base or T5-base.
        feature_dim: Length of the features that will be shown.
        images: Pictures that one text can be about.
        seed: Fixes all weights; torch's own generator is left as it was.

    Raises:
        ValueError: No such family.
    """
    if family not in FAMILIES:
        raise ValueError(f"No family {family!r} of language models; known: {', '.join(FAMILIES)}.")
    kind, sizes = FAMILIES[family], dict(SIZES[f"{family}-base"] if config is None else config)
    if tokenizer is not None:
        tokenizer = copy.deepcopy(tokenizer)
        sizes = {**kind.special_ids(tokenizer), **sizes, "vocab_size": len(tokenizer)}
    config_class, model_class = kind.classes()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config_class(**sizes))
    return build_vision_language(model, tokenizer, feature_dim, images, seed, f"{family}-random")


def build_vision_language(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase | None",
    feature_dim: int = FEATURE_DIM,
    images: int = 2,
    seed: int = 0,
    name: str = "vision_language",
) -> VisionLanguage:
    """Give a language model 200 more tokens where it lacks them, and a fresh visual embedding.

    Args:
        model: Is grown in place and frozen.
        tokenizer: Gets the tokens that it lacks; None adds as many as the model's kind lacks.
        feature_dim: Length of the features that will be shown.
        images: Pictures that one text can be about.
        seed: Fixes the rows of the added tokens and the visual embedding.
        name: What was asked for; error messages say it.
    """
    config: Any = model.config
    family = FAMILIES[config.model_type]
    if tokenizer is not None:
        add_tokens(tokenizer)
    vocabulary = len(tokenizer) if tokenizer is not None else family.grown(config.vocab_size)
    resize(model, vocabulary, family.row_deviation(config), seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        embedding = VisualEmbedding(
            feature_dim, config.d_model, lambda dim: family.norm(config, dim), images
        )
        family.start_embedding(config, embedding)
    return VisionLanguage(model, embedding.to(model.device), tokenizer, name)


def save_vision_language(built: VisionLanguage, folder: str | Path, *, half: bool = False) -> None:
    """Write a model so that `load_vision_language` reads it, and transformers its language model.

    Args:
        built: Without adapters.
        folder: Made where it is not there.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    told = {"format": "pt"}
    state = _once(built.model)
    write_tensors(folder / "model.safetensors", state, told, half=half)
    visual = built.visual_embedding.state_dict()
    write_tensors(folder / VISUAL, visual, told, half=half)
    built.model.config.save_pretrained(folder)
    built.model.generation_config.save_pretrained(folder)
    if built.tokenizer is not None:
        built.tokenizer.save_pretrained(folder)


def _once(model: "PreTrainedModel") -> dict[str, Tensor]:
    """Return the weights of a model, each storage under its first name alone."""
    kept: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, value in model.state_dict().items():
        if value.data_ptr() not in seen:
            kept[name] = value
            seen.add(value.data_ptr())
    return kept


def _read_visual(folder: Path) -> dict[str, Tensor]:
    """Return the weights of a folder's visual embedding, nothing where it has none."""
    path = folder / VISUAL
    if not path.is_file():
        return {}
    state = read_tensors(path, "it was there before", "save or download it again")
    for name in ("features.0.weight", "image_order.weight"):
        if name not in state or state[name].ndim != 2:
            raise ValueError(f"{path} lacks the weight {name}. Save or download it again.")
    return {name: value.float() for name, value in state.items()}


def _fit(
    folder: Path, state: Mapping[str, Tensor], feature_dim: int | None, images: int | None
) -> tuple[int, int]:
    """Return the sizes of a folder's visual embedding, or of a fresh one, as they were asked."""
    if not state:
        return feature_dim or FEATURE_DIM, images or 2
    found = state["features.0.weight"].shape[1], len(state["image_order.weight"])
    if (feature_dim or found[0], images or found[1]) != found:
        raise ValueError(
            f"{folder} was made for features of length {found[0]} and {found[1]} images; asked were"
            f" {feature_dim or found[0]} and {images or found[1]}. Ask for what it has, or take "
            "the language model alone, with fresh=True (in a configuration fresh_embedding: true)."
        )
    return found


def _load_visual(embedding: VisualEmbedding, state: Mapping[str, Tensor], folder: Path) -> None:
    try:
        embedding.load_state_dict(dict(state))
    except RuntimeError as error:
        raise ValueError(
            f"{folder / VISUAL} does not fit the language model beside it ({reason_of(error)}). "
            "Save or download both again."
        ) from error
