from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from fusion.conditions.condition import Condition
from fusion.conditions.decoupled_tokens import AUTOENCODER, DecoupledOptions, DecoupledTokens
from fusion.conditions.injection import inject
from fusion.conditions.tokenisers import AttributeAutoencoder
from modalities.diffusion.decoupled import cross_attentions

diffusers: Any = pytest.importorskip("diffusers")


def test_attention_is_that_of_diffusers_ip_adapter(unet, draw, run, disturb):
    ours = DecoupledTokens(unet, DecoupledOptions())
    disturb(ours)
    tokens, text, latents = draw(2, 4, 12), draw(2, 3, 12), draw(2, 12, 8, 12)
    injection = inject(unet, {"tokens": ours})
    with injection.tell(Condition("tokens", "tokens", tokens, scale=0.7)):
        found = run()
    injection.remove()
    for name, attention in cross_attentions(unet):
        branch = ours.branches[name.replace(".", "-")]
        width = attention.to_q.out_features
        theirs = diffusers.models.attention_processor.IPAdapterAttnProcessor2_0(
            width, 12, (4,), scale=0.7
        )
        theirs.to_k_ip[0], theirs.to_v_ip[0] = branch.to_k, branch.to_v
        attention.set_processor(theirs)
    with torch.no_grad():
        expected = unet(latents, 500, (text, [tokens])).sample
    assert torch.allclose(found, expected, atol=1e-5)


def test_keys_and_values_begin_as_those_of_the_text_or_at_0(unet):
    fresh = DecoupledTokens(unet, DecoupledOptions())
    copied = DecoupledTokens(unet, DecoupledOptions(zero=False))
    for name, attention in cross_attentions(unet):
        key = name.replace(".", "-")
        for built in (fresh, copied):
            assert torch.equal(built.branches[key].to_k.weight, attention.to_k.weight)
        assert not fresh.branches[key].to_v.weight.any()
        assert torch.equal(copied.branches[key].to_v.weight, attention.to_v.weight)


def test_keys_are_made_once_a_sampling(unet, draw, run):
    ours, made = DecoupledTokens(unet, DecoupledOptions()), []
    for branch in ours.branches.values():
        branch.to_k.register_forward_hook(lambda *_: made.append(1))
    with inject(unet, {"tokens": ours}).tell(Condition("tokens", "tokens", draw(2, 4, 12))):
        for time in (900, 500, 100):
            run(time=time)
    assert len(made) == len(ours.branches)


def test_tokens_that_are_not_real_are_not_read(unet, draw, run, disturb):
    ours = DecoupledTokens(unet, DecoupledOptions())
    disturb(ours)
    injection, tokens = inject(unet, {"tokens": ours}), draw(2, 4, 12)
    lengths, alone = torch.tensor([2, 4]), []
    with injection.tell(Condition("tokens", "tokens", tokens, lengths=lengths)):
        both = run()
    for row, length in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        with injection.tell(Condition("tokens", "tokens", tokens[one, :length])):
            alone.append(run(latents=draw(2, 12, 8, 12)[one], text=draw(2, 3, 12)[one]))
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_attributes_out_of_range_are_refused(unet):
    options = DecoupledOptions(tokeniser="mlp", dim=2, bounds=(0.0, 1.0))
    injection = inject(unet, {"attributes": DecoupledTokens(unet, options)})
    told = Condition("attributes", "vector", torch.tensor([[0.5, 1.5]]))
    with pytest.raises(ValueError, match="'attributes' has 1.5; expected 0 to 1"):
        with injection.tell(told):
            pass
    with pytest.raises(ValueError, match="'tokeniser' is 'mlps'; known: none, .*mean 'mlp'"):
        DecoupledOptions(tokeniser="mlps")
    with pytest.raises(ValueError, match="expected the least and the most"):
        DecoupledOptions(bounds=(1.0, 0.0))
    with pytest.raises(ValueError, match="token_dim is 5; this denoiser reads tokens of 12"):
        DecoupledTokens(unet, DecoupledOptions(token_dim=5))


def test_a_hidden_cause_is_read_from_pictures_in_training_alone(unet, draw, run):
    ours = DecoupledTokens(unet, DecoupledOptions(tokeniser=AUTOENCODER, dim=2, cause=3, hidden=8))
    injection = inject(unet, {"attributes": ours})
    told = Condition("attributes", "vector", draw(2, 2))
    with injection.tell(told):
        run()
    assert ours.divergence is not None and not ours.divergence.any()
    with injection.tell(told, Condition("attributes", "latent", draw(2, 12, 8, 12))):
        run()
    assert (ours.divergence > 0).all()


def test_what_a_hidden_cause_says_is_counted_in_nats(draw):
    made = AttributeAutoencoder(2, 8, 3, 12, 2, 12)
    attributes, latents = draw(2, 2), draw(2, 12, 8, 12)
    tokens, found = made(attributes, latents)
    mean, log_variance = made.prior(attributes).chunk(2, -1)
    seen = torch.cat([attributes, made.look(latents)], 1)
    own_mean, own_log = made.posterior(seen).chunk(2, -1)
    normals = [Normal(m, (0.5 * v).exp()) for m, v in ((own_mean, own_log), (mean, log_variance))]
    assert torch.allclose(found, kl_divergence(*normals).sum(1), atol=1e-5)
    assert tokens.shape == (2, 2, 12)
    assert torch.equal(made(attributes, None)[0], made(attributes, None)[0])
    assert not torch.equal(made(attributes, latents)[0], tokens)
