"""What compares lips and sound is trained on from a file, whose sizes it keeps."""

from pathlib import Path

import pytest
import torch

from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from modalities.network_file import load_network, save_network
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.avsr.training.agreement import AgreementTraining
from tasks.avsr.training.config import AgreementConfig, DataOptions


@pytest.fixture
def lips(tmp_path) -> Path:
    options = LipOptions(words=("one",), channels=(4, 8), dim=16, layers=1)
    save_network(LipNetwork(options), tmp_path / "lips.safetensors")
    return tmp_path / "lips.safetensors"


def test_a_training_begins_with_the_file_it_is_given(tmp_path, lips, write_prepared):
    folder, start = tmp_path / "prepared", tmp_path / "start.safetensors"
    folder.mkdir()
    data = DataOptions(str(write_prepared(folder, 1.0)))
    options = AgreementOptions(lip_dim=16, channels=8, dim=4)
    save_network(AgreementNetwork(options), start)
    config = AgreementConfig(data=data, lips=str(lips), start=str(start))
    network, told = (
        AgreementTraining(config).network,
        load_network(AgreementNetwork, AgreementOptions, start),
    )
    assert network.options == options
    pairs = zip(network.state_dict().values(), told.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    save_network(AgreementNetwork(AgreementOptions(lip_dim=8, channels=8, dim=4)), start)
    with pytest.raises(ValueError, match="compares lips of 8 features; .* gives 16"):
        AgreementTraining(config)
