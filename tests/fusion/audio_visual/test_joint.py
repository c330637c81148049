import pytest
import torch

from fusion.audio_visual.agreement import Agreement, AgreementNetwork, AgreementOptions, smooth
from fusion.audio_visual.gated import SIGNS, reliability
from fusion.audio_visual.joint import JointFusion, JointFusionOptions

OPTIONS = JointFusionOptions(lip_dim=6, dim=8, hidden=5, gate_hidden=4)


def trained() -> JointFusion:
    torch.manual_seed(0)
    fusion = JointFusion(OPTIONS)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_()
    return fusion


def inputs(frames=4):
    torch.manual_seed(1)
    mask = torch.ones(2, frames, dtype=torch.bool)
    return torch.randn(2, 2 * frames, 8), torch.randn(2, frames, 6), mask, torch.randn(2, frames, 4)


def test_gates_follow_the_signs():
    fusion = trained()
    _, _, mask, signs = inputs()
    video, sound = fusion.weigh(signs, mask)
    assert ((video > 0) & (video < 1) & (sound > 0) & (sound <= 1)).all()
    assert not torch.allclose(video, fusion.weigh(-signs, mask)[0])


def test_reliability_stays_in_bounds():
    far = Agreement(torch.tensor([99.0]), torch.full((1, 3), -99.0), torch.full((1, 3), 200.0))
    signs = reliability(far, torch.ones(1, 3))
    assert signs.shape == (1, 3, SIGNS)
    assert signs.abs().max() <= 3


def test_agreement_weighs_only_what_is_seen():
    torch.manual_seed(0)
    network = AgreementNetwork(AgreementOptions(lip_dim=6, channels=8, dim=4)).eval()
    mel, lips = torch.randn(2, 80, 40), torch.randn(2, 10, 6)
    mask = torch.ones(2, 10, dtype=torch.bool)
    mask[:, 6:] = False
    changed = lips.clone()
    changed[:, 6:] = 3
    one, other = network(mel, lips, mask), network(mel, changed, mask)
    assert torch.equal(one.score, other.score)
    assert one.local.shape == one.snr_db.shape == (2, 10)
    with pytest.raises(ValueError, match="expected 4 of log-mel for each"):
        network(mel, lips[:, :-1], mask[:, :-1])


def test_smoothing_averages_by_weight():
    evidence = torch.tensor([[1.0, 5.0, 9.0]])
    assert torch.allclose(smooth(evidence, torch.tensor([[1.0, 0.0, 1.0]])), torch.tensor(5.0))


def test_agreement_can_be_learnt():
    """Lips that are the sound's loudness, against those of another row."""
    from tasks.avsr.training.agreement import _Learner

    torch.manual_seed(0)
    network = AgreementNetwork(AgreementOptions(lip_dim=3, channels=16, dim=8))
    learner = _Learner(network)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)

    def batch():
        pulse = (torch.rand(8, 20, 1) > 0.5).float()
        mel = pulse[:, :, 0].repeat_interleave(4, 1)[:, None].expand(8, 80, 80)
        lips = torch.cat([pulse, 1 - pulse, torch.randn(8, 20, 1) / 9], 2)
        mask = torch.ones(8, 20, dtype=torch.bool)
        return {"mel": mel, "lips": lips, "mask": mask, "snr_db": torch.zeros(8, 20)}

    for _ in range(60):
        loss = learner(batch())["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    new = batch()
    right = network(new["mel"], new["lips"], new["mask"]).score
    wrong = network(new["mel"], new["lips"].roll(1, 0), new["mask"]).score
    assert float((right[:, None] > wrong).float().mean()) > 0.9
