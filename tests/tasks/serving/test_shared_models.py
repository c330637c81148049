"""Models that several threads use, and collections of sets on one of them."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from data_prep.media import read_audio
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import Recognised
from tasks.serving.loaded_models import Sized
from tasks.serving.served_models import ServedModel
from tasks.serving.shared_models import SharedEngine, SharedSets, load_shared

MODEL = "whisper-tiny.en"


@pytest.fixture(scope="module")
def plain() -> Any:
    return load_shared(ServedModel("plain", MODEL), "cpu")


def test_windows_of_several_threads_are_written_as_by_one(plain, demo_clip):
    engine = plain.pipeline.reader.decoder.engine
    assert isinstance(engine, SharedEngine) and isinstance(plain, Sized)
    sound = read_audio(demo_clip)
    mels = [engine.log_mel(sound[start : start + 48_000]) for start in (0, 40_000, 80_000)]
    prompt = engine.vocabulary.prompt(None)

    def write(mel: np.ndarray) -> list[int]:
        window = engine.hear(mel)
        guess = engine.guess_all([window], [prompt], [60])[0]
        return window.write(prompt, 60, guess).tokens

    alone = [write(mel) for mel in mels]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(write, mels)) == alone


def test_a_model_is_loaded_once_for_all_that_stand_on_it(plain):
    again = load_shared(ServedModel("again", MODEL), "cpu")
    assert again.base is plain.base and again.parts == plain.parts
    first, second = (load_shared(ServedModel(name, MODEL, "grid"), "cpu") for name in "ab")
    assert first.base is second.base
    common = set(first.parts.items()) & set(second.parts.items())
    assert [size for _, size in common] == [4 * 37_760_256]
    own = sum((first.parts | second.parts).values()) - 4 * 37_760_256
    assert own == 2 * first.sets.bytes
    adapters = first.sets.adapted.adapters
    assert len(adapters.names) == 16 and not adapters.active
    second.close()
    assert len(adapters.names) == 8


def test_a_damaged_collection_leaves_the_model_as_it_was(tmp_path):
    good = load_shared(ServedModel("good", MODEL, "grid"), "cpu")
    adapters = good.sets.adapted.adapters
    names = adapters.names
    shutil.copytree(find_collection("grid"), tmp_path / "bad")
    (tmp_path / "bad/music/set.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        load_shared(ServedModel("bad", MODEL, str(tmp_path / "bad")), "cpu")
    assert adapters.names == names and not adapters.active


def test_pieces_of_several_threads_come_back_to_their_own():
    class Echo:
        def recognise(self, utterances):
            return [Recognised(text=one) for one in utterances]

    shared = SharedSets(Echo(), threading.Lock())
    pieces: list[Any] = [[f"{n}a", f"{n}b"] for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(shared.recognise, pieces))
    assert [[one.text for one in heard] for heard in found] == pieces
