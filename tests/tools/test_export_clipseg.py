"""A model that was trained as a whole becomes a CLIPSeg that others start from."""

from dataclasses import replace

import pytest
import torch

from modalities.vision_language.clipseg_files import RANDOM, load_clipseg
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.model import build_model
from tasks.segmentation.segmenter_files import bare_segmenter, save_segmenter
from tools.export_clipseg import export_clipseg


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    model = build_model(SegmentationConfig(model=RANDOM, method="full"), load_clipseg(RANDOM), 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    card = replace(bare_segmenter(RANDOM)[1], method="full", labels=("thing",))
    card = replace(card, licence="CC0-1.0", scores={"test_dice": 61.46})
    save_segmenter(folder, model, card)
    return folder, model.clipseg


def test_it_paints_what_was_trained(trained, tmp_path):
    folder, expected = trained
    export_clipseg(folder, tmp_path / "whole")
    export_clipseg(folder, tmp_path / "half", half=True)
    tokens = expected.tokenize(["a red circle"])
    pixels = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = expected(pixels, tokens.ids, tokens.mask)
        for name, tolerance in (("whole", 1e-5), ("half", 0.05)):
            read = load_clipseg(tmp_path / name)
            found = read(pixels, tokens.ids, tokens.mask)
            torch.testing.assert_close(found, logits, atol=tolerance * logits.std(), rtol=0)
            assert not torch.equal(load_clipseg(RANDOM)(pixels, *tokens[:2]), found)
    size = (tmp_path / "half/model.safetensors").stat().st_size
    assert size < 0.51 * (tmp_path / "whole/model.safetensors").stat().st_size < 6_000_000 / 0.5


def test_the_card_tells_scores_and_licence_and_what_it_is_not(trained, tmp_path):
    export_clipseg(trained[0], tmp_path / "shapes")
    text = (tmp_path / "shapes/README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: cc0-1.0\n---\n# shapes\n") and "dice 61.5." in text
    assert "2.9 million" in text and "no medical device" in text


def test_what_was_not_trained_as_a_whole_is_refused(tmp_path):
    model, card = bare_segmenter(RANDOM)
    save_segmenter(tmp_path, model, replace(card, method="decoder"))
    with pytest.raises(ValueError, match="trained by method 'decoder'; expected 'full'"):
        export_clipseg(tmp_path, tmp_path / "out")
