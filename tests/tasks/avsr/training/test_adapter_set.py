"""Adapter sets of the real tiny Whisper, trained for a few steps on tones and noise made here."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from data_prep.media import read_audio
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from fusion.sets.card import CARD, read_card
from fusion.sets.files import load_set
from modalities.audio.full_scale import to_full_scale
from modalities.network_file import load_network, save_network
from modalities.speech.whisper import load_whisper
from modalities.vision.lips import LipNetwork, LipOptions, load_lip_encoder
from tasks.avsr import AVSRPipeline
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.avsr.training.adapter_set import AdapterSetTraining, SetConfig
from tasks.avsr.training.clips import DataOptions, find_clips
from tasks.avsr.training.collect import CollectConfig, collect
from tasks.avsr.training.selector_fitting import SelectorFitting
from tasks.avsr.training.shown_mouths import SightOptions
from tasks.avsr.training.targets import LossOptions
from tasks.training.loop import LoopOptions, train

LOOP = LoopOptions(steps=4, batch=2, learning_rate=0.003, warmup=1, measure_every=4)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_prepared) -> Path:
    folder = write_prepared(tmp_path_factory.mktemp("prepared"), 3.0)
    torch.manual_seed(0)
    lips = LipNetwork(LipOptions(words=("one", "two"), channels=(4, 8), dim=16, layers=1))
    save_network(lips, folder / "lips.safetensors")
    network = AgreementNetwork(AgreementOptions(lip_dim=16, channels=8, dim=4))
    save_network(network, folder / "agreement.safetensors")
    return folder


def config_of(prepared: Path, **changes) -> SetConfig:
    settings = {
        "data": DataOptions(str(prepared)),
        "loop": LOOP,
        "options": {"rank": 2},
        "validation_clips": 1,
    }
    return SetConfig(**{**settings, **changes})


def test_a_set_that_sees_learns_and_comes_back_from_disk(prepared, tmp_path):
    files = {name: str(prepared / f"{name}.safetensors") for name in ("lips", "agreement")}
    task = AdapterSetTraining(config_of(prepared, fusion="joint", **files))
    measured = train(task, LOOP, tmp_path, device="cpu")
    assert {"clean", "clean, no face", "clean, wrong face", "babble -5 dB"} <= set(measured)
    card = read_card(tmp_path / "set")
    adapters = task.whisper.adapters
    fused = sum(p.numel() for p in task.fusion.parameters())
    assert card.parameters == adapters.count("all") + fused
    assert card.model == "whisper-tiny.en" and card.fusion == "joint"

    fresh = AdaptedWhisper(
        load_whisper("whisper-tiny.en"),
        load_lip_encoder(files["lips"]),
        load_network(AgreementNetwork, AgreementOptions, files["agreement"]),
    )
    _, fusion = load_set(tmp_path / "set", fresh.adapters)
    task.module.eval()
    sample = task.training[0]
    with torch.no_grad():
        states = []
        for whisper, module in ((task.whisper, task.fusion), (fresh, fusion)):
            mel = whisper.hear([sample.waveform])
            sight = whisper.look([sample.crops], [sample.clip.mask()])
            states.append(whisper.encode(mel, sight, module)[0])
    # float16 on disk
    assert torch.allclose(*states, atol=0.05)
    assert (states[0] - states[1]).abs().mean() < 2e-3


def test_without_a_face_a_set_is_what_it_hears_to_the_bit(prepared):
    files = {name: str(prepared / f"{name}.safetensors") for name in ("lips", "agreement")}
    task = AdapterSetTraining(config_of(prepared, fusion="joint", **files))
    with torch.no_grad():
        for parameter in task.fusion.parameters():
            parameter.add_(0.1)
    task.module.eval()
    whisper, sample = task.whisper, task.training[0]
    mel = whisper.hear([sample.waveform])
    unseen = whisper.look([sample.crops], [np.zeros(75, bool)])
    seen = whisper.look([sample.crops], [sample.clip.mask()])
    with torch.no_grad():
        plain, _ = whisper.encode(mel)
        assert torch.equal(whisper.encode(mel, unseen, task.fusion)[0], plain)
        assert not torch.allclose(whisper.encode(mel, seen, task.fusion)[0], plain)


@pytest.mark.parametrize(
    "losses",
    [LossOptions(), LossOptions(transcript=0, tokens=1, encoder=1)],
    ids=["transcripts", "distillation"],
)
def test_both_ways_of_learning_lower_their_loss(prepared, losses):
    task = AdapterSetTraining(config_of(prepared, losses=losses, options={"rank": 4}))
    task.module.train()
    random = np.random.default_rng(0)
    batch = task.collate([task.load(n, random) for n in range(2)])
    trained = [p for p in task.module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, 0.003)
    seen = []
    for _ in range(4):
        loss = task.module(batch)["loss"]
        seen.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert seen[-1] < 0.9 * seen[0]
    assert not any("lora" not in n for n, p in task.module.named_parameters() if p.requires_grad)


def test_greedy_decoding_of_a_batch_is_that_of_each_row(prepared):
    whisper = AdaptedWhisper(load_whisper("whisper-tiny.en"))
    clips = [np.random.default_rng(n).normal(0, 0.1, 48_000).astype(np.float32) for n in range(3)]
    with torch.no_grad():
        together, _ = whisper.encode(whisper.hear(clips))
        said = whisper.decode(together)
        for row, clip in enumerate(clips):
            alone = whisper.decode(whisper.encode(whisper.hear([clip]))[0])[0]
            assert alone.tokens == said[row].tokens


def test_what_is_too_unlikely_is_given_up_and_nothing_else():
    whisper = AdaptedWhisper(load_whisper("whisper-tiny.en"))
    clips = [np.random.default_rng(n).normal(0, 0.1, 48_000).astype(np.float32) for n in range(4)]
    with torch.no_grad():
        states, _ = whisper.encode(whisper.hear(clips))
        whole = whisper.decode(states, 12)
        least = min(said.log_probability * (len(said.tokens) + 1) for said in whole) / 2
        found = whisper.decode(states, 12, least)
    for before, now in zip(whole, found, strict=True):
        total = now.log_probability * (len(now.tokens) + 1)
        if before.log_probability * (len(before.tokens) + 1) >= least:
            assert now.tokens == before.tokens
            assert now.log_probability == pytest.approx(before.log_probability, abs=1e-5)
        else:
            assert now.tokens == before.tokens[: len(now.tokens)]
            assert total < least
    assert any(len(n.tokens) < len(b.tokens) for n, b in zip(found, whole, strict=True))


def test_mistakes(prepared, tmp_path):
    with pytest.raises(ValueError, match="needs lips and agreement"):
        SetConfig(fusion="joint")
    with pytest.raises(ValueError, match="No fusion 'late'"):
        SetConfig(fusion="late")
    with pytest.raises(ValueError, match="weights of 0 or more"):
        LossOptions(transcript=0)
    with pytest.raises(FileNotFoundError, match="mcgurk prepare"):
        find_clips(DataOptions(str(tmp_path / "none")), "train")
    with pytest.raises(FileNotFoundError, match=CARD):
        read_card(tmp_path)
    (tmp_path / CARD).write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        read_card(tmp_path)


def test_of_a_clip_in_which_nobody_speaks_the_end_is_learnt_and_one_without_transcript_is_told(
    prepared,
):
    task = AdapterSetTraining(config_of(prepared))
    sample = task.training[0]
    silent = replace(sample, clip=replace(sample.clip, text=""))
    task.teacher.check(silent.clip)
    targets = task.teacher.targets([silent], [silent.waveform])["transcript"]
    assert targets.tolist() == [[*task.whisper.prompt, task.whisper.end]]
    with pytest.raises(ValueError, match="has no transcript; set losses.transcript=0"):
        task.teacher.check(replace(sample.clip, text=None))


def test_the_papers_road_learns_without_transcripts(prepared, tmp_path):
    """Fusion in front of Whisper, from its log-mel, states and tokens on clean sound."""
    stages = ((4, 1), (4, 1), (4, 1), (4, 1))
    small = {"layers": 1, "heads": 2, "audio_channels": 4, "audio_blocks": 2, "narrow": 2}
    config = config_of(
        prepared,
        fusion="upstream",
        fusion_options={**small, "stages": stages},
        losses=LossOptions(transcript=0, tokens=1, encoder=1, mel=0.5),
        sight=SightOptions(dropout=0, wrong=0),
    )
    task = AdapterSetTraining(config)
    task.module.train()
    batch = task.collate([task.load(n, np.random.default_rng(n)) for n in range(2)])
    trained = [p for p in task.module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, 0.003)
    seen = []
    for _ in range(6):
        losses = task.module(batch)
        seen.append(float(losses["loss"].detach()))
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
    assert set(losses) == {"loss", "mel", "encoder", "tokens"}
    assert seen[-1] < 0.8 * seen[0]


@pytest.fixture(scope="module")
def collection_config(prepared, tmp_path_factory) -> CollectConfig:
    """A trained set and a selector that belong together; the tests do not change them."""
    folder = tmp_path_factory.mktemp("parts")
    train(AdapterSetTraining(config_of(prepared, name="ear")), LOOP, folder / "ear", device="cpu")
    save_network(ScenarioClassifier(ScenarioOptions(channels=4)), folder / "selector.safetensors")
    return CollectConfig(
        name="made",
        lips=str(prepared / "lips.safetensors"),
        agreement=str(prepared / "agreement.safetensors"),
        selector=str(folder / "selector.safetensors"),
        sets={"audio": [str(folder / "ear/set")]},
        data=DataOptions(str(prepared)),
        clips=24,
    )


def test_a_collection_knows_what_its_sets_were_trained_on(collection_config, tmp_path):
    collection = collect(collection_config, tmp_path / "made")
    assert collection.sets == ["ear"]
    recogniser = SetRecogniser(load_whisper("whisper-tiny.en"), tmp_path / "made")
    selector = recogniser.selector
    assert selector.domain is not None
    clip = find_clips(collection_config.data, "train")[0]
    sound = read_audio(clip.media)[:51_200]
    [scenario] = recogniser.describe([Utterance(sound)])
    assert scenario.category in selector.classifier.options.categories
    assert selector.level is not None and selector.kind is not None
    crops = np.random.default_rng(0).integers(0, 256, (25, 96, 96), dtype=np.uint8)
    seeing = Utterance(sound, crops, np.ones(25, bool))
    recogniser.sights.farthest = 1e9  # the face is known
    [with_lips] = recogniser.describe([seeing])
    sight = recogniser.adapted.look([seeing.crops], [seeing.mask])
    features = selector.describe_level(
        selector.level, selector.listen([to_full_scale(sound)]), sight
    )
    assert with_lips.snr_db == pytest.approx(float(selector.level(features)), abs=1e-3)
    assert with_lips.snr_db != scenario.snr_db and with_lips.category == scenario.category
    with pytest.raises(ValueError, match="No adapter set 'eye'"):
        recogniser.with_set([Utterance(sound)], "eye")
    frozen = AVSRPipeline("whisper-tiny.en", device="cpu")
    wrapped = AVSRPipeline("whisper-tiny.en", tmp_path / "made", device="cpu")
    seen = np.zeros((75, 96, 96), np.uint8)
    assert wrapped.transcribe(sound).text == frozen.transcribe(sound).text
    assert wrapped.transcribe(sound, seen).text == frozen.transcribe(sound, seen).text


def test_a_collection_appears_when_it_is_whole(collection_config, tmp_path, monkeypatch):
    config = collection_config
    made = tmp_path / "parent/made"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SelectorFitting, "fit_kind", Mock(side_effect=KeyboardInterrupt))
        collect(config, made)
    assert list(made.parent.rglob("*")) == [made]

    collect(config, made)
    (made / "notes.txt").write_text("mine")
    files = {path.name for path in made.rglob("*") if path.is_file()}
    assert {"collection.json", "kind.safetensors", "adapter_model.safetensors"} < files
    assert {path.stat().st_mode & 0o444 for path in made.rglob("*") if path.is_file()} == {0o444}
    twice = replace(config, sets={**config.sets, "all": config.sets["audio"]})
    with pytest.raises(ValueError, match="Two sets are named 'ear'"):
        collect(twice, made)
    assert {path.name for path in made.rglob("*") if path.is_file()} == files

    collect(replace(config, clips=0), made)
    learnt = {f"{name}.safetensors" for name in ("domain", "faces", "kind", "level")}
    assert {path.name for path in made.rglob("*") if path.is_file()} == files - learnt
