"""The adapter sets that come with mcgurk: at home, away, with a wrong face and without one."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import load_sample
from data_prep.datasets.speech.grid import spell
from data_prep.media import read_audio, stream_video
from tasks.avsr import AVSRPipeline
from tasks.avsr.inputs.mouths import Mouths
from tasks.avsr.sets.collection import find_collection
from tasks.avsr.sets.contract import Recognised, Utterance
from tasks.avsr.sets.pieces import cut_pieces
from tasks.avsr.sets.piecewise import listen
from tasks.avsr.sets.set_recogniser import SetRecogniser

ROOT = Path(__file__).resolve().parents[4]
NAMES = ("bbal6n", "lbwe5s", "pbwx1s")  # of the test split


@pytest.fixture(scope="module")
def adapted() -> AVSRPipeline:
    return AVSRPipeline("whisper-tiny.en", adapter_sets="grid", device="cpu")


@pytest.fixture(scope="module")
def plain() -> AVSRPipeline:
    return AVSRPipeline("whisper-tiny.en", device="cpu")


def test_weights_stay_small():
    # The weights of other tasks have bounds of their own, in tests/test_layout.py.
    others = {".venv", "build", "vision_language", "segmentation"}
    others |= {"audio_text", "diffusion", "audio_to_image"}
    weights = [p for p in ROOT.rglob("*.safetensors") if not others & set(p.parts)]
    assert len(weights) > 15
    assert sum(path.stat().st_size for path in weights) <= 12e6


def test_the_demo_clip_is_unknown_and_left_to_plain_whisper(adapted, plain, demo_clip):
    found, expected = adapted.transcribe(demo_clip), plain.transcribe(demo_clip)
    assert found.text == expected.text
    assert [s.words for s in found.segments] == [s.words for s in expected.segments]
    assert all(s.adapter_set is None and s.scenario for s in found.segments)


def test_sound_without_video_is_plain_whisper(adapted, plain, demo_clip):
    sound = read_audio(demo_clip)
    assert adapted.transcribe(sound) == plain.transcribe(sound)


def test_other_speech_stays_as_it_is(adapted, plain, shared_data):
    assert isinstance(adapted.sets, SetRecogniser)
    for path in sorted((shared_data / "speech").iterdir()):
        sound = read_audio(path)
        assert adapted.transcribe(sound).text == plain.transcribe(sound).text
        pieces = [Utterance(sound[n : n + 48_000]) for n in range(0, len(sound) - 48_000, 24_000)]
        assert min(s.distance for s in adapted.sets.describe(pieces)) > 1


def test_clips_that_the_sets_know_are_read_right(adapted, plain, shared_data):
    right = wrong = 0
    for name in NAMES:
        found = adapted.transcribe(shared_data / "grid/s1" / f"{name}.mp4")
        assert found.text.lower() == spell(name)
        assert found.video_used and found.segments[0].agreement > 0.5
        words = found.segments[0].words
        assert [word.text for word in words] == spell(name).split()
        assert all(a.end_s <= b.start_s + 0.01 for a, b in zip(words, words[1:], strict=False))
        wrong += plain.transcribe(shared_data / "grid/s1" / f"{name}.mp4").text.lower() != spell(
            name
        )
        right += 1
    assert wrong > 0  # or the sets would not be needed


@pytest.fixture(scope="module")
def utterances(shared_data, tmp_path_factory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("grid")
    clips = [Clip(n, str(shared_data / "grid/s1" / f"{n}.mp4"), spell(n)) for n in NAMES]
    prepare(clips, folder, workers=1)
    samples = [load_sample(clip, folder) for clip in read_manifest(folder / "manifest.jsonl")]
    return [Utterance(s.waveform, s.crops, s.clip.mask()) for s in samples]


@pytest.mark.parametrize("gain_db", [-50, -30, 20])
def test_text_set_and_level_do_not_depend_on_the_volume(adapted, utterances, gain_db):
    gain = np.float32(10 ** (gain_db / 20))
    louder = [Utterance(u.waveform * gain + gain / 9, u.crops, u.mask) for u in utterances]
    for before, after in zip(
        adapted.sets.recognise(utterances), adapted.sets.recognise(louder), strict=True
    ):
        assert (after.text, after.adapter_set) == (before.text, before.adapter_set)
        assert after.snr_db == pytest.approx(before.snr_db, abs=0.2)


def test_lips_without_speech_give_no_text(adapted, shared_data, tmp_path):
    """A talking face, and beside it silence, hiss or a rumble as long as the clip."""
    pictures = np.stack([f.rgb() for f in stream_video(shared_data / f"grid/s1/{NAMES[0]}.mp4")])
    hiss = np.random.default_rng(0).normal(0, 3e-4, 48_000).astype(np.float32)
    rumble = np.convolve(hiss, np.ones(50, np.float32) / 5, "same")
    for sound in (0 * hiss, hiss, 300 * hiss, rumble):
        found = adapted.transcribe(sound, video=pictures)
        assert found.text == "" and not found.video_used
        assert "no speech was heard" in found.video_note


def test_a_wrong_face_is_noticed_and_does_no_harm(adapted, utterances):
    sets = adapted.sets
    wrong = [
        Utterance(u.waveform, v.crops, v.mask)
        for u, v in zip(utterances, utterances[1:] + utterances[:1], strict=True)
    ]
    for name in ("all", "babble", "natural"):
        heard = sets.with_set(utterances, name)
        misled = sets.with_set(wrong, name)
        assert min(h.agreement for h in heard) > max(h.agreement for h in misled)
        assert [h.text for h in misled] == [h.text for h in heard] == [spell(n) for n in NAMES]


def test_a_batch_is_recognised_as_the_pipeline_does_it(adapted, utterances):
    alone = [adapted.sets.recognise([u])[0] for u in utterances]
    together = adapted.sets.recognise([utterances[0], Utterance(np.zeros(8000)), *utterances[1:]])
    assert together.pop(1) == Recognised()
    for one, other in zip(alone, together, strict=True):
        assert (one.text, one.adapter_set, one.scenario) == (
            other.text,
            other.adapter_set,
            other.scenario,
        )
        assert one.snr_db == pytest.approx(other.snr_db, abs=0.11)
    for one, utterance in zip(alone, utterances, strict=True):
        assert adapted.sets.with_set([utterance], one.adapter_set)[0].text == one.text
    for name in {one.adapter_set for one in alone}:
        texts = [heard.text for heard in adapted.sets.with_set(utterances, name)]
        chosen = [(o.text, t) for o, t in zip(alone, texts, strict=True) if o.adapter_set == name]
        assert all(a == b for a, b in chosen)


def test_rows_of_a_batch_are_read_each_with_its_own_set(adapted, utterances):
    sets = adapted.sets
    assert isinstance(sets, SetRecogniser)
    names = ("babble", "audio", "music")
    together = sets.read_rows(utterances, names)
    alone = [sets.read_rows([one], [name])[0] for one, name in zip(utterances, names, strict=True)]
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.words for one in together] == [one.words for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
    assert together[1].agreement is None
    assert together[0].agreement == pytest.approx(alone[0].agreement, abs=1e-5)
    assert sets.adapted.adapters.active == []


def test_collections_on_one_model_do_not_mix(adapted, utterances):
    first = adapted.sets
    assert isinstance(first, SetRecogniser)
    model = first.adapted.whisper
    expected = first.recognise(utterances)
    other = SetRecogniser(model, find_collection("grid"), prefix="other_")
    assert other.bytes == first.bytes
    assert other.recognise(utterances) == first.recognise(utterances) == expected
    other.drop()
    assert not [name for name in first.adapted.adapters.names if name.startswith("other_")]
    assert first.recognise(utterances) == expected


def test_without_a_face_a_set_hears_only_to_the_bit(adapted, utterances):
    sets = adapted.sets
    unseen = [Utterance(u.waveform, u.crops, np.zeros(len(u.mask), bool)) for u in utterances]
    blind = [Utterance(u.waveform) for u in utterances]
    expected = sets.with_set(blind, "audio")
    for name in ("babble", "all"):
        assert sets.with_set(unseen, name) == sets.with_set(blind, name) == expected
    mixed = sets.with_set([blind[0], utterances[1], blind[2]], "babble")
    assert (mixed[0], mixed[2]) == (expected[0], expected[2])
    assert mixed[1] == sets.with_set(utterances[1:2], "babble")[0]


def test_a_long_file_is_chosen_for_piece_by_piece(adapted, utterances, demo_clip, tmp_path):
    """A known clip, a pause, then the demo clip, in one window."""
    prepare([Clip("demo", str(demo_clip))], tmp_path, workers=1)
    [clip] = read_manifest(tmp_path / "manifest.jsonl")
    other = load_sample(clip, tmp_path)
    known = utterances[0]
    start = 75 + 25
    waveform = np.zeros(start * 640 + len(other.waveform), np.float32)
    waveform[: len(known.waveform)] = known.waveform
    waveform[start * 640 :] = other.waveform
    crops = np.zeros((start + len(other.crops), 96, 96), np.uint8)
    mask = np.zeros(len(crops), bool)
    crops[:75], mask[:75] = known.crops, known.mask
    crops[start:], mask[start:] = other.crops, clip.mask()
    spans = [(0, 75 * 640), (start * 640 + 12_000, len(waveform))]

    def look(start_s, end_s):
        frames = slice(round(start_s * 25), round(end_s * 25))
        return Mouths(crops[frames], mask[frames])

    def plain(sound, _):
        decoder = adapted.reader.decoder
        return decoder.decode(decoder.engine.log_mel(sound), -(-len(sound) // 160))

    found, _ = listen(waveform, cut_pieces(waveform, spans), look, adapted.sets, plain)
    first, *rest = found
    assert first.text.text.lower() == spell(NAMES[0])
    assert first.recognised.adapter_set is not None
    assert len(" ".join(part.text.text for part in rest).split()) > 14
    assert all(part.recognised.adapter_set is None for part in rest)
    assert all(part.text.start_s >= start / 25 for part in rest)


def test_the_collection_says_what_it_is(capsys):
    from tasks.__main__ import run

    assert run(["sets", "show", "grid"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "CC BY 4.0",
        "730 clips of talker 1",
        "4.4 % of whisper-tiny.en as a whole",
        "babble",
        "high_noise",
    ):
        assert part in told
    assert run(["sets", "list"]) == 0
    assert "grid" in capsys.readouterr().out
