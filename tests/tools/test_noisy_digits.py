import numpy as np
import pytest
import torch

from tools.noisy_digits import WINDOW, measure_errors, name_digits, place_in_window

SCENARIOS = ("clean", "hum")


def test_the_ear_names_clean_digits_and_is_frozen(noisy_digits):
    ear = noisy_digits.build_ear()
    clips = noisy_digits.load(["clean"], "train")
    assert measure_errors(ear, clips, ["clean"]) == {"clean": 0.0}
    assert not [name for name, tensor in ear.named_parameters() if tensor.requires_grad]
    again = noisy_digits.build_ear()
    assert torch.equal(again.head.weight, ear.head.weight)


def test_what_is_kept_is_what_the_whole_encoder_makes(noisy_digits):
    clips = noisy_digits.load(["hum"], "validation", 2)
    waveforms = torch.from_numpy(noisy_digits.render("hum", "validation", 2))
    encoder, log_mel = noisy_digits.build_ear().lower
    whole = encoder(log_mel(waveforms)).values.mean(1)  # [clips, dim]
    pooled = noisy_digits.build_ear().pool(clips.states.float())
    assert clips.states.shape == (2, 40, 384) and waveforms.shape == (2, WINDOW)
    assert torch.allclose(whole, pooled, atol=0.02)


def test_tasks_are_numbered_and_errors_told_by_scenario(noisy_digits):
    clips = noisy_digits.load(SCENARIOS, "test")
    assert clips.tasks.tolist() == [0] * 10 + [1] * 10
    ear = noisy_digits.build_ear()
    errors = measure_errors(ear, clips, SCENARIOS)
    wrong = name_digits(ear, clips) != clips.digits
    assert errors["hum"] == pytest.approx(100 * wrong[10:].double().mean().item())
    some = clips.some(4, seed=1)
    assert some.tasks.tolist() == [0] * 4 + [1] * 4 and len(some.digits.unique()) > 1
    assert torch.equal(some.states, clips.some(4, seed=1).states)


def test_clips_are_kept_and_made_anew_where_the_digits_are_others(noisy_digits, monkeypatch):
    first = noisy_digits.load(["hum"], "validation", 3)
    with monkeypatch.context() as patch:
        patch.setattr(type(noisy_digits), "render", None)
        assert torch.equal(noisy_digits.load(["hum"], "validation", 3).states, first.states)
    chosen = noisy_digits._chosen("validation", 4)[1:]
    with monkeypatch.context() as patch:
        patch.setattr(noisy_digits, "_chosen", lambda fold, count=None: chosen)
        other = noisy_digits.load(["hum"], "validation", 3)
    assert not torch.equal(other.digits, first.digits)


def test_a_long_digit_is_cut_to_its_middle_and_a_short_one_is_whole():
    random = np.random.default_rng(0)
    long = np.arange(WINDOW + 7, dtype=np.float32)
    placed = place_in_window(long, random)
    assert len(placed) == WINDOW and 3 <= placed[0] <= 4
    short = place_in_window(np.ones(100, np.float32), random)
    assert len(short) == WINDOW and short.sum() == 100


def test_a_wrong_scenario_or_fold_lists_those_there_are(noisy_digits):
    with pytest.raises(ValueError, match="No scenario 'pink'; known: clean"):
        noisy_digits.load(["pink"], "test")
    with pytest.raises(ValueError, match="No fold 'all'; known: train, validation, test"):
        noisy_digits.load(["hum"], "all")
