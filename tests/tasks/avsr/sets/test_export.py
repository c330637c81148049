"""Sets of any method, merged into a Whisper or refused in one sentence."""

import pytest
import torch
from transformers import WhisperForConditionalGeneration

from fusion.adapters import Adapters, attach
from fusion.sets.card import SetCard
from fusion.sets.files import save_set
from modalities.speech.whisper import load_whisper
from modalities.speech.whisper_files import is_merged
from tasks.avsr.sets.collection import Collection, write_collection
from tasks.avsr.sets.export import merge_set


@pytest.fixture
def collect(tmp_path):
    """Makes a collection of one set, of a method that is moved off its start."""

    def make(
        method: str, options: dict, where: tuple[str, ...] = ("q", "k", "v")
    ) -> tuple[object, Adapters]:
        whisper = load_whisper("whisper-tiny.en")
        adapters = attach(whisper.model, method, options, where, name="one")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in adapters.parameters("one"):
                parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        folder = tmp_path / "sets"
        save_set(folder / "one", adapters, None, SetCard("one", "whisper-tiny.en"))
        write_collection(
            folder, Collection("made", "whisper-tiny.en", "lips_grid", {"audio": ["one"]})
        )
        return folder, adapters

    return make


@pytest.mark.parametrize(
    ("method", "options"), [("hydra", {}), ("lora", {"rank": 2}), ("shira", {"rank": 2})]
)
def test_a_set_of_any_method_that_merges_becomes_a_plain_whisper(
    collect, tmp_path, method, options
):
    folder, adapters = collect(method, options)
    merge_set(folder, "one", tmp_path / "merged")
    assert is_merged(tmp_path / "merged")
    merged = WhisperForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    mel = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = merged.model.encoder(mel).last_hidden_state
        expected = adapters.model.model.encoder(mel).last_hidden_state
        adapters.use(None)
        frozen = adapters.model.model.encoder(mel).last_hidden_state
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=1e-2)  # the set is in float16
    assert (expected - frozen).abs().max() > 0.05


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("hydra", {"bias": True}, "'one' gives .*k_proj.bias to Whisper, which has no place"),
        ("bottleneck", {"rank": 2}, "'bottleneck' cannot be merged into the weights"),
    ],
)
def test_what_whisper_has_no_place_for_is_told(collect, tmp_path, method, options, message):
    folder, _ = collect(method, options)
    with pytest.raises(ValueError, match=message):
        merge_set(folder, "one", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("site", ["proj_out", "model.decoder.embed_tokens"])
def test_a_set_at_whispers_tied_matrix_is_not_merged(collect, tmp_path, site):
    folder, _ = collect("lora", {"rank": 2}, (site,))
    with pytest.raises(ValueError, match=f"The weight of {site} is that of .* too"):
        merge_set(folder, "one", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
