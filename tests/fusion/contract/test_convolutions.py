"""Adapters at convolutions."""

import pytest
import torch
from torch import nn

from fusion.adapters import Adapters, attach
from fusion.contract.sites import find_sites

CLOSE = dict(atol=1e-5, rtol=1e-4)


class Net(nn.Module):
    """Convolutions of a UNet's kinds: strided, grouped by none, of size 1, and along time."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.shortcut = nn.Conv2d(8, 6, 1, bias=False)
        self.time = nn.Conv1d(6, 5, 3, padding=1)

    def forward(self, pictures):
        maps = self.shortcut(self.down(pictures).relu())  # [batch, 6, height, width]
        return self.time(maps.flatten(2))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


PICTURES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
COUNT = 2 * (3 * 9 + 8) + 2 * (8 + 6) + 2 * (6 * 3 + 5)


def test_convolutions_are_a_role_with_their_channels(net):
    found = {s.name: (s.role, s.dim_in, s.dim_out) for s in find_sites(net, ["conv"])}
    assert found == {"down": ("conv", 3, 8), "shortcut": ("conv", 8, 6), "time": ("conv", 6, 5)}


def test_stacks_and_names_choose_among_convolutions(build):
    model = build("whisper")
    names = [site.name for site in find_sites(model, ["encoder.conv"])]
    assert names == ["encoder.conv1", "encoder.conv2"]
    assert [s.role for s in find_sites(model, ["encoder.conv2"])] == ["conv"]


@torch.no_grad()
def test_lora_at_convolutions_counts_starts_merges_and_mixes(net, disturb):
    before = net(PICTURES)
    adapters = attach(net, "lora", {"rank": 2}, ["conv"], name="one")
    torch.testing.assert_close(net(PICTURES), before, **CLOSE)
    trained = sum(p.numel() for p in adapters.parameters("one"))
    assert adapters.count("one") == trained == COUNT
    disturb(adapters, "one")
    changed = net(PICTURES)
    assert not torch.allclose(changed, before, atol=1e-3)
    adapters.merge()
    torch.testing.assert_close(net(PICTURES), changed, **CLOSE)
    adapters.unmerge()
    with adapters.rows(["one", None, "one", None]):
        mixed = net(PICTURES)
    torch.testing.assert_close(mixed[::2], changed[::2], **CLOSE)
    torch.testing.assert_close(mixed[1::2], before[1::2], **CLOSE)
    adapters.use(None)
    assert torch.equal(net(PICTURES), before)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["whisper", "ast", "clip"])
def test_models_run_with_adapters_at_their_convolutions(build, run, disturb, kind):
    """Whisper's encoder asks its convolutions for their stride."""
    model = build(kind)
    before = run(kind, model)
    adapters = attach(model, "lora", {"rank": 2}, ["conv"])
    torch.testing.assert_close(run(kind, model), before, **CLOSE)
    disturb(adapters, "default")
    changed = run(kind, model)
    assert not torch.allclose(changed, before, atol=1e-3)
    adapters.merge()
    torch.testing.assert_close(run(kind, model), changed, **CLOSE)
    adapters.unmerge()
    adapters.drop("default")
    assert torch.equal(run(kind, model), before)


def test_an_adapter_at_convolutions_is_saved_and_loaded(net, disturb, tmp_path):
    adapters = attach(net, "lora", {"rank": 2}, ["conv"], name="one")
    disturb(adapters, "one")
    adapters.save(tmp_path, "one")
    torch.manual_seed(0)
    other = Net().eval()
    Adapters(other).load(tmp_path, "one")
    assert torch.equal(other(PICTURES), net(PICTURES))


def test_what_is_attached_is_no_site_itself(net):
    attach(net, "lora", {"rank": 2}, ["conv"], name="one")
    attach(net, "lora", {"rank": 2}, ["conv"], name="two")
    assert [site.name for site in find_sites(net, ["conv"])] == ["down", "shortcut", "time"]


def test_methods_for_linear_layers_pass_convolutions_over(net):
    with pytest.raises(ValueError, match="Method 'hydra' fits none of the 3 modules at conv"):
        attach(net, "hydra", where=["conv"])
    assert Adapters(net).names == []


@pytest.mark.parametrize(
    "kind", [dict(dilation=2), dict(groups=3), dict(padding=1, padding_mode="reflect")]
)
def test_lora_passes_over_convolutions_that_it_could_not_be_merged_into(net, kind):
    net.other = nn.Conv1d(6, 6, 3, **kind)
    with pytest.raises(ValueError, match="Method 'lora' fits none of the 1 modules at other"):
        attach(net, "lora", where=["other"])
    adapters = attach(net, "lora", where=["conv"])
    assert adapters.parts("default")[0].sites == ("down", "shortcut", "time")
