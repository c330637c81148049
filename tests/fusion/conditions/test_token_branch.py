"""EasyControl's and PKA's branches: what diffusers' own FLUX tells, asked in another way."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from fusion.conditions.backbones import build_backbone
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.token_branch import BranchOptions, TokenBranch
from fusion.contract.context import Repeats
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

diffusers: Any = pytest.importorskip("diffusers")
TEXT, PLACES, OWN = 3, 24, 3 + 24


def positions(height: int, width: int, by: float = 1.0, below: float = 0.0) -> torch.Tensor:
    axes = [torch.arange(float(one)) * by for one in (height, width)]
    return torch.cartesian_prod(torch.zeros(1), *axes) + torch.tensor([0.0, below, 0.0])


@pytest.fixture
def flux() -> Any:
    options = SmallTransformerOptions(channels=3, heads=2, token_dim=12, pooled_dim=5, guided=True)
    return build_small_transformer(options, seed=1).requires_grad_(False)


@pytest.fixture
def given(draw) -> dict[str, Any]:
    """What FLUX is told of two pictures of 4 x 6 tokens, at time 0."""
    return {
        "hidden_states": draw(2, PLACES, 12),
        "encoder_hidden_states": draw(2, TEXT, 12),
        "pooled_projections": draw(2, 5),
        "timestep": torch.zeros(2),
        "guidance": torch.full((2,), 3.5),
        "img_ids": positions(4, 6),
        "txt_ids": torch.zeros(TEXT, 3),
    }


@pytest.fixture
def build(flux, disturb) -> Any:
    def build(learnt: bool = True, **options: Any) -> TokenBranch:
        torch.manual_seed(5)
        defaults: dict[str, Any] = {"rank": 3, "alpha": 6.0, "gates": False}
        found = TokenBranch(flux, BranchOptions(**defaults | options))
        if learnt:
            disturb(found, by=0.3)
        return found.eval()

    return build


def run(model: Any, arguments: dict[str, Any], **changes: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(**arguments | changes).sample


def pack(latents: torch.Tensor) -> torch.Tensor:
    return diffusers.FluxPipeline._pack_latents(latents, *latents.shape)


def in_one_sequence(
    flux: Any,
    given: dict[str, Any],
    conditions: list[tuple[TokenBranch, torch.Tensor, Any]],
    reads: torch.Tensor | None = None,
) -> torch.Tensor:
    """Run [text, picture, conditions] through diffusers' FLUX, masked as the paper draws it."""
    sizes = [OWN, *(tokens.shape[1] for _, tokens, _ in conditions)]
    seen = torch.block_diag(*(torch.ones(size, size) for size in sizes)).bool()
    seen[:OWN] = True  # text and picture see everything, a condition sees only itself
    if reads is not None:  # of the picture; then the text sees only both
        seen[:TEXT, OWN:], seen[TEXT:OWN, OWN:] = False, reads
    handles, first = [], OWN
    for one, tokens, _ in conditions:
        handles += change_rows(flux, one, first, tokens.shape[1])
        first += tokens.shape[1]
    found = run(
        flux,
        given,
        hidden_states=torch.cat([given["hidden_states"], *(one[1] for one in conditions)], 1),
        img_ids=torch.cat([given["img_ids"], *(one[2] for one in conditions)]),
        joint_attention_kwargs={"attention_mask": seen},
    )
    for handle in handles:
        handle.remove()
    return found[:, :PLACES]


def change_rows(flux: Any, one: TokenBranch, first: int, count: int) -> list[Any]:
    """Add a condition's changes to its own rows of each layer's output."""
    handles, strength = [], one.options.alpha / one.options.rank
    for number, block in enumerate([*flux.transformer_blocks, *flux.single_transformer_blocks]):
        attention, text = block.attn, TEXT if number < 2 else 0
        layers = {"q": attention.to_q, "k": attention.to_k, "v": attention.to_v}
        layers |= {"out": attention.to_out[0]} if text else {}
        rows = slice(first - text, first - text + count)
        for face, layer in layers.items():
            change: Any = one.stream.changes[number]
            chained = one.options.chained and face == "out"

            def add(layer, args, output, change=change[face], rows=rows, chained=chained):
                read = output if chained else args[0]
                output = output.clone()
                output[:, rows] += strength * change(read[:, rows])
                return output

            handles.append(layer.register_forward_hook(add))
    return handles


@pytest.mark.parametrize("chained", [False, True])
def test_it_is_one_sequence_with_a_causal_mask_and_changes_for_some_rows(
    flux, given, build, draw, chained
):
    """Two conditions, trained apart: one lies on the picture, half as large, one below it."""
    edges, subject = build(chained=chained), build(positions="offset")
    latents = draw(2, 3, 4, 6), draw(2, 3, 6, 6)
    expected = in_one_sequence(
        flux,
        given,
        [
            (edges, pack(latents[0]), positions(2, 3, by=2.0)),
            (subject, pack(latents[1]), positions(3, 3, below=4.0)),
        ],
    )
    injection = inject(flux, {"edges": edges, "subject": subject})
    told = [Condition("edges", "latent", latents[0]), Condition("subject", "latent", latents[1])]
    with injection.tell(*told):
        found = run(flux, given)
    assert torch.allclose(found, expected, atol=1e-5)
    with injection.tell(told[0]):
        assert not torch.allclose(run(flux, given), expected, atol=1e-3)


def test_where_the_last_change_reads_matters(flux, given, build, draw):
    found, chained = [], build(chained=True)
    for one in (chained, build()):
        one.load_weights(chained.weights())
        injection = inject(flux, {"edges": one})
        with injection.tell(Condition("edges", "latent", draw(2, 3, 8, 12))):
            found.append(run(flux, given))
        injection.remove()
    assert not torch.allclose(*found, atol=1e-3)


def test_keys_and_values_depend_on_neither_time_nor_noise_nor_another_condition(
    flux, given, build, draw
):
    edges, other = build(), build(positions="offset")
    latents, found = draw(2, 3, 8, 12), []
    other_times = given | {"timestep": torch.ones(2), "hidden_states": draw(2, PLACES, 12) + 1}
    for arguments, more in ((given, False), (other_times, True)):
        injection = inject(flux, {"edges": edges, "other": other} if more else {"edges": edges})
        told = [Condition(name, "latent", latents) for name in injection.injectors]
        with injection.tell(*told):
            run(flux, arguments)
            assert edges.told is not None and edges.told.values is not None
            found.append(edges.told.values)
        injection.remove()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_under_guidance_it_is_modulated_by_the_vector_of_the_rows_with_a_text(
    flux, given, build, draw
):
    """A mask over rows, as the released code has one, has to be repeated with the batch."""
    injection = inject(flux, {"edges": build()})
    told = Condition("edges", "latent", draw(2, 3, 8, 12))
    with injection.tell(told):
        alone = run(flux, given)
    doubled = {n: torch.cat([v, v]) for n, v in given.items() if not n.endswith("_ids")}
    doubled["pooled_projections"][:2] = 0.0
    doubled["encoder_hidden_states"][:2] = 0.0
    with injection.tell(told, repeats=Repeats(whole=2)):
        found = run(flux, given | doubled)
    assert torch.allclose(found[2:], alone, atol=1e-5)
    assert not torch.allclose(found[:2], alone, atol=1e-3)


def test_positions_are_those_of_flux(flux, given, build, draw):
    own, steps = build(), draw(2, 3, 8, 12)
    model_ids = diffusers.FluxPipeline._prepare_latent_image_ids(2, 4, 6, "cpu", torch.float32)
    states, ids, size = own._tokens(flux, Condition("a", "latent", steps), (4, 6))
    assert torch.equal(ids[0], model_ids) and size == (4, 6)
    assert torch.equal(states, flux.x_embedder(pack(steps)))
    _, ids, _ = own._tokens(flux, Condition("a", "latent", steps), (8, 12))
    assert torch.equal(ids[0], 2 * model_ids)
    _, ids, _ = build(positions="offset", offset=64)._tokens(
        flux, Condition("a", "latent", steps), (8, 12)
    )
    assert torch.equal(ids[0], model_ids + torch.tensor([0.0, 64.0, 0.0]))


@pytest.mark.parametrize("read", ["all", "keyword", "aligned"])
def test_tokens_that_are_not_real_change_nothing(flux, given, build, draw, read):
    injection = inject(flux, {"sound": build(source="tokens", token_dim=7, read=read)})
    marks = [Condition("sound", "vector", draw(2, TEXT))] if read == "keyword" else []
    sound, found = draw(2, 24, 7), []
    for filled in (0.0, 9.0):
        padded = sound.clone()
        padded[1, 20:] = filled
        told = Condition("sound", "tokens", padded, lengths=torch.tensor([24, 20]))
        with injection.tell(told, *marks):
            found.append(run(flux, given))
    assert torch.allclose(*found, atol=1e-5)
    with injection.tell(Condition("sound", "tokens", sound), *marks):
        assert not torch.allclose(run(flux, given)[1], found[0][1], atol=1e-4)


def test_scale_says_how_often_a_condition_stands_there(flux, given, build, draw):
    injection, before = inject(flux, {"edges": build()}), run(flux, given)
    latents, found = draw(2, 3, 8, 12), {}
    for scale in (0.0, 1e-6, 1.0, 1.0 + 1e-6):
        with injection.tell(Condition("edges", "latent", latents, scale=scale)):
            found[scale] = run(flux, given)
    assert torch.equal(found[0.0], before)
    assert torch.allclose(found[1e-6], before, atol=1e-4)
    assert torch.allclose(found[1.0 + 1e-6], found[1.0], atol=1e-4)
    assert not torch.allclose(found[1.0], before, atol=1e-2)


def test_a_gate_learns_from_both_sides_of_0(flux, given, build, draw):
    one = build(gates=True, learnt=False)
    assert one.gates is not None
    with torch.no_grad():
        one.gates[:3] = torch.tensor([-0.1, 0.0, 0.1])
    with inject(flux, {"edges": one}).tell(Condition("edges", "latent", draw(2, 3, 8, 12))):
        flux(**given).sample.square().sum().backward()
    assert one.gates.grad is not None and (one.gates.grad != 0).all()


@pytest.mark.parametrize("read", ["aligned", "keyword"])
def test_aligned_and_scoped_are_the_dense_form_with_a_mask(flux, given, build, draw, read):
    one, latents = build(read=read, threshold=0.0), draw(2, 3, 8, 12)
    reads = torch.eye(PLACES).bool() if read == "aligned" else torch.ones(PLACES, PLACES).bool()
    expected = in_one_sequence(flux, given, [(one, pack(latents), positions(4, 6))], reads)
    told = [Condition("edges", "latent", latents)]
    if read == "keyword":
        told.append(Condition("edges", "vector", torch.tensor([[0.0, 1.0, 0.0]] * 2)))
    with inject(flux, {"edges": one}).tell(*told):
        found = run(flux, given)
    assert torch.allclose(found, expected, atol=1e-5)


def test_added_is_attention_as_the_paper_prints_it(flux, given, build, draw):
    """A softmax over one token is 1: it adds that token's value, whatever the place asks."""
    one, found = build(read="added"), []
    flux.transformer_blocks[0].attn.to_out[0].register_forward_pre_hook(
        lambda module, args: found.append(args[0])
    )
    with inject(flux, {"edges": one}).tell(Condition("edges", "latent", draw(2, 3, 8, 12))):
        run(flux, given)
        assert one.told is not None and one.told.values is not None
        values = one.told.values["values-0"]
    run(flux, given)
    told, before = found[1:] if len(found) == 3 else found
    assert torch.allclose(told - before, values, atol=1e-5)


def test_only_places_that_look_at_the_keyword_read_a_subject(flux, given, build, draw):
    """With a threshold of 1 that is the one place that looks most, in each row and attention."""
    one = build(read="keyword", threshold=1.0, positions="offset")
    asked = {}
    rows = one.scope.rows
    one.scope.rows = lambda key, *more: asked.setdefault(key, rows(key, *more))  # type: ignore
    told = [Condition("a", "latent", draw(2, 3, 4, 4)), marks(1)]
    with inject(flux, {"a": one}).tell(*told):
        run(flux, given)
    assert len(asked) == 4
    for seen in asked.values():
        assert seen.shape == (2, 1, OWN, 1) and (seen.sum((1, 2, 3)) == 1).all()
        assert not seen[:, :, :TEXT].any()


def marks(word: int) -> Condition:
    return Condition("a", "vector", functional.one_hot(torch.tensor([word] * 2), TEXT).float())


def test_another_keyword_is_another_picture(flux, given, build, draw):
    one, latents, found = build(read="keyword", threshold=0.9), draw(2, 3, 4, 4), []
    injection = inject(flux, {"a": one})
    for word in (0, 1):
        with injection.tell(Condition("a", "latent", latents), marks(word)):
            found.append(run(flux, given))
    assert not torch.allclose(*found, atol=1e-4)


def test_remembered_places_are_those_of_the_step_before(flux, given, build, draw):
    later = given | {"hidden_states": draw(2, PLACES, 12) + 1}
    one = build(read="keyword", threshold=0.9, remembered=True)
    all_places = build(read="keyword", threshold=0.0)
    told = [Condition("a", "latent", draw(2, 3, 4, 4)), marks(1)]
    injection, found = inject(flux, {"a": one}), []
    with injection.tell(*told):
        found += [run(flux, given), run(flux, later)]
    with injection.tell(*told):
        run(flux, later)
        found.append(run(flux, later))
    injection.remove()
    with inject(flux, {"a": all_places}).tell(*told):
        assert torch.allclose(run(flux, given), found[0], atol=1e-6)
    assert not torch.allclose(found[1], found[2], atol=1e-4)


@pytest.mark.parametrize(("rank", "expected"), [(16, 18_677_760), (128, 149_422_080)])
def test_counts_are_those_of_the_published_script_and_not_of_the_table(rank, expected):
    """The paper's table says 15 M, which would be rank 13; the script has 128."""
    with torch.device("meta"):
        flux = build_backbone("flux_dev")
        one = TokenBranch(flux, BranchOptions(rank=rank, gates=False))
    width = 2 * 3072
    assert one.count().trained == width * rank * (19 * 4 + 38 * 3) == expected
    assert round(15e6 / (one.count().trained / rank)) == 13


def test_what_cannot_be_read_is_told_in_one_line(flux, given, build, draw):
    injection = inject(flux, {"a": build(), "b": build(source="tokens", read="keyword")})
    latents = draw(2, 3, 8, 12)
    for told, message in (
        ([Condition("a", "latent", draw(2, 4, 8, 12))], r"is \[4, 8, 12\]; expected 3 channels"),
        ([Condition("a", "latent", draw(2, 3, 7, 12))], "height and width multiples of 2"),
        ([Condition("a", "latent", latents, scale=-1.0)], "has the scale -1; expected 0 or more"),
        ([Condition("a", "map", latents)], "'a' takes no map; expected latent"),
        ([Condition("b", "tokens", draw(2, 4, 12))], "without vector"),
        (
            [Condition("b", "tokens", draw(2, 4, 9)), Condition("b", "vector", draw(2, TEXT))],
            "are 9 wide; expected 12",
        ),
    ):
        with pytest.raises(ValueError, match=message), injection.tell(*told):
            pass
    told = [Condition("b", "tokens", draw(2, 4, 12)), Condition("b", "vector", draw(2, 5))]
    with pytest.raises(ValueError, match="marks 5 tokens of the text; it has 3"):
        with injection.tell(*told):
            run(flux, given)
    for options, message in (
        ({"read": "dense"}, "aligned"),
        ({"threshold": 2.0}, "threshold is 2.0; expected 0 to 1"),
        ({"reach": -1}, "'reach' is -1; expected 0 or more"),
        ({"patch": 5}, "patch is 5; this denoiser's tokens are 12"),
    ):
        with pytest.raises(ValueError, match=message):
            build(**options)
