"""Sets that share keys and values write what each writes alone, and keep as little as they say."""

import pytest
import torch
from torch import Tensor

from fusion.adapters.interface import attach
from fusion.serving.shared_cache import SharedCache
from modalities.speech.step_decoder import StepDecoder

NAMES = ("one", "two", None, "three")
TOKENS = 6


def hear(steps: StepDecoder, mel: Tensor) -> Tensor:
    return steps.model.model.encoder(mel).last_hidden_state


@torch.inference_mode()
def write(cache: SharedCache, mel: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """Read a prompt, then a text token by token: logits and what greedy decoding would say."""
    steps = cache.steps
    states = cache.encode(lambda sound: hear(steps, sound), mel)
    rows = len(cache.sets) * len(mel)
    with cache.rows(len(mel)):
        state = cache.start(states)
        found = [steps.logits(steps.read(state, text[:2].expand(rows, -1)))]
        for token in text[2:]:
            found.append(steps.logits(steps.read(state, token.expand(rows, 1))))
    logits = torch.cat(found, 1)
    return logits.unflatten(0, (len(mel), -1)), logits.argmax(-1)


@pytest.fixture
def mel() -> Tensor:
    return torch.randn(2, 80, 40)


@pytest.fixture
def text() -> Tensor:
    return torch.randint(3, 99, (TOKENS,))


def test_sets_of_the_decoder_write_over_one_encoding_what_each_writes_alone(
    steps, adapters, add, mel, text
):
    add("one")
    add("two", ("cross.v", "decoder.q"), rank=2)  # another rank, and nothing on keys
    add("three", ("cross.q",))
    together, said = write(SharedCache(steps, adapters, NAMES), mel, text)
    assert len(set(map(tuple, said.tolist()))) > 2  # they do write different things
    for number, name in enumerate(NAMES):
        adapters.use(name)
        with torch.inference_mode():
            expected = steps.model(mel, decoder_input_ids=text.expand(2, -1)).logits
        torch.testing.assert_close(together[:, number], expected, atol=1e-5, rtol=1e-5)


def test_one_down_projection_for_all_is_kept_once(steps, adapters, add, mel, text):
    for name in ("one", "two", "three"):
        add(name)
    share_down(adapters, "one", ("two", "three"))
    cache = SharedCache(steps, adapters, ("one", "two", "three"))
    logits, _ = write(cache, mel, text)
    own, _ = write(SharedCache(steps, adapters, cache.sets, "non_shared"), mel, text)
    torch.testing.assert_close(logits, own, atol=1e-5, rtol=1e-5)
    assert keep(cache, mel)["low-rank values"] == 2 * 2 * 20 * 4 * 4  # layers, clips, frames, rank


def share_down(adapters, name: str, others) -> None:
    downs = {p: v for p, v in adapters.named_parameters(name).items() if "lora_A" in p}
    with torch.no_grad():
        for other in others:
            for path, parameter in adapters.named_parameters(other).items():
                if path in downs:
                    parameter.copy_(downs[path])


@torch.inference_mode()
def keep(cache: SharedCache, mel: Tensor) -> dict[str, int]:
    states = cache.encode(lambda sound: hear(cache.steps, sound), mel)
    return cache.start(states).cross_bytes()


def test_what_is_kept_is_what_the_formula_says(steps, adapters, add):
    names = [f"set{number}" for number in range(5)]
    for name in names:
        add(name, ("cross.k", "cross.v"), rank=2)
    mel = torch.randn(1, 80, 40)
    shared = keep(SharedCache(steps, adapters, names), mel)
    alone = keep(SharedCache(steps, adapters, names, "non_shared"), mel)
    assert alone == {"keys": 5 * 2 * 20 * 32 * 4, "values": 5 * 2 * 20 * 32 * 4}
    of_sets = {name: size for name, size in shared.items() if not name.startswith("B of")}
    assert sum(of_sets.values()) == round(sum(alone.values()) * (1 / 5 + 2 / 32))
    assert shared["B of keys"] == shared["B of values"] == 5 * 2 * 2 * 32 * 4


def test_words_are_found_by_the_keys_that_a_set_sees(steps, adapters, add, mel):
    add("one")
    add("two")
    cache = SharedCache(steps, adapters, ("one", "two"))
    own = SharedCache(steps, adapters, ("one", "two"), "non_shared")
    with torch.inference_mode():
        shared, dense = (c.start(c.encode(lambda m: hear(steps, m), mel)) for c in (cache, own))
    for row in range(4):
        torch.testing.assert_close(
            shared.cross[1].keys_of(row, 1), dense.cross[1].keys_of(row, 1), atol=1e-5, rtol=1e-5
        )


def test_what_is_near_is_as_near_as_the_paper_has_it(steps, adapters, add, mel, text):
    """Sets that change the encoder a little, and share A: LRAgent's order of what is lost."""
    names = ("one", "two", "three", "four")
    for name in names:
        add(name, down=0.3, up=0.1)
        attach(adapters.model, "lora", {"rank": 2}, ("encoder.q", "encoder.v"), name=name)
        with torch.no_grad():
            for path, parameter in adapters.named_parameters(name).items():
                if ".encoder." in path:
                    parameter.normal_(std=0.15)
    adapters.use(None)
    share_down(adapters, "one", names[1:])
    exact, said = write(SharedCache(steps, adapters, names, "non_shared"), mel, text)
    lost, same = [], []
    for mode in ("base_shared", "base_lr_shared", "full_shared"):
        logits, others = write(SharedCache(steps, adapters, names, mode), mel, text)
        lost.append(float((logits - exact).abs().max()))
        same.append(float((others == said).float().mean()))
        # The first set's is its own.
        torch.testing.assert_close(logits[:, 0], exact[:, 0], atol=1e-5, rtol=1e-5)
    assert lost == sorted(lost) and lost[0] > 1e-3
    assert same == sorted(same, reverse=True)


def test_what_cannot_be_shared_is_refused_in_one_line(steps, adapters, add):
    add("one")
    add("ear", ("encoder.q", "decoder.v"))
    refused = {
        (
            "ear",
            "exact_cross",
        ): "Set 'ear' changes the encoder, at model.encoder.*Take 'non_shared'",
        ("one", "exact"): "Option 'mode' is 'exact'.*exact_cross",
        ("two", "exact_cross"): "No adapter 'two'",
    }
    for (name, mode), told in refused.items():
        with pytest.raises(ValueError, match=told) as error:
            SharedCache(steps, adapters, ["one", name], mode)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="different A at .*encoder_attn.*Take 'base_shared'"):
        SharedCache(steps, adapters, ["one", "ear"], "base_lr_shared")
    attach(adapters.model, "ia3", None, ("cross.v",), name="scaled")
    with pytest.raises(ValueError, match="has ia3 at .*one plain LoRA"):
        SharedCache(steps, adapters, ["scaled"])
    with pytest.raises(ValueError, match="No set is named"):
        SharedCache(steps, adapters, [])
