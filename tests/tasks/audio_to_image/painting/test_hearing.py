"""What is heard of mixtures, kept, and read by a training to paint."""

import shutil
from hashlib import file_digest
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures, write_mixtures
from modalities import file_hash
from modalities.tensor_file import write_tensors
from tasks.audio_to_image.painting import hearing
from tasks.audio_to_image.painting.ear import WINDOW_S, Ear, silence_faint
from tasks.audio_to_image.painting.hearing import hear_examples
from tasks.audio_to_image.painting.manifest import (
    EMBEDDINGS,
    KEY,
    read_examples,
    write_examples,
)
from tasks.audio_to_image.separation.ranking import Ranking


def test_sources_come_by_rank_and_silence_is_zeros(tones, tone, untrained, audio_text, tmp_path):
    separator = untrained(audio_text)
    rows, heard = hear_examples(tones, separator, None, tmp_path, sources=5)
    read, embeddings = read_examples(tmp_path, with_sounds=True)
    assert read == rows and embeddings is not None and embeddings.shape == (4, 5, 4)
    assert torch.equal(heard, embeddings)
    assert [row.label for row in rows] == ["low", "high", "low, high", "nothing"]
    assert [row.fold for row in rows] == ["train", "train", "test", "train"]
    expected = separator.separate((tone(500) + tone(3500)) / 2, 16000).embeddings
    assert np.allclose(embeddings[2, :3], expected, atol=1e-3)
    assert not embeddings[:, 3:].any() and not embeddings[3].any()


def test_what_a_separator_leaves_in_sources_that_are_not_there_is_silence():
    """However like the mixture it sounds."""
    ranking = Ranking((2, 0, 1), (0.9, 0.8, 0.5), (0.59, 0.004, 0.406), torch.eye(3))
    found = silence_faint(ranking)
    assert (found.order, found.shares) == ((2, 1, 0), (0.59, 0.406, 0.004))
    assert found.scores == (0.9, 0.5, -1.0) and found.embeddings is not None
    assert torch.equal(found.embeddings, torch.eye(3)[[0, 2, 1]] * torch.tensor([[1], [1], [0]]))


def test_without_a_separator_the_whole_mixture_comes_first(tones, audio_text, tmp_path):
    hear_examples(tones / MANIFEST, None, audio_text, tmp_path, sources=2)
    _, embeddings = read_examples(tmp_path, with_sounds=True)
    assert embeddings is not None and not embeddings[:, 1].any() and not embeddings[3].any()
    assert embeddings[0, 0].argmax() == 0 and embeddings[1, 0].argmax() == 3
    assert (embeddings[2, 0, [0, 3]] > 0.5).all()


def test_what_was_heard_is_heard_once(tones, audio_text, tmp_path, monkeypatch):
    first, _ = hear_examples(tones, None, audio_text, tmp_path, sources=1)
    kept = read_examples(tmp_path, with_sounds=True)[1]
    monkeypatch.setattr(audio_text, "embed_audio", None)  # must not be asked
    told = []
    again, _ = hear_examples(
        tones, None, audio_text, tmp_path, 1, lambda done, total: told.append((done, total))
    )
    assert again == first and told[-1] == (4, 4)
    assert torch.equal(kept, read_examples(tmp_path, with_sounds=True)[1])


def test_what_another_separator_heard_is_refused(tones, untrained, audio_text, tmp_path):
    hear_examples(tones, untrained(audio_text), None, tmp_path, sources=1)
    for separator, whole in ((untrained(audio_text, 1), None), (None, audio_text)):
        with pytest.raises(ValueError, match="another extractor"):
            hear_examples(tones, separator, whole, tmp_path, sources=1)


def test_other_mixtures_are_heard_anew(tones, audio_text, tmp_path):
    rows = list(read_mixtures(tones / MANIFEST))
    write_mixtures(tmp_path / "other" / MANIFEST, rows[1:2])
    hear_examples(tones, None, audio_text, tmp_path / "heard", sources=1)
    hear_examples(tmp_path / "other", None, audio_text, tmp_path / "heard", sources=1)
    found, embeddings = read_examples(tmp_path / "heard", with_sounds=True)
    assert [row.id for row in found] == ["1"] and embeddings is not None
    assert embeddings[0, 0].argmax() == 3


def test_a_folder_with_another_manifest_is_left_alone(tones, audio_text):
    before = (tones / MANIFEST).read_text()
    with pytest.raises(ValueError, match=MANIFEST):
        hear_examples(tones, None, audio_text, tones, sources=1)
    assert (tones / MANIFEST).read_text() == before


def test_pictures_that_nobody_heard_are_not_lost(tones, colours, audio_text):
    kept = {path: path.read_bytes() for path in colours.iterdir() if path.is_file()}
    with pytest.raises(ValueError, match="its pictures would be lost"):
        hear_examples(tones, None, audio_text, colours, sources=1)
    assert {path: path.read_bytes() for path in colours.iterdir()} == kept


def test_other_mixtures_that_come_at_the_same_time_are_told(
    tones, audio_text, tmp_path, monkeypatch
):
    def write_both(folder, rows, embeddings):
        write_examples(folder, rows, embeddings)
        write_tensors(folder / EMBEDDINGS, {KEY: embeddings + 1})  # as another process may

    monkeypatch.setattr(hearing, "write_examples", write_both)
    with pytest.raises(ValueError, match="Give each a folder of its own"):
        hear_examples(tones, None, audio_text, tmp_path, sources=1)


def test_a_recording_that_was_changed_is_heard_anew(tones, tone, audio_text, tmp_path):
    shutil.copytree(tones, tmp_path / "tones")
    rows = [row for row in read_mixtures(tmp_path / "tones" / MANIFEST) if row.id == "0"]
    write_mixtures(tmp_path / "tones" / MANIFEST, rows)
    heard = []
    for hz in (500, 3500):
        (tmp_path / "tones/0.wav").write_bytes(encode_wav(tone(hz)))
        found = hear_examples(tmp_path / "tones", None, audio_text, tmp_path / "heard", sources=1)
        heard.append(int(found[1][0, 0].argmax()))
    assert heard == [0, 3]


def test_pictures_come_out_of_videos_that_are_read_once(
    demo_clip, audio_text, tmp_path, monkeypatch
):
    video = shutil.copy(demo_clip, tmp_path)
    row = MixedSound("a/b", video, ("speech",), picture_s=0.5, end_s=1.0)
    write_mixtures(tmp_path / "videos" / MANIFEST, [row])
    read = []
    monkeypatch.setattr(
        file_hash, "file_digest", lambda file, how: read.append(file.name) or file_digest(file, how)
    )
    heard = tmp_path / "heard"
    [found] = hear_examples(tmp_path / "videos", None, audio_text, heard, sources=1)[0]
    assert len(read) == 1  # for its sound and its picture
    assert Path(found.picture).parent == tmp_path / "heard/pictures"
    assert cv2.imread(found.picture) is not None


def test_faults_are_told(tones, untrained, audio_text, tmp_path):
    with pytest.raises(ValueError, match="both given"):
        hear_examples(tones, untrained(audio_text), audio_text, tmp_path, sources=1)
    with pytest.raises(ValueError, match="neither given"):
        hear_examples(tones, None, None, tmp_path, sources=1)
    with pytest.raises(ValueError, match="ranks by energy alone"):
        hear_examples(tones, untrained(), None, tmp_path, sources=1)
    with pytest.raises(ValueError, match="sources is 0"):
        hear_examples(tones, None, audio_text, tmp_path, sources=0)
    write_mixtures(tmp_path / MANIFEST, [MixedSound("a", "no.wav", ("x",), picture="no.png")])
    with pytest.raises(FileNotFoundError, match=r"no\.png, the picture of a"):
        hear_examples(tmp_path, None, audio_text, tmp_path / "heard", sources=1)


@pytest.mark.parametrize("separates", [True, False])
def test_blocks_of_any_length_are_heard_alike(untrained, tone, audio_text, separates):
    ear = Ear(untrained(audio_text), None) if separates else Ear(None, audio_text)
    sound = np.concatenate([tone(500, WINDOW_S), tone(3500, 1.3)]).astype(np.float32)
    whole = ear.listen([sound])
    parts = ear.listen(np.array_split(sound, 7))
    assert whole.order == parts.order and whole.embeddings is not None
    assert torch.allclose(whole.embeddings, parts.embeddings, atol=1e-4)
    assert torch.allclose(whole.embeddings.norm(dim=1), torch.ones(len(whole.order)))


def test_a_sound_of_one_sample_and_none_are_heard(audio_text):
    ear = Ear(None, audio_text)
    assert ear.listen([np.full(1, 0.5, np.float32)]).scores == (1.0,)
    nothing = ear.listen([])
    assert nothing.scores == (-1.0,) and not nothing.embeddings.any()
