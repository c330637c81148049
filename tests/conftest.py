"""Fixtures that several test files share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Before torch is loaded: on a busy machine its threads otherwise wait for each other by spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Have a test and its fixtures draw the same numbers whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """Keep converted models of tests out of the user's cache."""
    os.environ["MCGURK_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", params=["torch", "ctranslate2"])
def engine_name(request) -> str:
    """Each engine that is installed."""
    if request.param == "ctranslate2":
        pytest.importorskip("ctranslate2")
        pytest.importorskip("onnxruntime")
    return request.param


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    return ROOT / "tests/assets/white_house_address.mp4"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("the data folder beside the project is not here")
    return folder


@pytest.fixture(scope="session")
def save_tiny_clipseg() -> Callable[[Path], None]:
    """Save a CLIPSeg of the smallest size, with random weights and pictures of 48 pixels."""
    from modalities.vision_language.clipseg import Pictures
    from modalities.vision_language.clipseg_files import random_clipseg, save_clipseg

    layer = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=3, num_attention_heads=2)
    sizes = dict(
        projection_dim=16,
        reduce_dim=8,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
        use_complex_transposed_convolution=True,
        vision_config=dict(layer, image_size=48, patch_size=16),
        text_config=layer,
    )

    def save(folder: Path) -> None:
        save_clipseg(random_clipseg(config=sizes, pictures=Pictures(side=48)), folder)

    return save


@pytest.fixture(scope="session")
def save_tiny_bart() -> Callable[[Path, Path], None]:
    """Save a VL-BART of the smallest size for what a folder's encoder of pictures shows."""
    from data_prep.questions.scenes.words import build_tokenizer
    from modalities.vision_language.grid_files import load_grid_encoder
    from modalities.vision_language.vl_files import random_vision_language, save_vision_language

    sizes = dict(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=64,
    )

    def save(folder: Path, eyes: Path) -> None:
        dim = load_grid_encoder(eyes).dim
        save_vision_language(random_vision_language("bart", build_tokenizer(), sizes, dim), folder)

    return save
