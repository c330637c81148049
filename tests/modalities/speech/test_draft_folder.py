"""A copy of a model in int8 is made once, and is what CTranslate2 makes of it itself."""

import numpy as np
import pytest

from modalities.speech.ctranslate2_file import read_index
from modalities.speech.ctranslate2_folder import cache_folder
from modalities.speech.draft_folder import find_draft_folder
from modalities.speech.engines import load_engine
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.whisper_files import offline_folder


@pytest.fixture(autouse=True)
def fresh_cache(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MCGURK_CACHE", str(folder))
    return folder


def test_the_copy_holds_the_same_within_a_step_of_int8():
    folder = offline_folder()
    index = read_index(folder / "model.bin")
    made = find_draft_folder(folder, index)
    assert made.is_relative_to(cache_folder())
    copy = read_index(made / "model.bin")
    assert (copy.name, copy.revision) == (index.name, index.revision)
    assert set(index.entries) <= set(copy.entries)
    ours, theirs = NumpyWeights(copy), NumpyWeights(index)
    assert ours.number("decoder/num_heads") == theirs.number("decoder/num_heads") == 6
    name = "decoder/layer_1/ffn/linear_0/weight"
    one, other = ours.weight(name), theirs.weight(name)
    assert copy.entries[name].dtype == "int8"
    assert (np.abs(one - other).max(1) <= np.abs(other).max(1) / 127 * 0.51).all()
    assert (ours.weight("encoder/conv1/weight") == theirs.weight("encoder/conv1/weight")).all()
    size = (made / "model.bin").stat().st_size
    assert size < 0.6 * (folder / "model.bin").stat().st_size


def test_it_is_made_once():
    index = read_index(offline_folder() / "model.bin")
    made = find_draft_folder(offline_folder(), index)
    before = (made / "model.bin").stat().st_mtime_ns
    assert find_draft_folder(offline_folder(), index) == made
    assert (made / "model.bin").stat().st_mtime_ns == before


def test_without_a_cache_the_model_serves_itself(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MCGURK_CACHE", str(tmp_path / "file"))
    index = read_index(offline_folder() / "model.bin")
    assert find_draft_folder(offline_folder(), index) == offline_folder()


def test_guesses_are_those_of_the_library_itself(demo_clip):
    ctranslate2 = pytest.importorskip("ctranslate2")
    from data_prep.media import read_audio

    engine = load_engine("ctranslate2", "whisper-tiny.en")
    window = engine.hear(engine.log_mel(read_audio(demo_clip)))
    own = ctranslate2.models.Whisper(str(engine.folder), compute_type="int8")
    expected = engine.generate(own, window.view, [[50_257]], 100)[0].sequences_ids[0]
    assert engine.guess(window.view, [50_257], 100) == expected and len(expected) > 20
