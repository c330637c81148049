"""CLIPSeg models by name, folder or hub id, or of any size with random weights."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modalities.pretrained import find_folder, load_model
from modalities.tensor_file import write_tensors
from modalities.text_file import read_text
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.tokens import read_tokenizer
from modalities.whole_file import replace_when_whole

if TYPE_CHECKING:
    from transformers import CLIPSegForImageSegmentation, PreTrainedTokenizerBase

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
SCENES = WEIGHTS_FOLDER / "scenes"
SHIPPED = {"scenes": SCENES}
CLIPSEGS = {
    "clipseg-rd64-refined": "CIDAS/clipseg-rd64-refined",
    "clipseg-rd64": "CIDAS/clipseg-rd64",
    "clipseg-rd16": "CIDAS/clipseg-rd16",
}
RANDOM = "clipseg-random"  # of the size of "scenes", weights that know nothing
PREPROCESSOR = "preprocessor_config.json"
TOKENIZER_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))
# What "scenes" is: CLIPSeg's plan, small enough for two cores. The condition comes last, not first
# as in the published models: trained from nothing, the two layers that follow drown it.
SMALL: dict[str, Any] = dict(
    conditional_layer=2,
    projection_dim=128,
    reduce_dim=64,
    extract_layers=[2, 4, 6],
    decoder_intermediate_size=256,
    use_complex_transposed_convolution=True,
    vision_config=dict(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=7,
        num_attention_heads=4,
        image_size=160,
        patch_size=16,
    ),
    text_config=dict(
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=7,
        num_attention_heads=4,
        max_position_embeddings=77,
    ),
)
PUBLISHED: dict[str, Any] = dict(
    use_complex_transposed_convolution=True, vision_config=dict(patch_size=16)
)
SMALL_PICTURES = Pictures(side=160, mean=(0.5, 0.5, 0.5), deviation=(0.25, 0.25, 0.25))


def load_clipseg(name: str | Path = "scenes", others: Iterable[str] = ()) -> ClipSeg:
    """Load a CLIPSeg.

    Args:
        name: A folder that transformers saved; else "scenes", which comes with mcgurk, a name of
            `CLIPSEGS` or "clipseg-random"; else a hub id.
        others: Names that the caller knows besides, told where there is no such model.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
    """
    from transformers import CLIPSegForImageSegmentation

    if str(name) == RANDOM and not Path(name).is_dir():
        return random_clipseg()
    shipped = SHIPPED.get(str(name)) if not Path(name).is_dir() else None
    besides = dict.fromkeys((*SHIPPED, RANDOM, *others), "")
    folder = shipped or find_folder(name, {**CLIPSEGS, **besides})
    model = load_model(CLIPSegForImageSegmentation, folder, ("clipseg",))
    pictures = read_pictures(folder, Pictures(side=_published_side(model)))
    return ClipSeg(model, load_tokenizer(folder), pictures, str(name))


def random_clipseg(
    seed: int = 0,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    pictures: Pictures | None = None,
    config: Mapping[str, Any] | None = None,
) -> ClipSeg:
    """Build a CLIPSeg with random weights.

    Args:
        seed: Fixes all weights; torch's own generator is left as it was.
        tokenizer: Its vocabulary is the model's; None takes that of "scenes".
        pictures: None takes those of "scenes".
        config: Sizes for transformers' CLIPSegConfig, as `PUBLISHED` has them; None is `SMALL`.
    """
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    tokenizer = tokenizer or load_tokenizer(SCENES)
    given = dict(SMALL if config is None else config)
    words = dict(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    given["text_config"] = words | dict(given.get("text_config", {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPSegForImageSegmentation(CLIPSegConfig(**given))
        _start_decoder(model)
    return ClipSeg(model, tokenizer, pictures or SMALL_PICTURES, RANDOM)


def _start_decoder(model: "CLIPSegForImageSegmentation") -> None:
    """Start the decoder's own layers as torch does, and the published training did.

    transformers draws their weights with a deviation of 1: the first logits are in the hundreds,
    from which nothing is learnt.
    """
    decoder = model.decoder
    for part in (decoder.film_mul, decoder.film_add, decoder.reduces):
        for layer in part.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    for layer in decoder.transposed_convolution.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.reset_parameters()


def save_clipseg(clipseg: ClipSeg, folder: str | Path, *, half: bool = False) -> None:
    """Write a CLIPSeg so that `load_clipseg` and transformers read it.

    Args:
        clipseg: Its model without adapters.
        folder: Made where it is not there.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = clipseg.model.state_dict()
    write_tensors(folder / "model.safetensors", state, {"format": "pt"}, half=half)
    config: Any = clipseg.model.config
    config.save_pretrained(folder)
    if clipseg.tokenizer is not None:
        clipseg.tokenizer.save_pretrained(folder)
    write_pictures(clipseg.pictures, folder)


def write_pictures(pictures: Pictures, folder: Path) -> None:
    """Write how pictures are made ready beside a model; `read_pictures` and transformers read it.

    Raises:
        OSError: The folder cannot be written.
    """
    told = {
        "size": {"height": pictures.side, "width": pictures.side},
        "image_mean": list(pictures.mean),
        "image_std": list(pictures.deviation),
        "image_processor_type": "ViTImageProcessor",
    }
    with replace_when_whole(folder / PREPROCESSOR) as partial:
        partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Load the tokenizer of a CLIPSeg.

    Raises:
        ValueError: The folder has none that can be read.
    """
    from transformers import CLIPTokenizer

    return read_tokenizer(CLIPTokenizer, folder, TOKENIZER_FILES)


def read_pictures(
    folder: Path, usual: Pictures, *, sized: bool = True, shortest: bool = False
) -> Pictures:
    """Read how pictures are made ready.

    Args:
        folder: Where transformers saved a model of pictures.
        usual: What is not told is taken from here.
        sized: Whether a size that is told counts; else pictures are as large as usual.
        shortest: Whether the shortest edge before a square is cut out counts as a size, too.

    Raises:
        ValueError: The file that tells it is damaged, or is of pictures that are no squares.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        return usual
    try:
        told = json.loads(read_text(path))
        size = told.get("size", usual.side) if sized else usual.side
        if isinstance(size, dict):
            if size.get("height", 0) != size.get("width", 0):
                raise ValueError(f"size {size}, where a square is expected")
            size = size["shortest_edge" if shortest and "height" not in size else "height"]
        mean, deviation = (
            tuple(told.get(key, default))
            for key, default in (("image_mean", usual.mean), ("image_std", usual.deviation))
        )
        return Pictures(int(size), mean, deviation)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}). Download it again.") from error


def _published_side(model: "CLIPSegForImageSegmentation") -> int:
    config: Any = model.config
    side = config.vision_config.image_size
    return 352 if side == 224 else side
