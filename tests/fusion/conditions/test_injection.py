import warnings
from copy import deepcopy

import pytest
import torch

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.steps import Step, Told
from fusion.contract.context import Repeats
from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.sampling import sample

ALL = ("nexus_prime", "ip_adapter", "res_adapter", "ctrl_adapter")


def compose(small_preset, names) -> dict:
    return {f"{n}-{part}": one for n in names for part, one in small_preset(n).items()}


def test_several_act_in_one_forward(run, unet, small_preset, conditions, disturb):
    """Two pyramids that are the same count as one that counts twice; the others are in both."""
    parts = compose(small_preset, ALL)
    disturb(*parts.values())
    twin = small_preset("nexus_prime")["map"]
    twin.load_weights(parts["nexus_prime-map"].weights())
    told = conditions(parts)
    twice = [
        Condition(one.name, one.kind, one.data, scale=2.0)
        if (one.name, one.kind) == ("nexus_prime-map", "map")
        else one
        for one in told
    ]
    injection = inject(unet, parts)
    with injection.tell(*twice):
        expected = run()
    injection.remove()
    parts["twin"] = twin
    with inject(unet, parts).tell(*conditions(parts)):
        assert torch.allclose(run(), expected, atol=1e-5)


def test_each_of_several_can_be_told_alone(run, unet, small_preset, conditions, disturb):
    parts = compose(small_preset, ("nexus_prime", "ip_adapter"))
    disturb(*parts.values())
    both = inject(unet, parts)
    told = [one for one in conditions(parts) if one.name == "ip_adapter-tokens"]
    with both.tell(*told):
        found = run()
    both.remove()
    with inject(unet, {"ip_adapter-tokens": parts["ip_adapter-tokens"]}).tell(*told):
        assert torch.equal(run(), found)


def test_a_scale_of_0_is_as_if_nothing_was_told(run, unet, small_preset, conditions, disturb):
    parts = compose(small_preset, ("nexus_prime", "ip_adapter", "ctrl_adapter"))
    disturb(*parts.values())
    before = run()
    silent = [Condition(c.name, c.kind, c.data, scale=0.0) for c in conditions(parts)]
    with inject(unet, parts).tell(*silent):
        assert torch.allclose(run(), before, atol=1e-6)


def test_each_row_reads_its_own_conditions(run, unet, small_preset, conditions, disturb, draw):
    parts = compose(small_preset, (*ALL, "unicon"))
    disturb(*parts.values())
    injection, told = inject(unet, parts), conditions(parts)
    latents, text = draw(2, 12, 8, 12), draw(2, 3, 12)
    with injection.tell(*told):
        both = run(latents=latents, text=text)
    for row in (0, 1):
        one = slice(row, row + 1)
        with injection.tell(*(Condition(c.name, c.kind, c.data[one]) for c in told)):
            alone = run(latents=latents[one], text=text[one])
        assert torch.allclose(both[one], alone, atol=1e-5)


def test_rows_of_another_number_are_refused(run, unet, small_preset, conditions):
    parts = small_preset("ip_adapter")
    injection = inject(unet, parts)
    with injection.tell(*conditions(parts)), pytest.raises(ValueError, match="A batch of 3"):
        run(3)
    with injection.tell(*conditions(parts), repeats=Repeats(each=True)):
        run(4)


def test_wrong_conditions_are_refused_in_one_line(unet, small_preset, conditions, draw):
    parts = compose(small_preset, ("t2i_adapter", "nexus_prime", "ip_adapter"))
    injection = inject(unet, parts)
    picture, tokens, vector = draw(2, 3, 16, 24), draw(2, 4, 12), draw(2, 5)
    name = "nexus_prime-map"
    for told, message in (
        ([Condition("edges", "map", picture)], "No injector 'edges' .* there is t2i_adapter-map"),
        ([Condition("ip_adapter-tokens", "map", picture)], "takes no map; expected vector"),
        ([Condition(name, "map", picture)], "without tokens; expected map and tokens"),
        ([Condition(name, "map", picture)] * 2, "was told map twice"),
        (
            [Condition(name, "map", picture), Condition(name, "tokens", tokens[:1])],
            r"of \[1, 2\] rows",
        ),
        (
            [Condition(name, "map", picture), Condition(name, "tokens", tokens[..., :9])],
            "are 9 wide; expected 12",
        ),
        ([Condition("t2i_adapter-map", "map", picture[:, :1])], "has 1 channels; expected 3"),
        ([Condition("ip_adapter-tokens", "vector", vector[:, :4])], "is 4 wide; expected 5"),
    ):
        with pytest.raises(ValueError, match=message) as caught, injection.tell(*told):
            pass
        assert "\n" not in str(caught.value)


def test_wrong_injectors_are_refused(unet, small_preset):
    with pytest.raises(ValueError, match="no injector"):
        inject(unet, {})
    pairs = {name: small_preset("unicon")["partner"] for name in ("a", "b")}
    with pytest.raises(ValueError, match="a and b each run rows beside the batch"):
        inject(unet, pairs)
    with pytest.raises(ValueError, match="cannot stand on a Linear; expected UNet2DCondition"):
        inject(torch.nn.Linear(2, 2), {"a": pairs["a"]})


def test_an_injector_stands_once(unet, small_preset):
    """Twice on a denoiser, what it adds would be added twice."""
    parts = small_preset("t2i_adapter")
    first = inject(unet, parts)
    with pytest.raises(ValueError, match="stands on a denoiser already"):
        inject(unet, parts)
    first.remove()
    second = inject(unet, parts)
    first.remove()  # says nothing of what stands now
    with pytest.raises(ValueError, match="stands on a denoiser already"):
        inject(unet, parts)
    second.remove()
    (one,) = parts.values()
    third = inject(unet, parts)
    inject(unet, {"copy": deepcopy(one)}).remove()  # a copy stands nowhere
    third.remove()
    with pytest.raises(ValueError, match="under another name, too"):
        inject(unet, {"a": one, "b": one})
    with pytest.raises(ValueError, match="'a' is a dict; expected an injector"):
        inject(unet, {"a": parts})


def test_pictures_are_sampled_with_conditions_and_sounds(
    denoiser, small_preset, conditions, disturb
):
    torch.manual_seed(0)
    adapter = AudioAdapter(denoiser, AudioAdapterOptions(sources=3, dim=6, hidden=10)).eval()
    tokens, null = adapter.tokens(torch.ones(2, 3, 6)).detach(), adapter.null(2).detach()
    plain = sample(denoiser, [1, 2], tokens, null, steps=3, guidance=2.0)
    parts = compose(small_preset, (*ALL, "unicon"))
    disturb(*parts.values())
    injection = inject(denoiser, parts)
    with warnings.catch_warnings(), injection.tell(*conditions(parts), repeats=Repeats(whole=2)):
        warnings.simplefilter("error")  # diffusers warns where a pyramid is passed the old way
        told = sample(denoiser, [1, 2], tokens, null, steps=3, guidance=2.0)
    assert told.shape == plain.shape and not torch.allclose(told, plain, atol=1e-3)
    injection.remove()
    assert torch.equal(sample(denoiser, [1, 2], tokens, null, steps=3, guidance=2.0), plain)


def test_a_sampling_encodes_once(denoiser, small_preset, conditions):
    parts, made = small_preset("nexus_prime"), []
    parts["map"].body[0].register_forward_hook(lambda *_: made.append(1))
    with inject(denoiser, parts).tell(*conditions(parts)):
        sample(denoiser, [1, 2], steps=4)
    assert len(made) == 1


def test_a_condition_that_changes_by_step_is_encoded_at_each(run, unet, small_preset, draw):
    parts, made = small_preset("t2i_adapter"), []
    parts["map"].body[0].register_forward_hook(lambda *_: made.append(1))
    moving = Condition("map", "map", draw(2, 3, 16, 24), step_independent=False)
    with inject(unet, parts).tell(moving):
        run(), run()
    assert len(made) == 2


def test_arguments_are_taken_for_rows_with_all_that_has_rows(draw):
    prompt = Prompt(draw(2, 3, 4), draw(2, 1, 4))
    step = Step(
        {
            "sample": draw(2, 4, 5, 5),
            "timestep": torch.tensor(3),
            "encoder_hidden_states": prompt.text,
            "cross_attention_kwargs": {"ip_hidden_states": prompt},
            "down_block_additional_residuals": [draw(2, 4, 5, 5), torch.zeros(())],
            "return_dict": False,
        }
    )
    taken = step.take(torch.tensor([1, 0, 1]))
    assert torch.equal(taken["sample"], step.pictures[[1, 0, 1]])
    assert taken["timestep"] is step.arguments["timestep"] and taken["return_dict"] is False
    told = taken["cross_attention_kwargs"]["ip_hidden_states"]
    assert torch.equal(told.text, prompt.text[[1, 0, 1]])
    assert torch.equal(told.audio, prompt.audio[[1, 0, 1]])
    assert [len(r) if r.ndim else 0 for r in taken["down_block_additional_residuals"]] == [3, 0]


def test_what_is_learnt_is_not_kept(draw):
    told, made = Told({"vector": Condition("a", "vector", draw(2, 3))}, Repeats()), []
    for _ in range(2):
        told.keep("a", lambda: made.append(1))
    assert len(made) == 2
    with torch.no_grad():
        for _ in range(2):
            told.keep("a", lambda: made.append(1))
    assert len(made) == 3


def test_denoisers_that_are_told_of_sizes_are_told_for_each_row(
    run, small_preset, conditions, disturb, draw, unet
):
    """SDXL's is called with more arguments that have rows, which partners and references need."""
    import diffusers

    more = dict(
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=5 + 6 * 4,
    )
    torch.manual_seed(0)
    large = diffusers.UNet2DConditionModel.from_config({**unet.config, **more}).eval()
    large.requires_grad_(False)
    parts = compose(small_preset, ("unicon", "mv_adapter"))
    disturb(*parts.values())
    told = conditions(parts)
    injection, found = inject(large, parts), []
    latents, text = draw(4, 12, 8, 12), draw(4, 3, 12)
    added = {"text_embeds": draw(4, 5), "time_ids": draw(4, 6)}
    told = [Condition(c.name, c.kind, torch.cat([c.data, c.data + 1])) for c in told]

    with torch.no_grad():
        for rows in (slice(0, 4), slice(0, 2), slice(2, 4)):
            some = {name: value[rows] for name, value in added.items()}
            with injection.tell(*(Condition(c.name, c.kind, c.data[rows]) for c in told)):
                found.append(large(latents[rows], 5, text[rows], added_cond_kwargs=some).sample)
    assert torch.allclose(found[0], torch.cat(found[1:]), atol=1e-5)
