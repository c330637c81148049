"""Gates over the sets that come with mcgurk: each set is still there, and gates are all that is."""

import numpy as np
import pytest
import torch

from tasks.avsr.sets.adapted_whisper import Sight
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.gated_sets import GatedSets
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser

SETS = ("babble", "music")


@pytest.fixture(scope="module")
def recogniser() -> SetRecogniser:
    return load_recogniser("whisper-tiny.en", "grid", "cpu")


@pytest.fixture(scope="module")
def gated(recogniser) -> GatedSets:
    return GatedSets(recogniser, SETS)


@pytest.fixture
def fresh(gated):
    """Puts gates back to where all sets are weighed alike."""
    yield gated
    with torch.no_grad():
        for parameter in gated.gates():
            parameter.zero_()


def encode(recogniser: SetRecogniser, name: str) -> torch.Tensor:
    adapted = recogniser.adapted
    random = np.random.default_rng(0)
    mel = adapted.hear([random.standard_normal(48_000).astype(np.float32) for _ in range(2)])
    torch.manual_seed(0)
    mask = torch.ones(2, 80, dtype=torch.bool)
    sight = Sight(mask, torch.randn(2, 80, 256), torch.rand(2, 80))
    with torch.no_grad(), adapted.using(name):
        states, _ = adapted.encode(mel, sight, recogniser.fusions[name])  # type: ignore[arg-type]
        return torch.cat(
            [states.flatten(), adapted.read(states, torch.tensor([[5, 6]] * 2)).flatten()]
        )


@pytest.mark.parametrize("number", range(len(SETS)))
def test_gates_that_are_sure_of_one_set_do_what_it_does(recogniser, fresh, number):
    with torch.no_grad():
        fresh.fusion.gate.bias[number] = 100.0
    weights = torch.eye(len(SETS))[[number] * 2]
    with fresh.bank.route(weights=weights):
        found = encode(recogniser, fresh.name)
    torch.testing.assert_close(found, encode(recogniser, SETS[number]), atol=2e-3, rtol=1e-3)
    other = encode(recogniser, SETS[1 - number])
    assert (found - other).abs().max() > 0.5


def test_gates_are_at_each_layer_and_know_what_decodes(gated):
    # 4 layers of attention in the encoder, 8 in the decoder, of which keys and values of the
    # encoder's states are read frame by frame.
    assert gated.bank.count() == 48 * 2 * 384
    decodes = [site for site, adapter in gated.bank.sites.items() if adapter.decodes]
    assert len(decodes) == 32 - 8 and all("decoder" in site for site in decodes)
    assert sum(p.numel() for p in gated.gates()) == 48 * 2 * 384 + 2 * 384 + 2


def test_gates_come_back_from_disk(recogniser, fresh, tmp_path):
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in fresh.gates():
            parameter.normal_()
    expected = encode(recogniser, fresh.name)
    fresh.save(tmp_path)
    with torch.no_grad():
        for parameter in fresh.gates():
            parameter.zero_()
    assert not torch.allclose(encode(recogniser, fresh.name), expected, atol=1e-2)
    fresh.load(tmp_path)
    torch.testing.assert_close(encode(recogniser, fresh.name), expected)


def test_the_recogniser_knows_them_as_one_more_set(recogniser, gated):
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert len(recogniser.with_set([Utterance(0.1 * noise)], gated.name)) == 1
    with pytest.raises(ValueError, match="No adapter set 'other'; known: .*gates"):
        recogniser.with_set([Utterance(noise)], "other")
    with pytest.raises(ValueError, match="No adapter 'other'"):
        recogniser.add_set("other")


def test_sets_that_do_not_go_together_are_refused(recogniser):
    with pytest.raises(ValueError, match="No adapter sets train; known: "):
        GatedSets(recogniser, ("babble", "train"), name="other")
    with pytest.raises(ValueError, match="have no fusion 'joint'"):
        GatedSets(recogniser, ("babble", "audio"), name="other")
