"""What the bench of sounds and pictures compares does the same work, and its rows can be made."""

import sys

import pytest
import torch

from bench import audio_to_image as bench
from data_prep.media.wav import WavFile
from modalities.audio_text.small_audio_text import build_small_audio_text
from modalities.separation.network import SeparatorOptions
from tasks.audio_to_image.separation.losses import mixit_loss

SMALL = SeparatorOptions(sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4)


def test_the_loop_over_partitions_finds_the_same_loss_and_gradient():
    torch.manual_seed(0)
    sources, references = torch.randn(3, 4, 900), torch.randn(3, 2, 900)
    found = []
    for loss in (mixit_loss, bench.loop_over_partitions):
        leaf = sources.clone().requires_grad_()
        value = loss(leaf, references)
        value.sum().backward()
        found.append((value, leaf.grad))
    torch.testing.assert_close(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-5)
    assert bench.partitions(1, 3, 800, 1).target == "<= 0.125"


def test_a_long_sound_is_set_beside_how_long_it_lasts():
    row = bench.long_sound(bench.build_separator(SMALL), 2.0, "tiny", 1)
    assert row.theirs == 2.0 and row.ratio == pytest.approx(row.ours / 2.0)


def test_sources_are_embedded_alike_at_once_and_one_by_one():
    model = build_small_audio_text(["bell"], dim=8, clip_s=0.5, mel_bins=16, widths=(8, 16))
    for learning in (False, True):
        row = bench.embeddings(model, 2, 4800, learning, 1)
        assert ("gradient" in row.what) == learning and row.peer == "2 passes"


def test_steps_with_sounds_read_their_tokens_and_those_without_do_not(monkeypatch):
    pytest.importorskip("diffusers")
    denoiser = bench.small_denoiser()
    told, forward = [], denoiser.forward

    def look(noisy, times, condition):
        told.append(None if condition.audio is None else condition.audio.shape[1])
        return forward(noisy, times, condition)

    monkeypatch.setattr(denoiser, "forward", look)
    row = bench.tokens(denoiser, "tiny", 1, 1)
    assert told == [6, None, 6, None] and row.target == "<= 1.1"


def test_the_published_denoiser_has_the_published_size_and_latents():
    pytest.importorskip("diffusers")
    with torch.device("meta"):
        denoiser = bench.published_denoiser()
    assert sum(p.numel() for p in denoiser.unet.parameters()) == 859_520_964
    assert denoiser.codec.shape(*denoiser.side) == (4, 64, 64)


def test_a_minute_and_more_are_taken_apart_into_files_in_processes_of_their_own(
    monkeypatch, tmp_path
):
    asked = []
    monkeypatch.setattr(bench, "run_for_peak", lambda code, path: asked.append(path) or 100.0)
    row = bench.memory(2)
    assert "200 MB more; here 0" in row.target
    assert [path.rsplit("/")[-1] for path in asked] == ["1.wav", "2.wav"]


def test_what_is_measured_in_a_process_of_its_own_writes_the_sources(monkeypatch, tmp_path):
    file = WavFile(tmp_path / "short.wav", 16_000)
    file.write(bench.draw_sound(0.7))
    file.close()
    small = bench.build_separator(SMALL)
    monkeypatch.setattr(bench, "build_separator", lambda: small)
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "short.wav")])
    exec(bench.MEMORY, {})
    assert len([*(tmp_path / "short").glob("*_source.wav")]) == 3
