"""From pictures to a painter: a base on pictures alone, then sounds on it."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from modalities.diffusion.denoiser_files import load_denoiser
from modalities.diffusion.flow import FlowSchedule
from modalities.diffusion.measure.paths import FlowPath
from modalities.diffusion.picture_hints import PictureHints
from modalities.diffusion.small_mmdit import SmallMmditOptions
from tasks.audio_to_image.painting import Painter
from tasks.audio_to_image.painting.card import read_card
from tasks.audio_to_image.painting.ear import Ear, load_ear
from tasks.audio_to_image.painting.training import Painting
from tasks.training.loop import CHECKPOINT, train
from tasks.training.measures import MeasureOptions

pytest.importorskip("diffusers")


def fit(config, folder: Path, stop_after: int = 0) -> dict[str, float]:
    def progress(done: float, _: float | None) -> None:
        if done == stop_after:
            raise KeyboardInterrupt

    return train(Painting(config), config.loop, folder, progress, "cpu", asdict(config))


def with_loop(config, **changes):
    return replace(config, loop=replace(config.loop, **changes))


@pytest.mark.slow
def test_both_stages_make_colours_of_their_sounds(base_config, adapter_config, tmp_path):
    """The base never hears anything; the adapter learns on it alone which colour is meant."""
    config = with_loop(base_config, steps=200, batch=8, measure_every=100, learning_rate=5e-3)
    found = fit(config, tmp_path / "base")
    rows = [json.loads(line) for line in (tmp_path / "base/metrics.jsonl").open()]
    first = next(row for row in rows if row.get("measured"))
    assert found["validation_loss"] < first["validation_loss"]
    known = load_denoiser(tmp_path / "base").identity
    config = replace(adapter_config, denoiser=str(tmp_path / "base"), late=6.0)
    config = with_loop(config, steps=160, batch=16, measure_every=160, learning_rate=1e-2)
    found = fit(config, tmp_path / "painter")
    assert found["validation_loss"] < found["validation_loss_without_sounds"]
    painter = Painter.load(tmp_path / "painter", "cpu")
    assert painter.denoiser.identity == known
    sounds = torch.eye(4)[[0, 1] * 4, None]
    painted = painter.paint(sounds, steps=8, guidance=3.0).mean((1, 2))  # [8, 3]
    redder = painted[:, 0] - painted[:, 2]
    assert (redder[0::2] > 0.2).all() and (redder[1::2] < -0.2).all()


def test_times_as_late_as_can_be_are_those_of_the_schedule(adapter_config):
    task = Painting(replace(adapter_config, late=1e300))
    assert int(task.load(0, np.random.default_rng(0))["times"]) == 999


def test_late_times_are_drawn_more_often_where_asked(adapter_config):
    task = Painting(adapter_config)
    late = Painting(replace(adapter_config, late=6.0))
    even, later = (
        np.mean([float(one.load(0, np.random.default_rng(n))["times"]) for n in range(300)])
        for one in (task, late)
    )
    assert 450 < even < 550 and 820 < later < 900  # 1000 / 2 and 1000 * 6 / 7


@pytest.mark.parametrize("late", [1.0, 2.0, 6.0])
def test_without_a_measure_times_and_loss_are_the_numbers_that_they_were(adapter_config, late):
    task = Painting(replace(adapter_config, late=late))
    random = np.random.default_rng(0)
    for share in [*random.random(2000), 1 - 1e-16]:
        assert int(task._time(share)) == min(int(share ** (1 / late) * 1000), 999)
    batch = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(8)])
    found = task.module(batch)
    expected = torch.cat([task.model.losses(group) for group in batch]).sum() / 8
    assert found.keys() == {"loss"} and torch.equal(found["loss"], expected)


def test_times_are_drawn_as_a_measure_says(adapter_config):
    task = Painting(replace(adapter_config, measure=MeasureOptions("cubic")))
    times = [float(task.load(0, np.random.default_rng(n))["times"]) for n in range(300)]
    assert 700 < np.mean(times) < 800 and 840 < np.median(times) < 910  # 3/4 and 7/8 of 1000
    measured = [
        int(time) for group in task._measured(task.parts["train"]) for time in group["times"]
    ]
    assert 840 < np.median(measured) < 910


def test_examples_count_as_a_measure_says(base_config, tmp_path):
    pictures = replace(base_config, measure=MeasureOptions(weight="min_snr"))
    task = Painting(pictures)
    batch = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(8)])
    kept = task.denoiser.noise.kept[batch[0]["times"]]
    snr = kept / (1 - kept)
    weights = snr.clamp(max=5.0) / (snr + 1)  # a small denoiser tells the velocity
    found = task.module(batch)
    torch.testing.assert_close(found["loss"], (weights * task.model.losses(batch[0])).mean())
    assert 0 < float(found["effective_share"]) < 1
    fit(with_loop(pictures, steps=2), tmp_path)
    (*_, row) = (tmp_path / "metrics.jsonl").open()
    logged = {"loss", "unweighted_loss", "effective_share", "validation_loss"}
    assert logged <= json.loads(row).keys()


def test_noise_goes_to_the_pictures_that_are_near_in_training_alone(base_config):
    pytest.importorskip("scipy")
    task = Painting(replace(base_config, measure=MeasureOptions(coupling="exact")))
    (group,) = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(8)])
    found, latents = task.model._encode(group)
    costs = torch.cdist(group["noise"].flatten(1), latents.flatten(1)).square()
    assert (found["noise"] - latents).square().sum() <= costs.diagonal().sum()
    assert not torch.equal(found["noise"], group["noise"])
    task.model.eval()
    assert torch.equal(task.model._encode(group)[0]["noise"], group["noise"])


def test_an_interrupted_training_ends_as_one_that_was_not(adapter_config, tmp_path):
    config = with_loop(adapter_config, checkpoint_every=1)
    whole = fit(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(config, tmp_path / "killed", stop_after=3)
    assert fit(config, tmp_path / "killed") == whole
    one, other = (Painter.load(tmp_path / name, "cpu") for name in ("whole", "killed"))
    for name, value in one.adapter.state_dict().items():
        assert torch.equal(value, other.adapter.state_dict()[name]), name


def test_checkpoints_do_not_hold_what_is_frozen(adapter_config, tmp_path):
    fit(adapter_config, tmp_path)
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)["module"]
    assert kept and all(name.startswith("adapter.") for name in kept)


def test_examples_lose_their_sounds_each_for_itself(adapter_config):
    task = Painting(replace(adapter_config, drop=0.5))
    batch = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(64)])
    silent = (batch[0]["embeddings"] == 0).all(2).all(1)
    assert 20 < int(silent.sum()) < 44
    never = Painting(replace(adapter_config, drop=0.0))
    batch = never.collate([never.load(n % 6, np.random.default_rng(n)) for n in range(16)])
    assert not (batch[0]["embeddings"] == 0).all(2).all(1).any()


def test_a_confused_sound_is_nearer_to_itself_than_to_any_other(adapter_config):
    plain = Painting(replace(adapter_config, drop=0.0))
    task = Painting(replace(adapter_config, drop=0.0, confused=0.9))
    moved = 0
    for n in range(64):
        (own,), (found,) = (
            one.collate([one.load(n % 6, np.random.default_rng(n))]) for one in (plain, task)
        )
        true, drawn = own["embeddings"][0], found["embeddings"][0]
        torch.testing.assert_close(drawn.norm(dim=1), true.norm(dim=1))  # silence stays silent
        others = task.parts["train"].embeddings.flatten(0, 1)
        likeness = (drawn * true).sum(1)[true.any(1)]
        assert (likeness + 1e-5 >= (drawn[true.any(1)] @ others.T).amax(1)).all()
        moved += int((likeness < 0.999).sum())
    assert moved > 8  # most are drawn towards the same colour
    measured = task.collate(
        [task._example(task.parts["train"], 0, np.random.default_rng(0), False)]
    )
    assert torch.equal(measured[0]["embeddings"][0], task.parts["train"].embeddings[0])


def test_a_base_is_told_of_some_pictures_and_an_adapter_of_none(base_config, adapter_config):
    task = Painting(replace(base_config, hints=0.5))
    examples = [task.load(n % 6, np.random.default_rng(n)) for n in range(64)]
    (group,) = task.collate(examples)
    assert 20 < int(group["hinted"].sum()) < 44
    task.model.eval()
    with torch.no_grad():
        told = task.model.losses(group)
        alone = task.model.losses({k: v for k, v in group.items() if k != "hinted"})
    differs = (told - alone).abs() > 1e-7
    assert torch.equal(differs, group["hinted"])
    plain = Painting(base_config)
    assert "hinted" not in plain.load(0, np.random.default_rng(0)) and plain.model.hints is None
    with pytest.raises(ValueError, match="hints is 0.5 in stage 'adapter'"):
        replace(adapter_config, hints=0.5)


def test_a_base_with_hints_is_written_without_what_made_them(base_config, tmp_path):
    fit(base_config, tmp_path / "plain")
    fit(replace(base_config, hints=0.5), tmp_path / "hinted")
    plain, hinted = (load_denoiser(tmp_path / name) for name in ("plain", "hinted"))
    assert list(plain.state_dict()) == list(hinted.state_dict())


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_a_base_of_an_mmdits_class_is_trained_by_flow_matching(base_config, kind, tmp_path):
    """Its loss is the one of the measure; it is written, and read again."""
    sizes = SmallMmditOptions(
        **{"height": 8, "width": 8, "kind": kind, "heads": 2, "head_dim": 8, "tokens": 2}
    )
    config = replace(base_config, mmdit=replace(sizes, layers=1, single_layers=1), hints=0.5)
    task = Painting(config)
    batch = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(4)])
    (group,) = batch
    assert 0 < float(group["times"].min()) and float(group["times"].max()) < 1000
    task.model.hints = None

    def model(noisy, times, cond):
        return task.denoiser(noisy, times, task.denoiser.prompt(len(noisy)))

    latents = task.denoiser.codec.encode(group["pictures"].float() / 255)
    path = FlowPath(to_source=True, times=1000.0)
    placed = path.place(group["noise"], latents, group["times"] / 1000)
    with torch.no_grad():
        errors = (model(placed.noisy, placed.times, None) - placed.wanted).square().flatten(1)
        found = task.model.losses(group)
    assert torch.allclose(found, errors.mean(1), atol=1e-5)
    fit(config, tmp_path / "base")
    again = load_denoiser(tmp_path / "base")
    assert again.noise == FlowSchedule() and type(again.network) is type(task.denoiser.network)
    assert (tmp_path / "base/samples.png").is_file()


def test_hints_learn_what_is_shown(base_config):
    task = Painting(replace(base_config, hints=0.5))
    (group,) = task.collate([task.load(n % 6, np.random.default_rng(n)) for n in range(8)])
    task.model([group])["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in task.model.hints.parameters())


def test_the_loss_of_an_example_does_not_depend_on_others(adapter_config):
    task = Painting(adapter_config)
    examples = [task.load(n, np.random.default_rng(n)) for n in range(3)]
    task.model.eval()
    with torch.no_grad():
        together = task.model.losses(task.collate(examples)[0])
        alone = task.model.losses(task.collate(examples[1:2])[0])
    assert torch.allclose(together[1:2], alone, atol=1e-5)


def test_latents_are_drawn_in_training_alone_and_where_they_have_a_spread(adapter_config):
    task = Painting(adapter_config)
    before = task.load(0, np.random.default_rng(3))
    task.denoiser.codec.spread = True
    example = task.load(0, np.random.default_rng(3))
    assert before.keys() == example.keys() - {"drawn"}
    assert all(torch.equal(value, example[name]) for name, value in before.items())
    assert example["drawn"].shape == example["noise"].shape
    assert not torch.equal(example["drawn"], example["noise"])
    seen = []
    encode = task.denoiser.codec.encode
    task.denoiser.codec.encode = lambda pictures, drawn: seen.append(drawn) or encode(pictures)
    with torch.no_grad():
        task.model(task.collate([example]))
        task.measure()
    assert torch.equal(seen[0][0], example["drawn"])
    assert len(seen) > 1 and not any(drawn is not None for drawn in seen[1:])


def test_pictures_of_several_sizes_are_learnt_in_one_batch(adapter_config):
    sizes = ("8x8", "8x16")
    task = Painting(replace(adapter_config, data=replace(adapter_config.data, sizes=sizes)))
    examples = [task.load(n, np.random.default_rng(n)) for n in range(3)]
    wide = task.load(3, np.random.default_rng(3))
    wide["pictures"] = wide["pictures"].repeat(1, 2, 1)
    wide["noise"] = wide["noise"].repeat(1, 1, 2)
    batch = task.collate([*examples, wide])
    assert [len(group["times"]) for group in batch] == [3, 1]
    task.model.eval()
    with torch.no_grad():
        losses = torch.cat([task.model.losses(group) for group in batch])
        assert torch.allclose(task.model(batch)["loss"], losses.mean())


def test_half_of_the_pictures_are_turned_where_asked(adapter_config):
    task = Painting(replace(adapter_config, data=replace(adapter_config.data, flip=True)))
    plain = task.parts["train"].picture(0)
    seen = {
        tuple(task.load(0, np.random.default_rng(n))["pictures"].flatten().tolist())
        for n in range(20)
    }
    assert seen == {tuple(plain.flatten()), tuple(plain[:, ::-1].flatten())}


def test_what_is_written_at_the_end_says_what_it_is(adapter_config, tmp_path):
    found = fit(adapter_config, tmp_path)
    card = read_card(tmp_path)
    assert card.scores["validation_loss"] == found["validation_loss"]
    assert card.weights == "" and card.trained < card.parameters
    sheet = cv2.imread(str(tmp_path / "samples.png"))
    assert sheet is not None and sheet.shape == (2 * 68, 2 * 68, 3)
    red, blue = sheet[80:120, 10:50].mean((0, 1)), sheet[80:120, 80:120].mean((0, 1))
    assert red[2] > 200 > 60 > red[0] and blue[0] > 200 > 60 > blue[2]


def test_embeddings_of_another_width_are_told(adapter_config):
    other = replace(adapter_config, adapter=replace(adapter_config.adapter, dim=5))
    with pytest.raises(ValueError, match=r"\[rows, sources, 5\]"):
        Painting(other)


def test_a_denoiser_that_is_not_there_is_told(adapter_config):
    with pytest.raises(ValueError, match="No denoiser 'nowhere'"):
        Painting(replace(adapter_config, denoiser="nowhere"))


def test_a_size_that_cannot_be_painted_is_told_before_the_training(adapter_config):
    with pytest.raises(ValueError, match="8 pixels wide and 9 high cannot be painted"):
        Painting(replace(adapter_config, data=replace(adapter_config.data, sizes=("9x8",))))


def test_mixtures_are_heard_before_the_training_and_once(
    adapter_config, tones, separator, tmp_path, monkeypatch
):
    """The card says by what, and the embeddings are those that the same separator makes."""
    config = replace(
        adapter_config,
        data=replace(adapter_config.data, folder=str(tones), validation=0.4),
        separator=str(separator),
        embeddings=str(tmp_path / "heard"),
    )
    seen = []
    task = Painting(config, "cpu", lambda done, of: seen.append((done, of)))
    assert seen == [(done, 4) for done in (1, 2, 3, 4)]
    assert len(task.parts["train"]) + len(task.parts["validation"]) == 3  # one row tests
    fit(config, tmp_path / "painter")
    card = read_card(tmp_path / "painter")
    assert (card.separator, card.audio_text) == (str(separator), "")
    assert card.ear == load_ear(separator, device="cpu").identity
    assert card.pictures["folder"] == str(tones)
    monkeypatch.setattr(Ear, "listen", None)  # must not be asked
    assert torch.equal(Painting(config).parts["train"].embeddings, task.parts["train"].embeddings)


def test_mixtures_without_a_separator_are_heard_as_a_whole(
    adapter_config, tones, separator, tmp_path
):
    config = replace(
        adapter_config,
        data=replace(adapter_config.data, folder=str(tones)),
        audio_text=str(separator / "audio_text"),
        embeddings=str(tmp_path),
    )
    embeddings = Painting(config).parts["train"].embeddings
    assert embeddings is not None and not embeddings[:, 1:].any()
    assert Painting(config)._card({}).audio_text == str(separator / "audio_text")


def test_a_base_learns_the_pictures_of_mixtures_and_hears_nothing(base_config, tones):
    config = replace(base_config, data=replace(base_config.data, folder=str(tones)))
    task = Painting(config)
    assert task.parts["train"].embeddings is None and len(task.parts["train"]) == 3


def test_what_cannot_be_heard_is_told(adapter_config, tones, separator, tmp_path):
    with_tones = replace(adapter_config, data=replace(adapter_config.data, folder=str(tones)))
    with pytest.raises(ValueError, match="nothing is named that hears them"):
        Painting(with_tones)
    hears = replace(with_tones, separator=str(separator), embeddings=str(tmp_path))
    with pytest.raises(ValueError, match=r"adapter\.dim is 5.*have 4 features"):
        Painting(replace(hears, adapter=replace(hears.adapter, dim=5)))
    with pytest.raises(FileNotFoundError, match=r"separator\.json"):
        Painting(replace(hears, separator=str(tones)))
    with pytest.raises(ValueError, match="No device 'tpu'"):
        Painting(hears, "tpu")


def test_a_hint_is_about_its_own_strip_of_the_picture():
    hints = PictureHints(4, 3, 8).eval()
    picture = torch.rand(1, 4, 8, 24)
    changed = picture.clone()
    changed[..., 18:] = 0.0  # beyond what the layers of the first two strips see
    moved = (hints(picture) - hints(changed)).abs().amax(2)[0]
    assert moved[:2].max() < 1e-6 < moved[2]
