"""Features of frames: a fixed number of them, and which are real."""

import numpy as np
import pytest
import torch

from modalities.vision_language.frames import load_frames


def write(folder, frames: int, **changes):
    rng = np.random.default_rng(0)
    arrays = {"features": rng.normal(size=(frames, 5)).astype(np.float32)} | changes
    np.savez(folder / "video.npz", **arrays)
    return folder / "video.npz", arrays["features"]


@pytest.mark.parametrize("frames", [1, 40, 64])
def test_fewer_frames_are_followed_by_zeros(tmp_path, frames):
    path, values = write(tmp_path, frames)
    features, mask = load_frames(path)
    assert features.shape == (64, 5) and features.dtype == torch.float32
    np.testing.assert_array_equal(features[:frames], values)
    assert not features[frames:].any() and mask.dtype == torch.bool
    assert mask.tolist() == [True] * frames + [False] * (64 - frames)


@pytest.mark.parametrize(("frames", "tokens"), [(65, 64), (128, 64), (200, 64), (7, 3)])
def test_more_frames_are_pooled_to_the_largest_of_each_stretch(tmp_path, frames, tokens):
    path, values = write(tmp_path, frames)
    features, mask = load_frames(path, tokens)
    assert mask.all() and len(mask) == tokens
    for token in range(tokens):
        part = values[frames * token // tokens : -(-frames * (token + 1) // tokens)]
        np.testing.assert_array_equal(features[token], part.max(0))


def test_half_floats_become_floats(tmp_path):
    path, values = write(tmp_path, 3, features=np.ones((3, 5), np.float16))
    assert load_frames(path)[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": np.zeros((0, 5), np.float32)}, r"float32 of shape \[0, 5\]; expected floats"),
        ({"features": np.zeros(5, np.float32)}, r"of shape \[5\]"),
        ({"features": np.zeros((2, 5), int)}, "are int64 of"),
        ({"features": np.full((2, 5), np.nan)}, "no finite numbers"),
        ({"features": np.array([{}, 1], object)}, "cannot be read as .npz"),
    ],
)
def test_features_of_another_kind_are_refused_by_name(tmp_path, changes, told):
    path, _ = write(tmp_path, 3, **changes)
    with pytest.raises(ValueError, match=f"video.npz.*{told}") as error:
        load_frames(path)
    assert "\n" not in str(error.value)


def test_files_of_another_kind_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none.npz; expected features"):
        load_frames(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", other=np.zeros((2, 5)), more=np.zeros(2))
    with pytest.raises(ValueError, match="other.npz has other, more; expected 'features'"):
        load_frames(tmp_path / "other.npz")
    np.save(tmp_path / "lone.npy", np.zeros((2, 5)))
    path, _ = write(tmp_path, 30)
    whole = path.read_bytes()
    for name, data in {
        "text": b"text",
        "empty": b"",
        "cut": whole[:-30],
        "half": whole[:200],
    }.items():
        (tmp_path / f"{name}.npz").write_bytes(data)
    flipped = bytearray(whole)
    flipped[300] ^= 255
    (tmp_path / "flipped.npz").write_bytes(flipped)
    for name in ("text.npz", "empty.npz", "cut.npz", "half.npz", "flipped.npz", "lone.npy"):
        with pytest.raises(ValueError, match=name) as error:
            load_frames(tmp_path / name)
        assert "\n" not in str(error.value)
