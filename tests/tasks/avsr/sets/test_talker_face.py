"""A talker's face is told from others by how a lip encoder sees single pictures."""

import math

import numpy as np
import pytest
import torch

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample
from modalities.network_file import save_network
from modalities.vision.lips import LipEncoder, LipNetwork, LipOptions, normalise
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.talker_face import FACE, TalkerFace, load_face, summarise_face
from tasks.avsr.training.enrolment.candidates import fit_face


def sample(face: int, take: int) -> Sample:
    """A clip of a face: a pattern of its own, with a little noise."""
    pattern = np.random.default_rng(face).integers(40, 200, (6, 6)).repeat(16, 0).repeat(16, 1)
    noise = np.random.default_rng([face, take]).normal(0, 4, (20, 96, 96))
    crops = (pattern + noise).clip(0, 255).astype(np.uint8)
    return Sample(Clip("a", "", frames=20, seen=((0, 20),)), np.zeros(9, np.float32), crops)


def utter(one: Sample) -> Utterance:
    return Utterance(one.waveform, one.crops, one.clip.mask())


@pytest.fixture(scope="module")
def lips() -> LipEncoder:
    torch.manual_seed(0)
    return LipEncoder(LipNetwork(LipOptions(words=("a",), channels=(4, 8), dim=16, layers=1)))


def test_the_talker_is_near_and_others_are_far(lips, tmp_path):
    check = fit_face([sample(1, n) for n in range(6)], [sample(1, n) for n in (6, 7)], lips, 0)
    save_network(check, tmp_path / FACE)
    face = load_face(tmp_path, lips)
    own = face.distances([utter(sample(1, n)) for n in range(8, 12)])
    others = face.distances([utter(sample(other, 0)) for other in range(2, 6)])
    assert max(own) < 1 < min(others)


def test_without_two_pictures_of_a_mouth_it_is_nobody(lips):
    check = fit_face([sample(1, n) for n in range(3)], [sample(1, 3)], lips, 0)
    one = sample(1, 4)
    few = np.arange(20) < 1
    windows = [Utterance(one.waveform), Utterance(one.waveform, one.crops, few)]
    assert TalkerFace(lips, check).distances(windows) == [math.inf, math.inf]


def test_pictures_without_a_mouth_change_nothing(lips):
    one = sample(1, 0)
    mask = np.arange(20) < 10
    other = one.crops.copy()
    other[10:] = 255
    rows = [summarise_face(lips, crops, mask) for crops in (one.crops, other)]
    assert torch.allclose(*rows) and rows[0].shape == (1, 32)


def test_reading_goes_on_from_what_is_seen(lips):
    network = lips.network
    crops, mask = torch.from_numpy(sample(1, 0).crops)[None], torch.ones(1, 20, dtype=torch.bool)
    pictures = normalise(crops, mask, network.options)
    with torch.no_grad():
        read = network.over_time(network.see(pictures, mask) * mask[..., None])[0]
        assert torch.equal(read, network(pictures, mask))


def test_a_folder_without_a_face_is_told(lips, tmp_path):
    with pytest.raises(FileNotFoundError, match="face.safetensors"):
        load_face(tmp_path, lips)
