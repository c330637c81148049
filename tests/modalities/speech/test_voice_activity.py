"""Speech is found, nothing else is, and how the sound is cut changes nothing."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech import silero_files, silero_onnx
from modalities.speech.silero_onnx import load_silero_onnx
from modalities.speech.silero_torch import load_silero
from modalities.speech.speech_spans import SpeechSpan, VoiceActivityConfig
from modalities.speech.voice_activity import SpeechDetector

MINUTE = 60 * 16_000
RNG = np.random.default_rng(0)
TIME_S = np.arange(MINUTE) / 16_000


@pytest.fixture(scope="module", params=["torch", "onnx"])
def network(request):
    if request.param == "torch":
        return load_silero()
    pytest.importorskip("onnxruntime")
    return load_silero_onnx()


@pytest.fixture(scope="module")
def demo(demo_clip) -> np.ndarray:
    from data_prep.media import read_audio

    return read_audio(demo_clip)


def detect(
    network,
    waveform: np.ndarray,
    step: int = 16_000,
    config: VoiceActivityConfig | None = None,
) -> list[SpeechSpan]:
    detector = SpeechDetector(network, config)
    spans = []
    for start in range(0, len(waveform), step):
        spans += detector.push(waveform[start : start + step])
    return spans + detector.flush()


def heard_s(spans: list[SpeechSpan]) -> float:
    return sum(span.end_s - span.start_s for span in spans)


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(MINUTE),
        RNG.normal(0, 0.001, MINUTE),
        RNG.normal(0, 0.1, MINUTE),
        RNG.normal(0, 1, MINUTE).clip(-1, 1),
        0.3 * np.sin(2 * np.pi * 50 * TIME_S),
        0.3 * np.sin(2 * np.pi * 440 * TIME_S) * np.sin(2 * np.pi * 2 * TIME_S),
    ],
    ids=["silence", "faint noise", "noise", "clipped noise", "hum", "beeps"],
)
def test_a_minute_without_speech_gives_no_span(network, waveform):
    assert detect(network, waveform.astype(np.float32)) == []


def test_a_minute_of_each_recorded_noise_gives_no_span(network, shared_data):
    from data_prep.media import read_audio

    paths = [*sorted((shared_data / "noise").glob("*/*")), *(shared_data / "esc50").iterdir()]
    for path in paths:
        assert detect(network, np.resize(read_audio(path), MINUTE)) == [], path.name


def test_speech_is_kept(network, shared_data, demo):
    from data_prep.media import read_audio

    least_s = {"jfk.flac": 9.5, "libri_198-209-0000.ogg": 12.5, "libri_3436-172162-0000.ogg": 15.5}
    for name, seconds in least_s.items():
        assert heard_s(detect(network, read_audio(shared_data / "speech" / name))) > seconds
    spans = detect(network, demo)
    assert spans[0].start_s < 0.9 and spans[-1].end_s == pytest.approx(len(demo) / 16_000)
    assert heard_s(spans) > 7.5


def test_first_and_last_words_are_not_cut(network, shared_data):
    """The times of the words come with the clips, 25,000 units a second."""
    from data_prep.media import read_audio

    for path in sorted((shared_data / "grid/s1").glob("*.mp4"))[:30]:
        lines = (shared_data / f"grid/align/s1/{path.stem}.align").read_text().split("\n")
        words = [line.split() for line in lines if line and line.split()[2] not in ("sil", "sp")]
        spans = detect(network, read_audio(path))
        assert len(spans) == 1
        assert spans[0].start_s <= int(words[0][0]) / 25_000 + 0.04, path.name
        assert spans[0].end_s >= min(int(words[-1][1]) / 25_000, 2.95), path.name


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 40_000), max_size=20))
def test_how_the_sound_is_cut_changes_nothing(network, demo, cuts):
    detector = SpeechDetector(network)
    spans, at = [], 0
    for cut in [*cuts, len(demo)]:
        spans += detector.push(demo[at : at + cut])
        at += cut
    assert spans + detector.flush() == detect(network, demo)


@settings(max_examples=15, deadline=None)
@given(gain_db=st.floats(-50, 20), constant=st.floats(-0.3, 0.3), step=st.integers(400, 40_000))
def test_neither_volume_nor_a_constant_part_moves_speech(network, demo, gain_db, constant, step):
    changed = (demo + constant) * 10 ** (gain_db / 20)
    found = detect(network, changed.astype(np.float32), step)
    for mine, theirs in zip(found, detect(network, demo), strict=True):
        assert mine.start_s == pytest.approx(theirs.start_s, abs=0.07)
        assert mine.end_s == pytest.approx(theirs.end_s, abs=0.07)


@pytest.mark.parametrize(("pause_s", "quieter_db"), [(0.5, 20), (0.5, 26), (2, 30), (11, 40)])
def test_a_quiet_talker_after_a_loud_one_is_heard(network, demo, pause_s, quieter_db):
    pause = np.zeros(int(16_000 * pause_s), np.float32)
    quiet = demo * np.float32(10 ** (-quieter_db / 20))
    spans = detect(network, np.concatenate([demo, pause, quiet]))
    later = [span for span in spans if span.start_s > len(demo) / 16_000]
    assert heard_s(later) > 6.7


@pytest.mark.parametrize("constant", [0.5, -0.03])
def test_a_constant_part_far_above_quiet_speech_hides_none_of_it(network, demo, constant):
    quiet = demo * np.float32(10 ** (-50 / 20)) + np.float32(constant)
    found, expected = detect(network, quiet), detect(network, demo)
    assert found[0].start_s == pytest.approx(expected[0].start_s, abs=0.07)
    assert heard_s(found) == pytest.approx(heard_s(expected), abs=0.15)


def test_faint_noise_before_speech_hides_none_of_it(network, demo):
    noise = RNG.normal(0, 1e-5, 48_000).astype(np.float32)
    spans = detect(network, np.concatenate([noise, demo]))
    assert spans[0].start_s == pytest.approx(3 + detect(network, demo)[0].start_s, abs=0.1)


def test_spans_are_in_order_and_within_the_sound(network, demo):
    spans = detect(network, np.tile(demo, 4), step=997)
    times = [time for span in spans for time in (span.start_s, span.end_s)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= 4 * len(demo) / 16_000


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513])
def test_very_short_sound(network, samples):
    assert detect(network, np.zeros(samples, np.float32)) == []


def test_open_speech_is_told_before_it_ends(network, demo):
    detector = SpeechDetector(network)
    assert detector.open_start_s is None and not detector.is_sure
    assert detector.push(demo[:32_000]) == []
    assert detector.is_sure and detector.open_start_s == pytest.approx(0.81, abs=0.1)
    assert detect(network, demo)[0].start_s == detector.open_start_s


def test_a_longer_pause_joins_spans(network, demo):
    config = VoiceActivityConfig(least_silence_s=3.0)
    assert len(detect(network, demo, config=config)) == 1 < len(detect(network, demo))


def test_little_is_held(network):
    detector = SpeechDetector(network)
    for _ in range(100):
        detector.push(np.zeros(5_000, np.float32))
        assert len(detector.waiting) < 1_200


def test_probabilities_are_those_of_the_wheel(network, demo):
    spec = importlib.util.find_spec("silero_vad")
    assert spec is not None and spec.origin is not None
    theirs = torch.jit.load(Path(spec.origin).parent / "data/silero_vad.jit")
    count = len(demo) // 512
    chunks = torch.from_numpy(demo[: count * 512]).view(count, 512)
    with torch.inference_mode():
        expected = torch.cat([theirs(chunk[None], 16_000)[0] for chunk in chunks])
    context = torch.cat([torch.zeros(1, 64), chunks[:-1, -64:]])
    prepared, _ = network.measure(torch.cat([context, chunks], 1).numpy())
    found, _ = network.listen(prepared, None)
    assert np.abs(found - expected.numpy()).max() < 1e-4


def test_both_forms_hear_the_same(demo, shared_data):
    from data_prep.media import read_audio

    pytest.importorskip("onnxruntime")
    one, other = load_silero(), load_silero_onnx()
    paths = [*sorted((shared_data / "speech").iterdir()), shared_data / "grid/s1/bbaf2n.mp4"]
    for sound in (demo, *(read_audio(path) for path in paths if path.exists())):
        assert detect(one, sound) == detect(other, sound)
        windows = np.lib.stride_tricks.sliding_window_view(sound, 576)[::512].copy()
        (spectra, levels), (chunks, others) = one.measure(windows), other.measure(windows)
        assert np.allclose(levels, others, rtol=1e-4)
        found, _ = one.listen(spectra, None)
        assert np.abs(found - other.listen(chunks, None)[0]).max() < 1e-5


def test_missing_wheel_is_told(monkeypatch):
    monkeypatch.setattr(silero_files.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="silero-vad"):
        load_silero()


def test_missing_wheel_is_told_of_the_onnx_file(monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(silero_onnx, "MODEL", "data/none.onnx")
    with pytest.raises(ValueError, match="silero-vad 6.2.3.*take the torch engine"):
        load_silero_onnx()


@settings(max_examples=10, deadline=None)
@given(step=st.integers(100, 50_000), silence_s=st.sampled_from([0.1, 0.2, 1.0]))
def test_followers_find_what_a_detector_of_their_own_would(network, demo, step, silence_s):
    config = VoiceActivityConfig(least_silence_s=silence_s, pad_s=0.1)
    leader, own = SpeechDetector(network), SpeechDetector(network, config)
    follower = leader.follow(config)
    for start in range(0, len(demo), step):
        leader.push(demo[start : start + step])
        assert follower.take() == own.push(demo[start : start + step])
        assert follower.open_start_s == own.open_start_s and follower.is_sure == own.is_sure
    leader.flush()
    assert follower.take() == own.flush()
