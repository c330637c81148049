"""The demo clip through a real Whisper, as a client gets it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
from starlette.testclient import TestClient

from tasks.avsr import AVSROptions, AVSRPipeline
from tasks.serving.app import build_app
from tasks.serving.limits import Limits
from tasks.serving.loaded_models import load_pipeline
from tasks.serving.served_models import read_served
from tasks.serving.service import Service


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    served = read_served(["whisper-tiny.en"])
    limits = Limits(at_once=4)
    service = Service(served, lambda one: load_pipeline(one, "cpu"), folder, limits)
    service.start()
    yield TestClient(build_app(service))
    assert service.worker.close(30) and not list(folder.iterdir())


def ask(client, clip, **fields):
    with clip.open("rb") as file:
        fields = {"model": "whisper-1", **fields}
        return client.post("/v1/audio/transcriptions", data=fields, files={"file": file})


def test_the_answer_is_the_pipeline_s(client, demo_clip):
    options = AVSROptions(video=False)
    expected = AVSRPipeline("whisper-tiny.en", device="cpu", options=options).transcribe(demo_clip)
    told = ask(
        client,
        demo_clip,
        response_format="verbose_json",
        language="en",
        **{"timestamp_granularities[]": ["word", "segment"]},
    ).json()
    assert told["text"] == expected.text and told["language"] == "english"
    assert told["duration"] == expected.duration_s
    times = [(s["start"], s["end"], s["text"]) for s in told["segments"]]
    assert times == [(s.start_s, s.end_s, s.text) for s in expected.segments]
    for segment in told["segments"]:
        assert -1 < segment["avg_logprob"] < 0 <= segment["no_speech_prob"] < 0.6
    words = [word for segment in expected.segments for word in segment.words]
    assert [word["word"] for word in told["words"]] == [word.text for word in words]
    text = ask(client, demo_clip, stream="true").text
    events = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]
    assert events[-1]["text"] == expected.text and len(events) == len(expected.segments) + 1


def test_a_language_that_the_model_does_not_know_is_refused(client, demo_clip):
    answer = ask(client, demo_clip, language="de")
    assert answer.status_code == 400 and "English only" in answer.json()["error"]["message"]


def test_a_file_that_ends_in_the_middle_disturbs_no_other(client, demo_clip, tmp_path):
    half = tmp_path / "half.mp4"
    half.write_bytes(demo_clip.read_bytes()[:-30_000])
    assert ask(client, half).status_code in (200, 400)
    assert "negotiations" in ask(client, demo_clip).json()["text"]


def test_answers_at_once_are_those_of_a_lone_client(client, demo_clip):
    wanted = ["json", "srt", "verbose_json", "text"]
    alone = [ask(client, demo_clip, response_format=format).text for format in wanted]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda format: ask(client, demo_clip, response_format=format).text, wanted)
        assert list(found) == alone
