import numpy as np
import pytest

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.mixtures.blending import BlendOptions
from data_prep.mixtures.digit_pictures import SIDE, load_written_digits
from data_prep.mixtures.spoken_digits import part_voices, speak_digits

OPTIONS = BlendOptions(1, 2, (-4.0, -1.0), 0.5)


@pytest.fixture(scope="module")
def voices(spoken):
    return part_voices(find_fsdd_sounds(spoken), ["ann"])


def speaker_of(source):
    """Find who speaks by the pitch of a source, and which digit."""
    hz = np.abs(np.fft.rfft(source)).argmax() * 16_000 / len(source)
    digit = min(range(4), key=lambda n: min(abs(hz - 300 * (n + 1) * k) for k in (1, 1.05, 1.1)))
    return round((hz / (300 * (digit + 1)) - 1) / 0.05), digit


def test_who_is_held_out_is_heard_in_tests_alone_and_no_recording_is_in_two_folds(voices):
    heard = {fold: {s.id for s in (*of.first, *of.second)} for fold, of in voices.items()}
    assert all("ann" not in name for fold in ("train", "validation") for name in heard[fold])
    assert {s.speaker for s in voices["test"].first} == {"ann"}
    assert {s.fold for s in voices["test"].second} == {"test"}
    assert sum(map(len, heard.values())) == len(set().union(*heard.values()))


def test_two_digits_are_different_ones_of_different_speakers_the_louder_on_the_left(voices):
    written, louder = load_written_digits(), set()
    for number in range(12):
        mixture = speak_digits(voices["test"], 2, OPTIONS, number)
        (one, first), (other, second) = map(speaker_of, mixture.sources)
        assert one != other and 0 in (one, other) and first != second
        assert mixture.labels == (str(first), str(second)) and -4 <= mixture.levels_db[1] <= -1
        louder.add(one == 0)
        left = mixture.picture[:, :SIDE, 0]
        assert any(np.array_equal(left, d) for d in written.values[written.numbers == first])
    assert louder == {True, False}, "who tests is louder at times and softer at times"


def test_a_number_gives_the_same_mixture(voices):
    first, again, other = (speak_digits(voices["train"], 1, OPTIONS, n) for n in (1, 1, 2))
    assert np.array_equal(first.waveform, again.waveform) and len(first.labels) == 1
    assert np.array_equal(first.picture, again.picture)
    assert not np.array_equal(first.waveform, other.waveform)


def test_what_cannot_be_mixed_is_refused(voices, spoken):
    with pytest.raises(ValueError, match="count is 3"):
        speak_digits(voices["train"], 3, OPTIONS, 0)
    with pytest.raises(ValueError, match="No speakers"):
        part_voices(find_fsdd_sounds(spoken), ["eve"])
