"""Where clips, transcripts and noise come from, and what is told where they are missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.avsr.evaluation.clips import find_clips, prepare_clips
from tasks.avsr.evaluation.config import ConditionOptions, EvaluationConfig
from tasks.avsr.evaluation.evaluate import plan_evaluation
from tasks.avsr.evaluation.noise_sources import find_sources
from tasks.config import read_config


@pytest.fixture
def raw(tmp_path, prepared) -> Path:
    """Two clips with GRID's names and one with another."""
    folder = tmp_path / "raw/s1"
    folder.mkdir(parents=True)
    for number, name in enumerate(("bbaf2n", "sgwo1p", "hello")):
        (folder / f"{name}.wav").write_bytes((prepared / f"{number}.wav").read_bytes())
    (folder / "hello.txt").write_text("Hello there")
    return folder.parent


def config_of(folder: Path, **options) -> EvaluationConfig:
    return EvaluationConfig(target=str(folder), **options)


def test_transcripts_are_beside_the_clips_or_their_names(raw):
    found = find_clips(config_of(raw))
    texts = {clip.id: clip.text for clip in found.clips}
    assert texts["s1_bbaf2n"] == "bin blue at f two now" and texts["s1_hello"] == "Hello there"
    assert not found.spelled
    assert plan_evaluation(config_of(raw), found).normaliser == "whisper"
    (raw / "s1/hello.wav").unlink()
    found = find_clips(config_of(raw))
    assert found.spelled and plan_evaluation(config_of(raw), found).normaliser == "grid"
    (raw / "s1/bbaf2n.txt").write_text("bin blue at f two again")
    assert not find_clips(config_of(raw)).spelled


def test_clips_without_transcript_are_named(raw):
    (raw / "s1/hello.txt").unlink()
    with pytest.raises(ValueError, match=r"without transcript: s1_hello\. Put a \.txt"):
        find_clips(config_of(raw))


def test_an_empty_transcript_counts_where_others_have_words(raw):
    (raw / "s1/hello.txt").write_text("\n")
    texts = {clip.id: clip.text for clip in find_clips(config_of(raw)).clips}
    assert texts["s1_hello"] == "" and texts["s1_bbaf2n"] == "bin blue at f two now"
    for name in ("bbaf2n", "sgwo1p"):
        (raw / f"s1/{name}.txt").touch()
    with pytest.raises(ValueError, match="3 clips and no word in their transcripts"):
        find_clips(config_of(raw))


def test_a_prepared_folder_is_used_as_it_is(prepared, tmp_path):
    config = config_of(prepared)
    found = find_clips(config)
    assert found.folder == prepared and len(found.clips) == len(found.voices) == 7
    assert prepare_clips(found, tmp_path) == found
    assert not list(tmp_path.iterdir())


def test_raw_clips_are_prepared_once(raw, tmp_path):
    (raw / "s1/hello.txt").write_text("")
    (raw / "s1/hello.wav").unlink()
    found = find_clips(config_of(raw))
    done = prepare_clips(found, tmp_path / "out", 1)
    assert done.folder == tmp_path / "out/clips"
    assert [clip.duration_s for clip in done.clips] == pytest.approx([0.5, 0.54])
    (raw / "s1/bbaf2n.txt").write_text("corrected")
    again = prepare_clips(find_clips(config_of(raw)), tmp_path / "out", 1)
    assert again.clips[0].text == "corrected"


def test_clips_that_cannot_be_read_are_told(raw, tmp_path):
    (raw / "s1/bbaf2n.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="1 of 3 clips cannot be prepared; s1_bbaf2n: "):
        prepare_clips(find_clips(config_of(raw)), tmp_path / "out", 1)


def test_clips_longer_than_the_window_are_told(prepared, tmp_path):
    found = find_clips(config_of(prepared))
    long = replace(found, clips=(replace(found.clips[0], duration_s=31.0),))
    with pytest.raises(ValueError, match="Clip 0 is 31 s long; expected 30 s at most"):
        prepare_clips(long, tmp_path)


def test_some_clips_are_drawn_by_the_seed(prepared):
    drawn = [find_clips(config_of(prepared, clips=3, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0].clips == drawn[1].clips != drawn[2].clips
    assert len(drawn[0].clips) == 3 and len(drawn[0].voices) == 7


def test_a_split_picks_clips(prepared, tmp_path):
    split = tmp_path / "splits.json"
    split.write_text(json.dumps({"test": ["1", "4"]}))
    found = find_clips(config_of(prepared, split=str(split)))
    assert [clip.id for clip in found.clips] == ["1", "4"] and len(found.voices) == 2


def test_voices_are_the_clips_where_the_folder_has_none(noise):
    voices = tuple(Path(f"{number}.wav") for number in range(3))
    config = EvaluationConfig(noise=str(noise))
    assert [s.name for s in find_sources(config, voices)] == ["babble", "sidespeaker", "music"]
    with pytest.raises(ValueError, match="'babble' has no recordings of babble; .* for music"):
        find_sources(replace(config, voices_from_clips=False, categories=("babble",)), voices)
    assert find_sources(EvaluationConfig(), voices) == []
    for options in ({"categories": ("babble",)}, {"snr_db": (0.0,)}):
        with pytest.raises(ValueError, match="no recordings; expected a folder of noise"):
            find_sources(EvaluationConfig(**options), voices)
    config = EvaluationConfig(voices_from_clips=True, categories=("babble",))
    assert find_sources(config, voices)[0].recordings.voices == voices


def test_too_few_voices_are_told_before_any_work(raw):
    config = config_of(raw, voices_from_clips=True, categories=("babble",))
    with pytest.raises(ValueError, match="'babble' needs 6 .* there are 2. Add some .* 'voices'"):
        plan_evaluation(config, find_clips(config))
    config = replace(config, categories=("sidespeaker",))
    assert len(plan_evaluation(config, find_clips(config)).plan.cells) == 6


def test_a_condition_has_a_name_and_recordings_of_its_own(noise):
    options = ConditionOptions("one piece", "music", only=("piece1",))
    config = EvaluationConfig(noise=str(noise), categories=("music",), conditions=[options])
    common, own = find_sources(config, ())
    assert (common.name, len(common.recordings.files("music"))) == ("music", 2)
    assert [path.stem for path in own.recordings.files("music")] == ["piece1"]
    unknown = replace(config, conditions=[replace(options, only=("piece7",))])
    with pytest.raises(ValueError, match="only names piece7; .* There are piece0, piece1"):
        find_sources(unknown, ())


def test_a_configuration_is_read_with_tuples_and_conditions(tmp_path, noise):
    path = tmp_path / "evaluation.yaml"
    path.write_text(
        f"target: clips\nnoise: {noise}\ncategories: [music]\nsnr_db: [-5, 0]\n"
        "conditions:\n  - {name: babble (other voices), category: babble, voices: 8}\n"
    )
    config = read_config(EvaluationConfig, path)
    voices = tuple(Path(f"{number}.wav") for number in range(3))
    names = [(source.name, source.voices) for source in find_sources(config, voices)]
    assert names == [("music", 6), ("babble (other voices)", 8)]
    for wrong, meant in (
        ("categorys: [music]\n", "categories"),
        ("conditions: [{nmae: music}]\n", "name"),
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=f"Did you mean: '{meant}'"):
            read_config(EvaluationConfig, path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clips": 0}, "clips is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"recipe": "loud"}, "No recipe 'loud'"),
        ({"normaliser": "loud"}, "No normaliser 'loud'"),
        ({"categories": ("rain",), "noise": "n"}, "No noise category 'rain'"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**options)
