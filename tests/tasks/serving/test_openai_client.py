"""OpenAI's own Python client, against a server on a real port."""

import pytest

pytest.importorskip("fastapi")
openai = pytest.importorskip("openai")


@pytest.fixture
def client(make_service, serve):
    service = make_service(token="secret")
    with (
        serve(service) as (_, url),
        openai.OpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client,
    ):
        yield client


def test_it_transcribes_in_every_form(client, make_sound):
    create, sound = client.audio.transcriptions.create, ("a.wav", make_sound(2))
    assert create(model="whisper-1", file=sound).text == "one two"
    assert create(model="a", file=sound, response_format="text") == "one two\n"
    assert "-->" in create(model="a", file=sound, response_format="srt")
    assert create(model="a", file=sound, response_format="vtt").startswith("WEBVTT")
    told = create(
        model="a+s",
        file=sound,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        temperature=0,
    )
    assert told.language == "english" and told.duration == 2.0
    assert [word.word for word in told.words] == ["one", "two"]
    assert [(segment.start, segment.end) for segment in told.segments] == [(0, 1), (1, 2)]
    assert told.usage.seconds == 2


def test_it_reads_a_stream(client, make_sound):
    create = client.audio.transcriptions.create
    events = list(create(model="a", file=("a.wav", make_sound(3)), stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert deltas == ["one", " two", " three"] and events[-1].text == "one two three"


def test_it_raises_its_own_errors(client, make_sound, pipeline):
    create, sound = client.audio.transcriptions.create, ("a.wav", make_sound(1))
    with pytest.raises(openai.NotFoundError, match="does not exist") as caught:
        create(model="b", file=sound)
    assert caught.value.code == "model_not_found" and caught.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="prompt"):
        create(model="a", file=sound, prompt="mcgurk")
    with pytest.raises(openai.BadRequestError, match="unsupported"):
        create(model="a", file=("a.wav", b"noise" * 100))
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    pipeline.error = RuntimeError()
    with pytest.raises(openai.InternalServerError):
        create(model="a", file=sound)
    with pytest.raises(openai.InternalServerError):
        list(create(model="a", file=sound, stream=True))


def test_it_lists_models(client):
    assert [model.id for model in client.models.list()] == ["a", "a+s", "whisper-1"]
    assert client.models.retrieve("a+s").owned_by == "mcgurk"
