"""Any Whisper becomes a folder of CTranslate2 once, and says the same there."""

import json
import shutil

import numpy as np
import pytest

from modalities.speech import ctranslate2_folder as folders
from modalities.speech.ctranslate2_folder import (
    NotForCTranslate2,
    cache_folder,
    convert,
    find_ctranslate2_folder,
    is_complete,
)
from modalities.speech.engines import load_engine
from modalities.speech.whisper import load_whisper
from modalities.speech.whisper_files import offline_folder

START = [50_257]


@pytest.fixture(autouse=True)
def fresh_cache(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MCGURK_CACHE", str(folder))
    return folder


def test_the_offline_folder_is_taken_as_it_is(fresh_cache):
    assert find_ctranslate2_folder("whisper-tiny.en") == offline_folder()
    assert list(fresh_cache.iterdir()) == []


@pytest.mark.parametrize("missing", ["model.bin", "vocabulary.txt", "config.json"])
def test_a_folder_that_lacks_a_file_is_not_complete(tmp_path, missing):
    for name in ("model.bin", "vocabulary.txt", "config.json"):
        (tmp_path / name).symlink_to(offline_folder() / name)
    assert is_complete(tmp_path)
    (tmp_path / missing).unlink()
    assert not is_complete(tmp_path)


def test_a_folder_without_alignment_heads_is_not_complete(tmp_path):
    for name in ("model.bin", "vocabulary.txt"):
        (tmp_path / name).symlink_to(offline_folder() / name)
    settings = json.loads((offline_folder() / "config.json").read_text())
    settings.pop("alignment_heads")
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert not is_complete(tmp_path)


def test_where_converted_models_are_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("MCGURK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mcgurk" / "ctranslate2"


def test_another_model_is_converted_once_and_writes_what_torch_writes(write_folder, monkeypatch):
    pytest.importorskip("ctranslate2")
    folder = write_folder()  # it has neither settings nor a vocabulary
    mel = np.random.default_rng(0).normal(0, 1, (80, 3000)).astype(np.float32)
    expected = load_engine("torch", folder).hear(mel).write(START, 12)
    engine = load_engine("ctranslate2", folder)
    found = engine.hear(mel).write(START, 12)
    assert found.tokens == expected.tokens and len(found.tokens) > 3
    assert found.log_probability == pytest.approx(expected.log_probability, abs=1e-3)
    kept = find_ctranslate2_folder(folder)
    assert kept.parent == cache_folder() and is_complete(kept)
    monkeypatch.setattr(folders, "convert", None)  # nothing is converted again
    assert find_ctranslate2_folder(folder) == kept


def test_a_changed_model_is_converted_anew(write_folder):
    pytest.importorskip("ctranslate2")
    folder = write_folder()
    first = find_ctranslate2_folder(folder)
    write_folder("float16")
    assert find_ctranslate2_folder(folder) != first


def test_what_was_left_half_written_is_made_anew(write_folder):
    pytest.importorskip("ctranslate2")
    folder = write_folder()
    kept = find_ctranslate2_folder(folder)
    (kept / "vocabulary.json").unlink()
    assert is_complete(find_ctranslate2_folder(folder))


def test_a_model_that_it_cannot_compute_says_which_engine_can(write_folder, tmp_path):
    pytest.importorskip("ctranslate2")
    whisper = load_whisper(write_folder())
    whisper.model.config.activation_function = "relu"
    with pytest.raises(NotForCTranslate2, match="activation 'relu'.*Take the torch engine"):
        convert(whisper, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_damaged_weights_are_told(tmp_path):
    pytest.importorskip("ctranslate2")
    shutil.copytree(offline_folder(), tmp_path / "model")
    path = tmp_path / "model/model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="ends before byte.*Convert or download"):
        load_engine("ctranslate2", tmp_path / "model")
