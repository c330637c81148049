"""Sets come and go while others run, and those that nobody has used for long make room."""

import threading
from contextlib import ExitStack

import pytest
import torch

from fusion.adapters.interface import Adapters
from fusion.serving.loaded_sets import LoadedSets
from fusion.sets.card import SetCard
from fusion.sets.files import save_set

NAMES = ("one", "two", "three")
MEL = torch.randn(3, 80, 40, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[5, 6, 7]] * 3)


@pytest.fixture
def folders(adapters, add, tmp_path):
    """Sets on disk, and none on the model."""
    for name in NAMES:
        add(name)
        save_set(tmp_path / name, adapters, None, SetCard(name, "tiny"))
        adapters.drop(name)
    return {name: tmp_path / name for name in NAMES}


def shelf(adapters: Adapters, folders, sets: int | None = None) -> LoadedSets:
    """Room for so many sets and a little, of 16 matrices of 32, rank 4, in float32 each."""
    limit = None if sets is None else sets * 16 * 4 * (32 + 32) * 4 + 100
    found = LoadedSets(adapters, limit)
    for name, folder in folders.items():
        found.add(name, folder)
    return found


@torch.inference_mode()
def run(sets: LoadedSets, rows) -> torch.Tensor:
    with sets.turn(rows):
        return sets.adapters.model(MEL[: len(rows)], decoder_input_ids=TOKENS[: len(rows)]).logits


def test_sets_are_loaded_when_asked_for_and_the_longest_unused_makes_room(adapters, folders):
    sets = shelf(adapters, folders, 2)
    assert adapters.names == [] and sets.bytes == 0
    for name in ("one", "two", "one", "three"):
        with sets.held([name]):
            pass
    assert list(sets.loaded) == adapters.names == ["one", "three"]
    assert sets.loads == 3 and sets.bytes == sum(map(adapters.bytes, adapters.names))
    assert sets.limit_bytes is not None and sets.bytes <= sets.limit_bytes
    assert adapters.active == []


def test_what_is_in_use_makes_no_room(adapters, folders):
    sets = shelf(adapters, folders, 2)
    with sets.held(["one", "two", "one"]) as (one, two, again):
        assert one is again and one is not two
        with pytest.raises(ValueError, match="'three' takes .* sets in use .* raise the limit"):
            sets.held(["three"]).__enter__()
        with pytest.raises(ValueError, match="'three' takes"), sets.held(["one", "three"]):
            pass
    assert adapters.names == ["one", "two"] and not any(o.users for o in sets.loaded.values())
    with sets.held(["three"]):
        assert adapters.names == ["one", "three"]  # that was asked for once more, if in vain


def test_rows_have_their_sets_and_none_has_the_frozen_model(adapters, folders):
    sets = shelf(adapters, folders)
    with torch.inference_mode():
        frozen = adapters.model(MEL, decoder_input_ids=TOKENS).logits
    with sets.held(["two", "one"]) as (two, one):
        mixed = run(sets, [two, None, one])
        torch.testing.assert_close(mixed[1], frozen[1], atol=1e-5, rtol=1e-5)
        for row, own in ((0, two), (2, one)):
            torch.testing.assert_close(mixed[row], run(sets, [own] * 3)[row], atol=1e-5, rtol=1e-5)
            assert (mixed[row] - frozen[row]).abs().max() > 0.1


@pytest.mark.parametrize("replaced", [False, True])
def test_who_holds_a_set_that_is_dropped_or_replaced_keeps_it(adapters, folders, replaced):
    sets = shelf(adapters, folders)
    with ExitStack() as stack:
        [old] = stack.enter_context(sets.held(["one"]))
        before = run(sets, [old])
        if replaced:
            sets.add("one", folders["two"])
            with sets.held(["one"]) as (new,):
                assert (run(sets, [new]) - before).abs().max() > 0.01
        else:
            sets.remove("one")
            with pytest.raises(ValueError, match="No adapter set 'one'; known: two, three"):
                sets.held(["one"]).__enter__()
        assert torch.equal(run(sets, [old]), before)
        assert old.adapter in adapters.names
    assert old.adapter not in adapters.names
    assert len(adapters.names) == sets.loads - 1 and not sets.leaving


def test_others_run_while_sets_come_and_go(adapters, folders):
    """What a thread reads never changes, whatever others load and drop meanwhile."""
    sets = shelf(adapters, folders, 2)
    failed: list[BaseException] = []
    with sets.held(["one"]) as (one,):
        expected = run(sets, [one, None])

        def read() -> None:
            try:
                with sets.held(["one"]) as (own,):
                    for _ in range(15):
                        torch.testing.assert_close(
                            run(sets, [own, None]), expected, atol=1e-5, rtol=1e-5
                        )
            except BaseException as error:
                failed.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(6):
            with sets.held([NAMES[1 + number % 2]]) as rows:
                run(sets, rows)
        reader.join()
    assert not failed
    assert sets.loads == 7 and len(adapters.names) == 2


def test_a_set_that_is_damaged_leaves_the_others_as_they_are(adapters, folders):
    sets = shelf(adapters, folders, 2)
    path = folders["two"] / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with sets.held(["one"]) as (one,):
        before = run(sets, [one])
        with pytest.raises(ValueError, match="adapter_model.safetensors"):
            sets.held(["two"]).__enter__()
        assert torch.equal(run(sets, [one]), before)
    assert adapters.names == ["one"]
    with pytest.raises(ValueError, match="The limit is 0 bytes"):
        LoadedSets(adapters, 0)


def test_an_adapter_that_is_there_already_stays(adapters, add, folders):
    add("own")
    sets = shelf(adapters, folders, 2)
    sets.adopt("own", None)
    with sets.held(["one"]), sets.held(["own"]) as (own,):
        assert own.adapter == "own"
    with sets.held(["two"]):
        assert adapters.names == ["own", "two"]
