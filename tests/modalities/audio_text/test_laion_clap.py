"""A checkpoint of LAION's, converted, embeds as LAION's own model does."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import ClapModel, RobertaConfig, RobertaModel

from modalities.audio.clap_log_mel import ClapLogMel
from modalities.audio_text.clap_audio_text import ClapAudioText
from modalities.audio_text.laion_clap import COMPUTED, MEL, config_of, convert
from modalities.audio_text.models import load_audio_text, save_audio_text

from .laion_reference import (
    ANSWERS,
    FULL_AUDIO,
    ROBERTA,
    SMALL_TEXT,
    build_laion,
    clips,
    fill,
    find_laion,
    refill,
)

TEXTS = ["The sound of bell", "rain"]


@pytest.fixture(scope="module")
def answers() -> dict:
    return json.loads(ANSWERS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def state(answers) -> dict[str, Tensor]:
    """The weights of a small CLAP by LAION's names."""
    found = {name: fill(name, shape) for name, shape in answers["small"].items()}
    return {**found, MEL: ClapLogMel().filters.float()}


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory) -> Path:
    """As LAION's training writes it: below state_dict, with "module." before each name."""
    path = tmp_path_factory.mktemp("laion") / "small.pt"
    named = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 1, "name": "small", "state_dict": named}, path)
    return path


def test_sound_embeds_as_laions_own_audio_branch_did(checkpoint, answers):
    clap = load_audio_text(checkpoint)
    found = clap.embed_audio(clips())[:, :16]
    torch.testing.assert_close(found, torch.tensor(answers["audio"]), atol=1e-4, rtol=0)
    assert (clap.name, clap.dim, clap.rate_hz) == (str(checkpoint), 512, 48_000)


def test_text_embeds_as_roberta_with_laions_projection(checkpoint, state):
    roberta = RobertaModel(RobertaConfig(**ROBERTA, **SMALL_TEXT)).eval()
    branch = {n.removeprefix("text_branch."): v for n, v in state.items() if "text_branch" in n}
    roberta.load_state_dict(branch, strict=False)
    ids = torch.tensor([[0, 10, 20, 30, 2], [0, 9, 2, 1, 1]])
    with torch.no_grad():
        hidden = roberta(ids, attention_mask=(ids != 1).long()).pooler_output
        for layer in (0, 2):
            weight, bias = (state[f"text_projection.{layer}.{of}"] for of in ("weight", "bias"))
            hidden = torch.nn.functional.linear(hidden, weight, bias)
            hidden = hidden.relu() if layer == 0 else hidden
        clap = load_audio_text(checkpoint)
        assert isinstance(clap, ClapAudioText)
        found = clap.model.get_text_features(input_ids=ids, attention_mask=(ids != 1).long())
    torch.testing.assert_close(found.pooler_output, normalize(hidden, dim=-1), atol=1e-5, rtol=0)


def test_every_weight_of_the_published_size_has_its_place(answers):
    state = {name: torch.empty(shape, device="meta") for name, shape in answers["full"].items()}
    with torch.device("meta"):
        model = ClapModel(config_of(state))
    expected = {n: v.shape for n, v in model.state_dict().items() if not n.endswith(COMPUTED)}
    assert {name: value.shape for name, value in convert(state).items()} == expected
    assert sum(p.numel() for p in model.parameters()) == 153_492_890
    assert model.config.audio_config.depths == [2, 2, 6, 2]


def test_converted_once_it_is_a_folder_that_transformers_reads(checkpoint, tmp_path):
    clap = load_audio_text(checkpoint)
    save_audio_text(clap, tmp_path)
    again = load_audio_text(tmp_path)
    waves = clips()[:1, :100_000]
    torch.testing.assert_close(again.embed_audio(waves), clap.embed_audio(waves))
    assert again.identity == clap.identity


@pytest.mark.parametrize("core", ["core", "_core"])
def test_numpy_numbers_beside_the_weights_are_read_without_running_code(state, tmp_path, core):
    new, path = tmp_path / "new.pt", tmp_path / "loss.pt"
    torch.save({"loss": np.float64(0.5), "state_dict": state}, new)
    with zipfile.ZipFile(new) as read, zipfile.ZipFile(path, "w") as written:
        for item in read.infolist():
            held = read.read(item)
            if item.filename.endswith("data.pkl"):  # numpy 1 had its parts below another name
                held = held.replace(b"numpy._core", b"numpy." + core.encode())
            written.writestr(item, held)
    assert load_audio_text(path).dim == 512


class _Harmful:
    def __reduce__(self):
        return (shutil.rmtree, ("/nowhere/at/all",))


def broken(state: dict[str, Tensor]) -> dict[str, tuple[object, str]]:
    lacking = {n: v for n, v in state.items() if "patch_embed.norm.bias" not in n}
    fused = {**state, "audio_branch.patch_embed.mel_conv2d.weight": torch.zeros(1)}
    others = {n: v for n, v in state.items() if not n.startswith("audio_branch")}
    reshaped = {**state, "audio_branch.norm.bias": torch.zeros(3)}
    harmful = {"state_dict": state, "loss": _Harmful()}
    return {
        "code": (harmful, r"more than weights \(.*rmtree.*weights_only=False"),
        "lacking": (lacking, "lacks audio_model.audio_encoder.patch_embed.norm.bias"),
        "fused": (fused, "fuses several views.*630k-audioset-best.pt"),
        "others": (others, "lacks audio_branch.patch_embed.proj.weight"),
        "reshaped": (reshaped, "size mismatch for audio_model.audio_encoder.norm.bias"),
        "bands": ({**state, MEL: state[MEL] * 2}, "mel bands are not those of 50 Hz"),
        "more": ({**state, "audio_branch.more": torch.zeros(1)}, "it has .*audio_encoder.more"),
        "list": ([1, 2], "is no checkpoint"),
    }


@pytest.mark.parametrize(
    "kind", ["code", "lacking", "fused", "others", "reshaped", "bands", "more", "list"]
)
def test_other_checkpoints_are_told_in_one_line(state, tmp_path, kind):
    held, message = broken(state)[kind]
    path = tmp_path / "wrong.pt"
    torch.save(held, path)
    with pytest.raises(ValueError, match=message) as error:
        load_audio_text(path)
    assert "\n" not in str(error.value)


def test_a_newer_pickle_is_told_with_the_way_out(state, tmp_path):
    path = tmp_path / "newer.pt"
    torch.save({"state_dict": state}, path, pickle_protocol=4)
    with pytest.raises(ValueError, match=r"operand 149.*torch.save\(torch.load"):
        load_audio_text(path)


def test_a_file_that_is_no_archive_is_told(tmp_path):
    path = tmp_path / "wrong.pt"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="checkpoint of LAION's CLAP"):
        load_audio_text(path)


@pytest.mark.peers
def test_at_full_size_sound_embeds_as_in_laion_clap(tmp_path):
    if find_laion() is None:
        pytest.skip("laion_clap is not installed; see write_laion_answers.py")
    theirs = refill(build_laion(FULL_AUDIO, SMALL_TEXT))
    torch.save(theirs.state_dict(), tmp_path / "full.pt")
    ours = load_audio_text(tmp_path / "full.pt")
    with torch.no_grad():
        expected = theirs.get_audio_embedding([{"waveform": clip} for clip in clips()])
        found = ours.embed_audio(clips())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
