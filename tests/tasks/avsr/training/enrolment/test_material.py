"""Which pieces are held back, and when there are too few."""

import json

import numpy as np
import pytest

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.media.wav import encode_wav
from modalities.speech.timed_text import Word
from tasks.avsr.training.enrolment.material import check_enough, gather, hold_back
from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.avsr.training.enrolment.pieces import NO_FACE, SILENT, UNSURE, Cut
from tasks.avsr.training.enrolment.teaching_text import Taught


@pytest.mark.parametrize(("count", "held"), [(5, 2), (11, 2), (12, 2), (18, 3), (30, 5)])
def test_one_in_six_is_held_back_and_two_at_least(count, held):
    places = hold_back(count)
    assert len(set(places)) == held and 0 <= min(places) and max(places) < count


def test_too_few_pieces_say_what_to_record_instead():
    check_enough(5, {}, 5)
    with pytest.raises(ValueError, match="Of 1 file 1 piece can be.*record more of them"):
        check_enough(1, {}, 1)
    told = "4 because no talking face is seen, 1 because nobody is heard; expected 5 .* the face in"
    with pytest.raises(ValueError, match=told):
        check_enough(0, {NO_FACE: 4, SILENT: 1}, 5)
    with pytest.raises(ValueError, match="record where it is quiet"):
        check_enough(2, {UNSURE: 9}, 11)


class Teaching:
    """Hears "one" in every clip but the third."""

    def teach(self, clips, waveforms):
        words = (Word(0.1, 0.4, "one"),)
        return [Taught() if c.id == "2" else Taught("one", words, "set") for c in clips]


def test_what_is_learnt_from_is_written_with_old_clips_beside(tmp_path, write_prepared):
    (tmp_path / "old").mkdir()
    write_prepared(tmp_path / "old", 1.0)
    folder = tmp_path / "pieces"
    (folder / "sound").mkdir(parents=True)
    pieces = []
    for number in range(13):
        pieces.append(Clip(str(number), f"sound/{number}.wav", duration_s=3.0))
        (folder / pieces[-1].media).write_bytes(encode_wav(np.zeros(800, np.float32)))
    options = EnrolOptions("me", "clips", old=str(tmp_path / "old"), old_clips=3)
    cut = Cut(tuple(pieces), {SILENT: 1})
    found = gather(cut, folder, options, Teaching(), 14)
    assert (found.pieces, found.held_back, found.minutes, found.old) == (12, 2, 0.6, 3)
    assert found.left_out == {SILENT: 1, UNSURE: 1} and found.texts == {"set": 12}
    split = json.loads((folder / "split.json").read_text())
    assert len(split["new"]) == 10 and len(split["held"]) == 2 and len(split["old"]) == 3
    assert not set(split["train"]) & set(split["held"])
    clips = {clip.id: clip for clip in read_manifest(folder / "manifest.jsonl")}
    assert "new.2" not in clips and clips["new.3"].text == "one" and clips["new.3"].speaker == "me"
    assert all((folder / clip.media).is_file() for clip in clips.values())
    assert gather(cut, folder, options, None, 14) == found  # taken over
