"""A collection gets one more set for noise of the user's own, and keeps all others as they are."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from data_prep.noise.synthetic import MAKERS
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.scenarios.classifier import ScenarioClassifier, ScenarioOptions
from fusion.sets.card import read_card
from modalities.network_file import save_network
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.avsr.sets.collection import Collection, read_collection, write_collection
from tasks.avsr.sets.set_recogniser import load_recogniser
from tasks.avsr.training import grow as growing
from tasks.avsr.training.adapter_set import AdapterSetTraining
from tasks.avsr.training.config import DataOptions, SetConfig
from tasks.avsr.training.grow import GrowOptions, Growth, copy_collection, grow
from tasks.training.loop import train
from tasks.training.options import LoopOptions

LOOP = LoopOptions(steps=2, batch=2, learning_rate=0.003, warmup=1, measure_every=2)
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_prepared) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared"), 3.0)


@pytest.fixture(scope="module")
def parts(prepared, tmp_path_factory) -> Path:
    """A collection with a set that hears only; tests change copies of it."""
    folder = tmp_path_factory.mktemp("parts") / "made"
    folder.mkdir()
    data = DataOptions(str(prepared))
    settings = SetConfig(name="ear", data=data, loop=LOOP, options={"rank": 2}, validation_clips=1)
    train(AdapterSetTraining(settings), LOOP, folder.parent / "ear", device="cpu")
    (folder.parent / "ear/set").rename(folder / "ear")
    torch.manual_seed(0)
    lips = LipNetwork(LipOptions(words=("one", "two"), channels=(4, 8), dim=16, layers=1))
    save_network(lips, folder / "lips.safetensors")
    network = AgreementNetwork(AgreementOptions(lip_dim=16, channels=8, dim=4))
    save_network(network, folder / "agreement.safetensors")
    save_network(ScenarioClassifier(ScenarioOptions(channels=4)), folder / "selector.safetensors")
    groups = {"audio": ["ear"]}
    write_collection(folder, Collection("made", "whisper-tiny.en", "lips.safetensors", groups))
    return folder


@pytest.fixture
def collection(parts, tmp_path) -> Path:
    import shutil

    return shutil.copytree(parts, tmp_path / "made")


@pytest.fixture
def sirens(tmp_path) -> Path:
    """Four recordings of a tone that goes up and down, as no known noise does."""
    time = np.arange(4 * RATE_HZ) / RATE_HZ
    (tmp_path / "sirens").mkdir()
    for number in range(4):
        hz = 1200 + 500 * np.sin(2 * np.pi * (0.8 + 0.1 * number) * time)
        wave = 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)
        (tmp_path / f"sirens/{number}.wav").write_bytes(encode_wav(wave))
    return tmp_path / "sirens"


def options(prepared: Path, noise: Path, **changes) -> GrowOptions:
    settings = {"windows": 40, "loop": LOOP, **changes}
    return GrowOptions("siren", str(noise), DataOptions(str(prepared)), **settings)


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_a_set_is_put_in_and_all_others_keep_their_bytes(collection, prepared, sirens):
    before = bytes_of(collection)
    heard, steps = [], []
    found = grow(
        collection,
        options(prepared, sirens),
        listening=lambda done, total: heard.append((done, total)),
        training=lambda done, total: steps.append(done),
    )
    assert found.grown and found.name == "siren" and found.nearest == ""
    assert found.told > 0.8 and found.mistaken < 0.2
    assert heard[-1] == (160, 160) and steps[-1] == 2
    after = bytes_of(collection)
    assert before.pop("collection.json") != after["collection.json"]
    assert {name: after[name] for name in before} == before
    assert all(
        name.startswith("siren/") for name in after.keys() - before.keys() - {"collection.json"}
    )
    assert read_collection(collection).groups == {"audio": ["ear"], "grown": ["siren"]}
    card = read_card(collection / "siren")
    assert (card.name, card.fusion, card.scenario["categories"]) == ("siren", "", ["natural"])
    assert not list(collection.parent.glob(".*growing*"))


def test_what_was_grown_is_chosen_for_its_noise_and_for_no_other(collection, prepared, sirens):
    grow(collection, options(prepared, sirens))
    recogniser = load_recogniser("whisper-tiny.en", collection, "cpu")
    assert recogniser.selector is not None
    random = np.random.default_rng(5)
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    siren = 0.2 * np.sin(2 * np.pi * 1200 * time + 600 * np.sin(2 * np.pi * 0.85 * time))
    others = [MAKERS[kind](3 * RATE_HZ, random) for kind in ("music", "natural")]
    waves = [siren.astype(np.float32), *(0.2 * other / np.abs(other).max() for other in others)]
    heard = recogniser.selector.listen([wave.astype(np.float32) for wave in waves])
    assert recogniser.selector._find_grown(heard) == ["siren", "", ""]


def test_noise_that_known_sets_fit_grows_nothing_unless_it_is_asked_for(
    collection, prepared, tmp_path
):
    random = np.random.default_rng(0)
    (tmp_path / "known").mkdir()
    for number in range(8):
        wave = MAKERS["natural"](4 * RATE_HZ, random)
        (tmp_path / f"known/{number}.wav").write_bytes(encode_wav(0.5 * wave / np.abs(wave).max()))
    before = bytes_of(collection)
    given = options(prepared, tmp_path / "known", windows=60)
    found = grow(collection, given)
    assert not found.grown and found.told < 0.5 and bytes_of(collection) == before
    assert grow(collection, replace(given, anyway=True)).grown
    assert read_collection(collection).sets == ["ear", "siren"]


def test_a_growth_that_is_killed_leaves_the_collection_and_goes_on(
    collection, prepared, sirens, monkeypatch
):
    before = bytes_of(collection)
    put = growing._put

    def killed(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(growing, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        grow(collection, options(prepared, sirens))
    assert bytes_of(collection) == before
    steps = []
    monkeypatch.setattr(growing, "_put", put)
    found = grow(
        collection, options(prepared, sirens), training=lambda done, total: steps.append(done)
    )
    assert found.grown and 1 not in steps


@pytest.mark.parametrize("start", ["mean", "zeros"])
def test_a_set_begins_with_the_mean_of_others_or_fresh(collection, prepared, sirens, start):
    made = read_collection(collection)
    groups = {**made.groups, "category": ["ear"]}
    write_collection(collection, replace(made, groups=groups))
    found = grow(collection, options(prepared, sirens, start=start))
    assert isinstance(found, Growth) and found.grown
    assert read_card(collection / "siren").fusion == ("" if start == "mean" else "joint")


def test_a_collection_is_copied_once(parts, prepared, sirens, tmp_path):
    given = options(prepared, sirens)
    with pytest.raises(FileNotFoundError, match="mcgurk prepare wrote"):
        copy_collection(parts, tmp_path / "copy", replace(given, data=DataOptions("none")))
    assert not (tmp_path / "copy").exists()
    copy = copy_collection(parts, tmp_path / "copy", given)
    assert bytes_of(copy) == bytes_of(parts)
    (copy / "ear/more").write_text("mine")
    assert copy_collection(parts, copy, given) == copy and (copy / "ear/more").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("mine")
    with pytest.raises(ValueError, match="new or empty folder"):
        copy_collection(parts, tmp_path / "other", given)
    assert (
        copy_collection("grid", tmp_path / "mine", given)
        and read_collection(tmp_path / "mine").name
    )


def test_mistakes_are_told_before_any_work(collection, prepared, sirens, tmp_path):
    given = options(prepared, sirens)
    with pytest.raises(ValueError, match="grid comes with mcgurk and is not changed; give a"):
        grow("grid", given)
    with pytest.raises(ValueError, match="has a set 'ear' already; known: ear"):
        grow(collection, replace(given, name="ear"))
    with pytest.raises(ValueError, match="called 'my office'; expected letters"):
        replace(given, name="my office")
    with pytest.raises(ValueError, match="start.*middle"):
        replace(given, start="middle")
    with pytest.raises(FileNotFoundError, match="none has no recordings"):
        grow(collection, replace(given, noise=str(tmp_path / "none")))
    (collection / "siren").mkdir()
    with pytest.raises(ValueError, match="is there and no adapter set"):
        grow(collection, given)
    made = read_collection(collection)
    write_collection(collection, replace(made, groups={"all": ["ear"]}))
    with pytest.raises(ValueError, match="no set of the group 'audio'"):
        grow(collection, given)
