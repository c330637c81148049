"""UNIC-Adapter's second stream: what the frozen SD3 itself makes of a picture and a text."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from fusion.conditions.backbones import build_backbone
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.instructed_branch import InstructedBranch, InstructedOptions
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

pytest.importorskip("diffusers")
FORMS = {"copies": {}, "low_rank": {"rank": 3, "embedders": False}}


@pytest.fixture
def sd3() -> Any:
    options = SmallTransformerOptions(kind="sd3", channels=3, heads=2, token_dim=12, pooled_dim=5)
    return build_small_transformer(options, seed=1).requires_grad_(False)


@pytest.fixture
def told(draw) -> Any:
    def told(rows: int = 2, **more: Any) -> list[Condition]:
        return [
            Condition("a", "latent", draw(rows, 3, 8, 12) + 1, **more),
            Condition("a", "tokens", draw(rows, 5, 12)),
            Condition("a", "vector", draw(rows, 5)),
        ]

    return told


@pytest.fixture
def run(sd3, draw) -> Any:
    def run(rows: int = 2, time: Any = 500.0, **more: Any) -> torch.Tensor:
        times = torch.as_tensor(time).expand(rows)
        given = {"hidden_states": draw(rows, 3, 8, 12), "pooled_projections": draw(rows, 5) - 1}
        given |= {"encoder_hidden_states": draw(rows, 3, 12), "timestep": times}
        with torch.no_grad():
            return sd3(**given | more).sample

    return run


def build(sd3: Any, **options: Any) -> InstructedBranch:
    torch.manual_seed(5)
    found = InstructedBranch(sd3, InstructedOptions(**options)).eval()
    if found.gates is not None:
        torch.nn.init.constant_(found.gates, 0.7)
    return found


def recorded(sd3: Any, run: Any, **given: Any) -> dict[str, torch.Tensor]:
    """Run the frozen denoiser and return what its keys and values are, picture before text."""
    found, handles = {}, []
    for number, block in enumerate(sd3.transformer_blocks):
        for kind, letter in (("keys", "k"), ("values", "v")):
            for layer in (
                getattr(block.attn, f"to_{letter}"),
                getattr(block.attn, f"add_{letter}_proj"),
            ):

                def keep(module, args, output, name=f"{kind}-{number}"):
                    found.setdefault(name, []).append(output)

                handles.append(layer.register_forward_hook(keep))
    run(**given)
    for handle in handles:
        handle.remove()
    return {name: torch.cat(parts, 1) for name, parts in found.items()}


@pytest.mark.parametrize("form", FORMS)
def test_a_fresh_stream_is_the_frozen_denoiser_on_condition_and_instruction(sd3, run, told, form):
    """Before it has learnt, and without turned positions, which the frozen one has not."""
    one = build(sd3, rotary=False, **FORMS[form])
    latent, tokens, vector = (given.data for given in told())
    expected = recorded(
        sd3, run, hidden_states=latent, encoder_hidden_states=tokens, pooled_projections=vector
    )
    with inject(sd3, {"a": one}).tell(*told()):
        run()
        assert one.told is not None and one.told.values is not None
        found = one.told.values
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-5), name


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize("own_query", [True, False])
def test_the_picture_asks_and_what_it_finds_is_added_before_the_last_layer(
    sd3, run, told, rotary, own_query, disturb
):
    one = build(sd3, rotary=rotary, own_query=own_query)
    disturb(one)
    attention, asked, joined = sd3.transformer_blocks[0].attn, [], []
    handles = [
        attention.to_q.register_forward_hook(lambda layer, args, output: asked.append(args[0])),
        attention.to_out[0].register_forward_pre_hook(lambda layer, args: joined.append(args[0])),
    ]
    run()
    injection = inject(sd3, {"a": one})
    with injection.tell(*told(scale=1.5)):
        run()
        assert one.told is not None and one.told.values is not None
        values = one.told.values
    for handle in handles:
        handle.remove()
    layer: Any = one.blocks[0]
    with torch.no_grad():
        query = layer["ask"].own(asked[0]) if own_query else attention.to_q(asked[0])
    query, keys, own = (
        part.unflatten(-1, (2, 16)).transpose(1, 2)
        for part in (query, values["keys-0"], values["values-0"])
    )
    found = functional.scaled_dot_product_attention(turned(query) if rotary else query, keys, own)
    assert one.gates is not None
    expected = 1.5 * one.gates[0] * found.transpose(1, 2).flatten(2)
    assert torch.allclose(joined[1] - joined[0], expected, atol=1e-5)


def turned(query: torch.Tensor) -> torch.Tensor:
    """Turn pairs as complex numbers: half of them by rows, half by columns."""
    pace = 10_000.0 ** -(torch.arange(4) / 4)
    rows, columns = torch.cartesian_prod(torch.arange(4), torch.arange(6)).T
    angles = torch.cat([rows[:, None] * pace, columns[:, None] * pace], 1)
    numbers = torch.view_as_complex(query.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def test_it_is_run_at_the_time_of_each_row(sd3, run, told):
    injection = inject(sd3, {"a": build(sd3)})
    times = torch.tensor([100.0, 900.0])
    with injection.tell(*told()):
        both = run(time=times)
        alone = [run(time=float(time)) for time in times]
    for row in (0, 1):
        assert torch.allclose(both[row], alone[row][row], atol=1e-5)


def test_tokens_of_an_instruction_that_are_not_real_change_nothing(sd3, run, told):
    injection, found = inject(sd3, {"a": build(sd3)}), []
    for filled in (0.0, 9.0):
        latent, tokens, vector = told()
        padded = tokens.data.clone()
        padded[1, 3:] = filled
        shorter = Condition("a", "tokens", padded, lengths=torch.tensor([5, 3]))
        with injection.tell(latent, shorter, vector):
            found.append(run())
    assert torch.allclose(*found, atol=1e-5)
    with injection.tell(*told()):
        assert not torch.allclose(run()[1], found[0][1], atol=1e-4)


@pytest.mark.parametrize("tokens", [3, 5])
def test_instructions_may_be_longer_than_the_prompt(sd3, run, told, tokens):
    """The released code makes positions for as many tokens as the prompt has."""
    latent, _, vector = told()
    instruction = Condition("a", "tokens", torch.randn(2, tokens, 12))
    with inject(sd3, {"a": build(sd3)}).tell(latent, instruction, vector):
        assert run().isfinite().all()


def test_counts_are_those_of_the_formula():
    dim, blocks, rank = 1536, 24, 16
    own = {}
    with torch.device("meta"):
        sd3 = build_backbone("sd3_medium")
        for name, options in (
            ("whole", {}),
            ("no_embedders", {"embedders": False}),
            ("low_rank", {"embedders": False, "rank": rank}),
        ):
            options = InstructedOptions(gates=False, **options)
            own[name] = InstructedBranch(sd3, options).count().trained
    square = dim * dim + dim  # a layer of the attention, with its bias
    # Eight layers, two norms of six and the query; the last block tells the text nothing.
    assert own["no_embedders"] == blocks * (8 + 12 + 1) * square - (1 + 4) * square == 1_178_055_168
    embedders = (4 * 16 + 1) * dim + (256 + 2048 + 2) * dim + 2 * square + (4096 + 1) * dim
    assert own["whole"] == own["no_embedders"] + embedders == 1_192_711_680
    assert round(blocks * 21 * dim**2 / 1e9, 2) == round(own["whole"] / 1e9, 2) == 1.19
    assert own["low_rank"] == rank * dim * (blocks * (9 * 2 + 2 * 7) - 2 - 4) == 18_726_912


def test_what_it_cannot_stand_on_or_take_is_told_in_one_line(sd3, run, told, draw):
    injection = inject(sd3, {"a": build(sd3)})
    latent, tokens, vector = told()
    for odd, message in (
        (Condition("a", "latent", draw(2, 4, 8, 12)), "has 4 channels; expected 3"),
        (Condition("a", "tokens", draw(2, 5, 9)), "has 9 numbers wide; expected 12"),
        (Condition("a", "vector", draw(2, 4)), "has 4 numbers wide; expected 5"),
    ):
        given = {one.kind: one for one in (latent, tokens, vector)} | {odd.kind: odd}
        with pytest.raises(ValueError, match=message), injection.tell(*given.values()):
            pass
    other = Condition("a", "latent", draw(2, 3, 8, 10))
    with pytest.raises(ValueError, match="is 8 x 10; expected 8 x 12"):
        with injection.tell(other, tokens, vector):
            run()
    with pytest.raises(ValueError, match="expected False beside a rank"):
        InstructedOptions(rank=3)
    sd3.transformer_blocks[1].use_dual_attention = True
    with pytest.raises(ValueError, match="transformer_blocks.1 has a second attention, as SD3.5"):
        build(sd3)
