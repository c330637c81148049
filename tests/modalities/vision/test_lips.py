from dataclasses import replace

import numpy as np
import pytest
import torch

from modalities.catalog import load_encoder
from modalities.network_file import load_network, save_network
from modalities.vision.lips import (
    LipEncoder,
    LipNetwork,
    LipOptions,
    load_lip_encoder,
    normalise,
    stack,
)

SMALL = LipOptions(words=("a", "b"), channels=(4, 8), dim=16, layers=1)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return LipEncoder(LipNetwork(SMALL))


def crops(batch=2, frames=6):
    return torch.randint(0, 256, (batch, frames, 96, 96), dtype=torch.uint8)


def test_features_have_the_rate_of_the_video(encoder):
    found = encoder(crops())
    assert found.values.shape == (2, 6, 16)
    assert found.rate_hz == 25 and found.mask.all()
    assert encoder.network.classify(found.values).shape == (2, 6, 3)


def test_what_is_not_seen_changes_nothing(encoder):
    mask = torch.ones(1, 6, dtype=torch.bool)
    mask[:, 2:4] = False
    one = crops(1)
    other = one.clone()
    other[:, 2:4] = 255 - other[:, 2:4]
    assert torch.equal(encoder(one, mask).values, encoder(other, mask).values)
    assert not torch.allclose(encoder(one).values, encoder(other).values)


def test_brightness_and_contrast_of_a_clip_change_nothing():
    one = torch.randint(50, 100, (1, 4, 96, 96), dtype=torch.uint8)
    mask = torch.ones(1, 4, dtype=torch.bool)
    a, b = (normalise(clip, mask, SMALL) for clip in (one, 2 * one + 20))
    assert torch.allclose(a, b, atol=1e-2)


def test_with_its_mean_taken_away_whose_mouth_it_is_changes_nothing():
    options = replace(SMALL, mean_removed=1.0)
    mask = torch.ones(1, 6, dtype=torch.bool)
    mask[:, 4] = False
    moves = torch.randint(0, 100, (1, 6, 96, 96), dtype=torch.uint8)
    face = torch.randint(0, 150, (96, 96), dtype=torch.uint8)
    found = normalise(moves, mask, options)
    torch.testing.assert_close(found, normalise(moves + face, mask, options))
    assert found.sum(1).abs().max() < 1e-4 and not found[:, 4].any()
    kept = normalise(moves, mask, SMALL)
    assert not torch.allclose(kept, normalise(moves + face, mask, SMALL), atol=0.1)


def test_pictures_stand_between_their_neighbours():
    pictures = torch.arange(1, 5.0).view(1, 4, 1, 1)
    assert stack(pictures)[0, :, :, 0, 0].tolist() == [
        [0, 0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [1, 2, 3, 4, 0],
        [2, 3, 4, 0, 0],
    ]


def test_it_is_frozen(encoder):
    encoder.train()
    assert not encoder.network.training
    assert not any(p.requires_grad for p in encoder.parameters())


def test_a_file_gives_the_same_features(encoder, tmp_path):
    path = tmp_path / "lips.safetensors"
    save_network(encoder.network, path, half=False)
    again = load_lip_encoder(path)
    assert again.network.options == SMALL
    clip = crops()
    assert torch.equal(again(clip).values, encoder(clip).values)


def test_files_of_another_kind_are_refused(encoder, tmp_path):
    path = tmp_path / "lips.safetensors"
    with pytest.raises(FileNotFoundError, match="known: lips-grid"):
        load_lip_encoder(path)
    path.write_bytes(b"nothing at all")
    with pytest.raises(ValueError, match="holds no LipNetwork"):
        load_lip_encoder(path)
    save_network(encoder.network, path)
    with pytest.raises(ValueError, match="it holds LipNetwork"):
        load_network(torch.nn.Module, LipOptions, path)


def test_the_catalog_has_it():
    encoder = load_encoder("lips-grid")
    assert isinstance(encoder, LipEncoder) and encoder.name == "lips-grid"
    assert len(encoder.network.options.words) == 51


def test_crops_of_another_size_are_refused(encoder):
    with pytest.raises(ValueError, match=r"expected \[batch, frames, 96, 96\]"):
        encoder(torch.zeros(1, 2, 88, 88, dtype=torch.uint8))


def test_the_shipped_weights_read_words_of_the_talker_they_know(shared_data):
    """On 20 clips of the test split: far more frames right than silence alone would give."""
    from data_prep.clips.prepare import prepare
    from data_prep.clips.samples import load_sample
    from data_prep.clips.splits import read_split
    from data_prep.datasets.speech.grid import find_grid_clips
    from tasks.avsr.training.lips import label_frames

    encoder = load_lip_encoder("lips-grid")
    names = sorted(read_split(shared_data / "grid" / "splits.json", "test"))[:6]
    clips = [c for c in find_grid_clips(shared_data / "grid") if c.id.split("_")[-1] in names]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        prepare(clips, folder, workers=1)
        from data_prep.clips.manifest import read_manifest

        samples = [load_sample(c, folder) for c in read_manifest(f"{folder}/manifest.jsonl")]
    right = []
    for sample in samples:
        found = encoder(torch.from_numpy(sample.crops)[None])
        best = encoder.network.classify(found.values)[0].argmax(1).numpy()
        labels = label_frames(sample, encoder.network.options.words, len(best))
        spoken = labels < len(encoder.network.options.words)
        right.append((best == labels)[spoken].mean())
    assert np.mean(right) > 0.75
